# A world's graph and display samples. Nothing that is measured reads them: training and evaluation draw from the world.
rule worlds:
    output:
        PLAN.path("worlds"),
    log:
        PLAN.beside("logs", "worlds"),
    benchmark:
        PLAN.beside("benchmarks", "worlds")
    priority: lambda wildcards: PLAN.cost.priority("worlds", wildcards)
    conda:
        "../environment.yml"
    threads: 1
    resources:
        mem_mb=lambda wildcards, attempt: 1000 * attempt,
        runtime=10,
    params:
        world=PLAN.flags.world,
        code=lambda wildcards: PLAN.code("worlds", wildcards),
    shell:
        "python -m maestrata.steps.worlds {params.world} --output {output} "
        "--fingerprint {params.code} > {log} 2>&1"
