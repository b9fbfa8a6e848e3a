# Where the shared information sits, for every mask patch and ratio of a world.
rule theory:
    output:
        PLAN.path("theory"),
    log:
        PLAN.beside("logs", "theory"),
    benchmark:
        PLAN.beside("benchmarks", "theory")
    priority: lambda wildcards: PLAN.cost.priority("theory", wildcards)
    conda:
        "../environment.yml"
    threads: 1
    resources:
        mem_mb=lambda wildcards, attempt: 1500 * attempt,
        runtime=60,
    params:
        world=PLAN.flags.world,
        masks=PLAN.flags.masks,
        settings=PLAN.flags.section("theory"),
        code=lambda wildcards: PLAN.code("theory", wildcards),
    shell:
        "python -m maestrata.steps.theory {params.world} {params.masks} {params.settings} "
        "--output {output} --fingerprint {params.code} > {log} 2>&1"
