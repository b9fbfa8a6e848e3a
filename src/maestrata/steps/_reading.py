"""What the steps that read encoders share: how they are told to read, and how scores are written.

Files are written without xarray: importing it takes as long as a fifth of a cell's probes.
"""

from __future__ import annotations

import argparse
import ctypes
import os
from collections.abc import Mapping

import torch

from maestrata.cubes.netcdf import CubeFile
from maestrata.errors import ProbeError
from maestrata.regression.cell import Plan
from maestrata.regression.scorebook import ScoreBook
from maestrata.steps._run import settings

M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3  # glibc's malloc.h


def add_evaluation(parser: argparse.ArgumentParser) -> None:
    """Add the flags of the config's section `evaluation`, and where images are encoded."""
    default = Plan()
    parser.add_argument(
        "--probe-train", type=int, default=default.probe_train, help="images probes are fitted on"
    )
    parser.add_argument("--test", type=int, default=default.test, help="images probes are scored on")
    parser.add_argument("--probes", nargs="+", default=list(default.probes), help="names of probes")
    parser.add_argument(
        "--probe-settings", type=settings, default={}, help="probe -> settings, a JSON object"
    )
    parser.add_argument(
        "--poolings", nargs="+", default=list(default.poolings), help="poolings that are read"
    )
    parser.add_argument("--replicates", type=int, default=default.replicates, help="bootstrap replicates")
    parser.add_argument("--batch", type=int, default=default.batch, help="images encoded at a time")
    parser.add_argument(
        "--control-images",
        type=int,
        default=default.control_images,
        help="images that the autoencoder and the supervised control are trained on (0: left out)",
    )
    parser.add_argument("--device", default="auto", help="where images are encoded: cpu, cuda, or auto")


def evaluation_plan(args: argparse.Namespace) -> Plan:
    """Return the plan that the flags of `add_evaluation` tell.

    Raises
    ------
    ProbeError
        If a probe, one of its settings or the device does not exist, or a number is out of range.
    """
    for name, value in args.probe_settings.items():
        if not isinstance(value, Mapping):
            raise ProbeError(f"settings of probe {name!r}={value!r} must be a JSON object (--probe-settings)")
    plan = Plan(
        probe_train=args.probe_train,
        test=args.test,
        probes=tuple(args.probes),
        probe_settings=args.probe_settings,
        poolings=tuple(args.poolings),
        replicates=args.replicates,
        batch=args.batch,
        control_images=args.control_images,
        device=find_device(args.device),
    )
    plan.check()
    return plan


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
    data = book.arrays()
    with CubeFile(path, "scores", book.coords, book.sizes, data, {}, provenance) as file:
        for name, values in data.items():
            file.put(name, values)
