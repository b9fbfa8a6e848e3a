"""Which machine a benchmark ran on."""

from __future__ import annotations

import platform
from pathlib import Path


def processor() -> str:
    """Name of the processor, with its family and model: many clouds name its maker alone."""
    try:
        lines = Path("/proc/cpuinfo").read_text().split("\n\n")[0].splitlines()
    except OSError:
        return platform.processor()
    about = {key.strip(): value.strip() for key, _, value in (line.partition(":") for line in lines)}
    if "model name" not in about:
        return platform.processor()
    numbers = [f"{word} {about[key]}" for word, key in (("family", "cpu family"), ("model", "model"))]
    return f"{about['model name']} ({', '.join(numbers)})"
