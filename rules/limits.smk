# The best that anything could do: exact inference, or named bounds, at every visibility of a world.
rule limits:
    output:
        PLAN.path("limits"),
    log:
        PLAN.beside("logs", "limits"),
    benchmark:
        PLAN.beside("benchmarks", "limits")
    priority: lambda wildcards: PLAN.cost.priority("limits", wildcards)
    conda:
        "../environment.yml"
    threads: 1
    resources:
        mem_mb=lambda wildcards, attempt: 1500 * attempt,
        runtime=60,
    params:
        world=PLAN.flags.world,
        masks=PLAN.flags.masks,
        settings=PLAN.flags.limits(),
        code=lambda wildcards: PLAN.code("limits", wildcards),
    shell:
        "python -m maestrata.steps.limits {params.world} {params.masks} {params.settings} "
        "--output {output} --fingerprint {params.code} > {log} 2>&1"
