"""What the steps that score encoders share: the flags of the evaluation, and how scores are written.

Files are written without xarray: importing it takes as long as a fifth of a cell's probes.
"""

from __future__ import annotations

import argparse
import ctypes
import os
from collections.abc import Mapping

import torch

from maestrata.cubes.netcdf import write
from maestrata.errors import ProbeError
from maestrata.regression.scorebook import ScoreBook
from maestrata.regression.settings import Evaluation
from maestrata.representation.encode import BATCH
from maestrata.steps._flags import add_settings, read_settings

M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3  # glibc's malloc.h


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


def find_device(name: str) -> str:
    """Return the device that a flag names; ``auto`` is the GPU if there is one."""
    gpu = torch.cuda.is_available()
    if name == "auto":
        return "cuda" if gpu else "cpu"
    if name != "cpu" and not (gpu and name.split(":")[0] == "cuda"):
        raise ProbeError(
            f"device={name!r} must be cpu, cuda or auto, and a GPU must be there for cuda (--device)"
        )
    return name


def keep_freed_memory() -> bool:
    """Ask the C library to keep freed memory for the next array, instead of giving it back each time.

    Probes make and drop arrays of megabytes by the thousand, and glibc returns each to the kernel, which
    hands out zeroed pages anew: a sixth of a cell's time. The peak is the same. Returns False where there is
    no glibc.
    """
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (OSError, AttributeError):
        return False
    most = 2**31 - 1  # the parameters are C ints
    return bool(mallopt(M_MMAP_THRESHOLD, most) and mallopt(M_TRIM_THRESHOLD, most))


def write_scores(book: ScoreBook, path: str | os.PathLike[str], provenance: Mapping[str, str]) -> None:
    """Write a book of scores as a file of kind `scores`."""
    write(path, "scores", book.coords, book.arrays(), provenance=provenance)
