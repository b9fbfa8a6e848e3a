"""Which machine a benchmark ran on, and what a command takes of it."""

from __future__ import annotations

import os
import platform
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any


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


def measured(command: Sequence[str], **where: Any) -> dict[str, float]:
    """Run a command, and tell its processor time in s and the peak memory of its largest process in MB.

    What it starts and waits for counts with it. One that fails ends the benchmark, with its last words.
    """
    with tempfile.TemporaryFile("w+") as output:
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT, **where
        )
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            output.seek(0)
            raise SystemExit(output.read()[-2000:])
    return {"seconds": used.ru_utime + used.ru_stime, "megabytes": used.ru_maxrss / 2**10}
