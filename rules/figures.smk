# One figure, from the cubes that it shows.
rule figure:
    input:
        lambda wildcards: PLAN.shown(wildcards.figure),
    output:
        pdf=PLAN.path("pdf"),
        png=report(
            PLAN.path("png"),
            caption="../workflow/report/figure.rst",
            category="Figures",
            labels=PLAN.title,
        ),
    log:
        PLAN.beside("logs", "figure"),
    benchmark:
        PLAN.beside("benchmarks", "figure")
    priority: lambda wildcards: PLAN.cost.priority("figure", wildcards)
    conda:
        "../environment.yml"
    threads: 1
    resources:
        mem_mb=lambda wildcards, attempt: 1500 * attempt,
        runtime=30,
    params:
        note=lambda wildcards: PLAN.flags.note,
        caption=PLAN.caption,
        code=lambda wildcards: PLAN.code("figure", wildcards),
    shell:
        "python -m maestrata.steps.figure {wildcards.figure} --cubes {input} {params.note} "
        "--output {output.pdf} {output.png} --fingerprint {params.code} > {log} 2>&1"
