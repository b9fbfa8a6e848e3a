"""What the steps that score encoders share: the flags of the evaluation, and how scores are written.

Files are written without xarray: importing it takes as long as a fifth of a cell's probes.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Mapping

from maestrata.cubes.netcdf import write
from maestrata.errors import ProbeError
from maestrata.regression.scorebook import ScoreBook
from maestrata.regression.settings import Evaluation
from maestrata.representation.encode import BATCH
from maestrata.steps._flags import add_settings, read_settings


def add_evaluation(parser: argparse.ArgumentParser) -> None:
    """Add the flags of the config's section `evaluation`, and where and how images are encoded."""
    add_settings(parser, Evaluation)
    parser.add_argument("--encode-batch", type=int, default=BATCH, help="images encoded at a time")
    parser.add_argument("--device", default="auto", help="where images are encoded: cpu, cuda, or auto")


def evaluation_of(args: argparse.Namespace) -> Evaluation:
    """Return the settings that the flags of `add_evaluation` tell.

    Raises
    ------
    ProbeError
        If a probe does not exist, or a number is out of range.
    """
    for name, value in args.probe_settings.items():
        if not isinstance(value, Mapping):
            raise ProbeError(f"settings of probe {name!r}={value!r} must be a JSON object (--probe-settings)")
    return read_settings(args, Evaluation)


def write_scores(book: ScoreBook, path: str | os.PathLike[str], provenance: Mapping[str, str]) -> None:
    """Write a book of scores as a file of kind `scores`."""
    write(path, "scores", book.coords, book.arrays(), provenance=provenance)
