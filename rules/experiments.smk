# One experiment in one world: what only a known world allows. Some read the trained models of the sweep.
rule experiment:
    input:
        PLAN.read_weights,
    output:
        PLAN.path("experiment"),
    log:
        PLAN.beside("logs", "experiment"),
    benchmark:
        PLAN.beside("benchmarks", "experiment")
    priority: lambda wildcards: PLAN.cost.priority("experiment", wildcards)
    conda:
        "../environment.yml"
    threads: 1
    resources:
        mem_mb=lambda wildcards, attempt: 2000 * attempt,
        runtime=120,
    params:
        world=PLAN.flags.world,
        settings=PLAN.flags.experiment,
        code=lambda wildcards: PLAN.code("experiment", wildcards),
    shell:
        "python -m maestrata.steps.experiment {wildcards.experiment} {params.world} --seed {wildcards.seed} "
        "{params.settings} --output {output} --fingerprint {params.code} > {log} 2>&1"
