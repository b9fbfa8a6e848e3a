# One intervention in one world: what only a known world allows. Some read the trained models of the sweep.
rule intervene:
    input:
        PLAN.read_weights,
    output:
        PLAN.path("intervention"),
    log:
        PLAN.beside("logs", "intervene"),
    benchmark:
        PLAN.beside("benchmarks", "intervene")
    conda:
        "../environment.yml"
    threads: 1
    resources:
        mem_mb=lambda wildcards, attempt: 2000 * attempt,
        runtime=120,
    params:
        world=PLAN.world,
        settings=PLAN.intervention,
        code=lambda wildcards: PLAN.code("intervene", wildcards),
    shell:
        "python -m maestrata.steps.intervene {wildcards.intervention} {params.world} --seed {wildcards.seed} "
        "{params.settings} --output {output} --fingerprint {params.code} > {log} 2>&1"
