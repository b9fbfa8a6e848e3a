"""Print a config as a sweep plan (JSON) for python -m maestrata.steps.sweep."""

from __future__ import annotations

import argparse
import json

HELP = "plan of a sweep, for a machine without the workflow engine"


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("config", nargs="+", help="config file; later ones change earlier ones")
    parser.add_argument(
        "--leave-out",
        action="store_true",
        help="leave out, not refuse, worlds that only the workflow trains: given images, training.samples",
    )


def run(args: argparse.Namespace) -> None:
    """Print the plan."""
    from maestrata.config.load import load_config
    from maestrata.run.sweep import sweep_plan

    print(json.dumps(sweep_plan(load_config(*args.config), args.leave_out), allow_nan=False))
