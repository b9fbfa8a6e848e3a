"""Files there, time and memory of the jobs done, and time left, for every rule of a run."""

from __future__ import annotations

import argparse
import json
import os
from dataclasses import asdict
from typing import Any

from maestrata.commands._arguments import add_config, add_json, config_of

HELP = "how far a run is, and the time left"


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    add_config(parser)
    parser.add_argument(
        "--cores",
        type=_count,
        default=os.cpu_count() or 1,
        help="jobs at a time (default: processors of this machine)",
    )
    add_json(parser)


def run(args: argparse.Namespace) -> None:
    """Print how far a run is, rule by rule, and the time left."""
    from maestrata.run.plan import Plan
    from maestrata.run.progress import duration, progress_of

    run = progress_of(Plan(config_of(args)), args.cores)
    if args.json:
        total = {"left_s": run.left_s, "guessed": list(run.guessed)}
        about: dict[str, Any] = {"run": run.run, "cores": run.cores} | total
        print(json.dumps(about | {"rules": [asdict(rule) for rule in run.rules]}, indent=2))
        return
    print(f"{'rule':<10}{'files':>13}{'jobs':>13}{'median time':>14}{'peak memory':>14}{'time left':>14}")
    for rule in run.rules:
        files, jobs = f"{rule.files}/{rule.files_wanted}", f"{rule.jobs}/{rule.jobs_wanted}"
        time = "-" if rule.median_s is None else duration(rule.median_s)
        peak = "-" if rule.peak_mb is None else f"{rule.peak_mb:.0f} MB"
        print(f"{rule.rule:<10}{files:>13}{jobs:>13}{time:>14}{peak:>14}{duration(rule.left_s):>14}")
    begun = "" if any(rule.median_s for rule in run.rules) else ", guessed from the config"
    print(f"\ntime left of run {run.run} with {run.cores} at a time: about {duration(run.left_s)}{begun}")
    if run.guessed and not begun:
        print(f"guessed from the config, as no job of them is done: {', '.join(run.guessed)}")


def _count(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} must be an integer of at least 1")
    return int(text)
