# One cell: a masked autoencoder, trained.
rule pretrain:
    output:
        weights=PLAN.path("weights"),
        history=PLAN.path("history"),
    log:
        PLAN.beside("logs", "pretrain"),
    benchmark:
        PLAN.beside("benchmarks", "pretrain")
    priority: lambda wildcards: PLAN.cost.priority("pretrain", wildcards)
    conda:
        "../environment.yml"
    threads: 1
    resources:
        mem_mb=lambda wildcards, attempt: 1500 * attempt,
        runtime=120,
    params:
        world=PLAN.flags.world,
        cell=PLAN.flags.cell,
        model=PLAN.flags.section("model"),
        training=PLAN.flags.training,
        code=lambda wildcards: PLAN.code("pretrain", wildcards),
    shell:
        "python -m maestrata.steps.pretrain {params.world} {params.cell} {params.model} {params.training} "
        "--weights {output.weights} --history {output.history} "
        "--fingerprint {params.code} > {log} 2>&1"
