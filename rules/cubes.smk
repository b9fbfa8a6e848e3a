# All files of a kind, joined into one cube. The manifest says which cells there are, those without a file included.
rule collect:
    input:
        lambda wildcards: PLAN.sources(wildcards.kind),
    output:
        PLAN.path("cube"),
    log:
        PLAN.beside("logs", "collect"),
    benchmark:
        PLAN.beside("benchmarks", "collect")
    priority: lambda wildcards: PLAN.cost.priority("collect", wildcards)
    conda:
        "../environment.yml"
    threads: 1
    resources:
        mem_mb=lambda wildcards, attempt: 2000 * attempt,
        runtime=60,
    params:
        kind=PLAN.kind,
        manifest=lambda wildcards: PLAN.manifest(wildcards.kind),
        code=lambda wildcards: PLAN.code("collect", wildcards),
    shell:
        "python -m maestrata.steps.collect --kind {params.kind} --manifest {params.manifest:q} "
        "--output {output} --fingerprint {params.code} > {log} 2>&1"
