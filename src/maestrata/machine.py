"""Which kind of machine this is: equal input gives equal bits on one kind alone."""

from __future__ import annotations

import os
import platform
from pathlib import Path


def processor(told: str | os.PathLike[str] = "/proc/cpuinfo") -> str:
    """Return the processor's name, with its family and model: many clouds name its maker alone.

    Parameters
    ----------
    told : path-like
        Where Linux tells of its processors; on another system the name is what Python knows of it.
    """
    try:
        lines = Path(told).read_text().split("\n\n")[0].splitlines()
    except OSError:
        return platform.processor()
    about = {key.strip(): value.strip() for key, _, value in (line.partition(":") for line in lines)}
    if not {"model name", "cpu family", "model"} <= about.keys():
        return platform.processor()
    return f"{about['model name']} (family {about['cpu family']}, model {about['model']})"
