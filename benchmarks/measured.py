"""What a command takes of the machine."""

from __future__ import annotations

import os
import subprocess
import tempfile
from collections.abc import Sequence
from typing import Any


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
