# What can be read from a cell's model, and from the controls that its mask does not touch.
rule regress:
    input:
        weights=PLAN.path("weights"),
    output:
        scores=PLAN.path("scores"),
        reconstructions=PLAN.path("reconstruction"),
    log:
        PLAN.beside("logs", "regress"),
    benchmark:
        PLAN.beside("benchmarks", "regress")
    priority: lambda wildcards: PLAN.cost.priority("regress", wildcards)
    conda:
        "../environment.yml"
    threads: 1
    resources:
        mem_mb=lambda wildcards, attempt: 2000 * attempt,
        runtime=60,
    params:
        world=PLAN.flags.world,
        cell=PLAN.flags.cell,
        evaluation=PLAN.flags.evaluation,
        code=lambda wildcards: PLAN.code("regress", wildcards),
    shell:
        "python -m maestrata.steps.regress {params.world} {params.cell} {params.evaluation} "
        "--weights {input.weights} --scores {output.scores} --reconstructions {output.reconstructions} "
        "--fingerprint {params.code} > {log} 2>&1"


rule controls:
    output:
        PLAN.path("controls"),
    log:
        PLAN.beside("logs", "controls"),
    benchmark:
        PLAN.beside("benchmarks", "controls")
    priority: lambda wildcards: PLAN.cost.priority("controls", wildcards)
    conda:
        "../environment.yml"
    threads: 1
    resources:
        mem_mb=lambda wildcards, attempt: 2000 * attempt,
        runtime=60,
    params:
        world=PLAN.flags.world,
        model=PLAN.flags.section("model"),
        null=PLAN.flags.null,
        evaluation=PLAN.flags.evaluation,
        code=lambda wildcards: PLAN.code("controls", wildcards),
    shell:
        "python -m maestrata.steps.controls {params.world} {params.model} {params.null} {params.evaluation} "
        "--output {output} --fingerprint {params.code} > {log} 2>&1"
