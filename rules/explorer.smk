# The run as one page to explore, from its scores, limits and verdicts.
rule explorer:
    input:
        PLAN.explored,
    output:
        report(
            PLAN.path("explorer"),
            caption="../workflow/report/explorer.rst",
            category="Explorer",
            labels={"figure": "Explorer"},
        ),
    log:
        PLAN.beside("logs", "explorer"),
    benchmark:
        PLAN.beside("benchmarks", "explorer")
    priority: lambda wildcards: PLAN.cost.priority("explorer", wildcards)
    conda:
        "../environment.yml"
    threads: 1
    resources:
        mem_mb=lambda wildcards, attempt: 1500 * attempt,
        runtime=30,
    params:
        run=PLAN.config.run,
        note=lambda wildcards: PLAN.flags.note,
        code=lambda wildcards: PLAN.code("explorer", wildcards),
    shell:
        "python -m maestrata.steps.explorer --run {params.run:q} --cubes {input} {params.note} "
        "--output {output} --fingerprint {params.code} > {log} 2>&1"
