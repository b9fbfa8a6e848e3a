"""Compare what a run's files say made them with the code at hand: for when Snakemake's own memory is gone.

Every file that differs, is damaged or is missing is named. The finished cubes are then compared with
published ones: those of the default run unless others are named with --reference.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from maestrata.commands._arguments import add_config, config_of
from maestrata.commands.show import PUBLISHED

HELP = "name every result that other code made, and compare cubes with published ones"


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    add_config(parser)
    parser.add_argument("--reference", type=Path, default=PUBLISHED, help="folder of published cubes")


def run(args: argparse.Namespace) -> int:
    """Verify the run, and say what is wrong."""
    from maestrata.run.plan import Plan
    from maestrata.run.verify import tell

    return tell(Plan(config_of(args)), args.reference)
