"""What steps ask of the machine: where models run, and that freed memory is kept."""

from __future__ import annotations

import ctypes

import torch

from maestrata.errors import MaestrataError

M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3  # glibc's malloc.h


def find_device(name: str) -> str:
    """Return the device that a flag names; ``auto`` is the GPU if there is one."""
    gpu = torch.cuda.is_available()
    if name == "auto":
        return "cuda" if gpu else "cpu"
    if name != "cpu" and not (gpu and name.split(":")[0] == "cuda"):
        raise MaestrataError(
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
