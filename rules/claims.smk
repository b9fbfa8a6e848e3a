# The verdict on each claim, from all the cubes that any of them needs.
rule claims:
    input:
        PLAN.evidence,
    output:
        cube=PLAN.path("verdicts"),
        table=PLAN.path("verdict_table"),
        page=report(
            PLAN.path("verdict_page"),
            caption="../workflow/report/verdicts.rst",
            category="Verdicts",
            labels={"figure": "Verdicts on the claims"},
        ),
    log:
        PLAN.beside("logs", "claims"),
    benchmark:
        PLAN.beside("benchmarks", "claims")
    priority: lambda wildcards: PLAN.cost.priority("claims", wildcards)
    conda:
        "../environment.yml"
    threads: 1
    resources:
        mem_mb=lambda wildcards, attempt: 1500 * attempt,
        runtime=30,
    params:
        claims=PLAN.flags.claims,
        note=lambda wildcards: PLAN.flags.note,
        code=lambda wildcards: PLAN.code("claims", wildcards),
    shell:
        "python -m maestrata.steps.claims {params.claims} --cubes {input} {params.note} "
        "--output {output.cube} --table {output.table} --page {output.page} "
        "--fingerprint {params.code} > {log} 2>&1"
