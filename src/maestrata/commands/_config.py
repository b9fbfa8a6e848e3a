"""The argument of commands that are about a run."""

from __future__ import annotations

import argparse

DEFAULT = "config/config.yaml"


def add_config(parser: argparse.ArgumentParser) -> None:
    """Declare the config files of a run."""
    parser.add_argument(
        "config",
        nargs="*",
        default=[DEFAULT],
        help=f"config file; later ones change earlier ones (default: {DEFAULT})",
    )
