"""Arguments that several commands take."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from maestrata.config.load import Config

DEFAULT = "config/config.yaml"


def add_config(parser: argparse.ArgumentParser) -> None:
    """Declare the config files of a run, and values that win over them."""
    parser.add_argument(
        "config",
        nargs="*",
        default=[DEFAULT],
        help=f"config file; later ones change earlier ones (default: {DEFAULT})",
    )
    parser.add_argument(
        "--config",
        dest="overrides",
        nargs="+",
        default=[],
        metavar="KEY=VALUE",
        help="values that win over all files, as Snakemake's --config has them",
    )


def config_of(args: argparse.Namespace) -> Config:
    """Read the config that `add_config` declared."""
    from maestrata.config.load import load_config

    return load_config(*args.config, overrides=args.overrides)


def add_version_of_c(parser: argparse.ArgumentParser) -> None:
    """Declare which shared information c is asked for, under Theorem 1."""
    parser.add_argument("--reading", default="separator", choices=("separator", "invertible"))
    parser.add_argument(
        "--tie", default="highest", choices=("highest", "lowest"), help="of several smallest sets"
    )


def add_json(parser: argparse.ArgumentParser) -> None:
    """Declare the flag that asks for JSON."""
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
