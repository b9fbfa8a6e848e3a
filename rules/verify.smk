# Names every file that other code made than that at hand, also where .snakemake is gone: `snakemake verify`.
rule verify:
    log:
        f"{PLAN.folder}/logs/verify.log",
    localrule: True
    conda:
        "../environment.yml"
    threads: 1
    resources:
        mem_mb=1000,
        runtime=60,
    params:
        configs=CONFIGS,
        given=["--config", *OVERRIDES] if OVERRIDES else [],
    shell:
        "python -m maestrata verify {params.configs:q} {params.given:q} 2>&1 | tee {log}"
