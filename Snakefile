"""The whole path: worlds, theory, limits, training, regression, cubes, figures. See docs/workflow.md."""

import gc
import os
import sys
from pathlib import Path

from snakemake.utils import min_version

min_version("9.27")

# The code beside this file is what runs, whatever else is installed.
ROOT = Path(workflow.basedir)
sys.path.insert(0, str(ROOT / "src"))

from maestrata.config.load import load_config
from maestrata.errors import MaestrataError
from maestrata.run.plan import Plan
from maestrata.run.start import (
    check_folder,
    check_inputs,
    check_place,
    inputs_there,
    job_environment,
    remember_signatures,
    split_partial,
    stop_timers,
)
from maestrata.run.terminal import one_line_a_job
from maestrata.text import in_rst

# Planning makes millions of objects that all live to its end: looking among them for what could be freed is an
# eighth of the time.
gc.disable()
remember_signatures()

try:
    os.environ.update(job_environment(ROOT))
except MaestrataError as error:
    sys.exit(f"error: {error}")
# Commands keep the terminal as file 3: a step says there why it failed where its log cannot be written.
shell.prefix("set -euo pipefail; exec 3>&2; export MAESTRATA_TERMINAL=3; ")
CONFIGS = workflow.overwrite_configfiles or [ROOT / "config" / "config.yaml"]
try:
    # as they were typed: Snakemake would read 2024_05 as a number, and `false` as text
    # `--config partial=true`: cubes and figures of what there is; nothing else is made
    OVERRIDES, PARTIAL = split_partial(workflow.config_settings.config_args or [])
    PLAN = Plan(load_config(*CONFIGS, overrides=OVERRIDES), partial=PARTIAL)
    check_place(PLAN.folder)
except MaestrataError as error:
    sys.exit(f"error: {error}")

# for the captions of the report, which are reStructuredText
config.update(run=PLAN.config.run, note=in_rst(PLAN.config.note))


report: "workflow/report/workflow.rst"


wildcard_constraints:
    **PLAN.constraints,


onstart:
    gc.freeze()
    gc.enable()
    # not before: a dry run may look at results that nobody can write
    try:
        check_folder(PLAN.folder)
        check_inputs(inputs_there(workflow.dag))
    except MaestrataError as error:
        sys.exit(f"error: {error}")
    one_line_a_job(PLAN, workflow.dag)


onsuccess:
    stop_timers()


onerror:
    stop_timers()


rule all:
    default_target: True
    input:
        # every file, not the last ones alone: one that was deleted is made again
        PLAN.everything,


if not PARTIAL:

    include: "rules/worlds.smk"
    include: "rules/theory.smk"
    include: "rules/limits.smk"
    include: "rules/pretrain.smk"
    include: "rules/regress.smk"
    include: "rules/experiments.smk"


include: "rules/cubes.smk"
include: "rules/claims.smk"
include: "rules/figures.smk"
include: "rules/explorer.smk"
include: "rules/verify.smk"
