"""Make the report of a finished run, report.zip beside its results, and say where these are."""

from __future__ import annotations

import argparse

from maestrata.commands._arguments import DEFAULT

HELP = "make the report of a finished run, and say where its results are"


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("config", nargs="?", default=DEFAULT, help="config file of the run")
    parser.add_argument(
        "given",
        nargs=argparse.REMAINDER,
        metavar="-- ARGS",
        help="what else Snakemake was given, such as -- --config run=mine",
    )


def run(args: argparse.Namespace) -> int:
    """Make the report."""
    from maestrata.run.report import report

    return report(args.config, *args.given)
