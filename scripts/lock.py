"""Write requirements.lock and requirements-dev.lock from pyproject.toml (``make lock``).

Runs in the development environment (it needs pip-tools). The locks hold versions and nothing else: no index,
no folder, no local build, so that they install wherever a package index or a folder of wheels is configured.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent

# One exact torch, that of the reference runs. A range would resolve to whatever CUDA build is newest.
TORCH = "2.13.0"

# What only some builds of torch need (the CUDA runtime of one build, say) follows from the build that is
# installed, so it is left to pip: a lock that names it would put gigabytes on machines without a GPU.
OF_ONE_BUILD = re.compile(r"(nvidia|cuda|triton|pytorch-triton)\b")


def clean(text: str) -> str:
    r"""Take local builds (``+cpu``), the needs of one torch build and our own file names out of a lock.

    >>> print(clean("torch==2.13.0+cpu\nnvidia-nccl-cu13==2.28  # via torch\nnumpy==2.4.6"))
    torch==2.13.0
    numpy==2.4.6
    """
    lines = []
    for line in text.partition("\n# The following packages are considered to be unsafe")[0].splitlines():
        if not OF_ONE_BUILD.match(line):
            line = re.sub(r"^([\w.-]+==[^\s+]+)\+\S+", r"\1", line)
            line = re.sub(r"-c \S+\.txt(, )?|, -c \S+\.txt", "", line)
            lines.append(line.replace("-r requirements.in", "maestrata"))
    return "\n".join(lines).rstrip()


def compile_lock(target: Path, requirements: list[str], constraints: list[str], upgrade: bool) -> None:
    """Pin `requirements` and all that they need in `target`, keeping the versions that stand there."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "requirements.in").write_text("\n".join(requirements) + "\n")
        Path(folder, "constraints.txt").write_text("\n".join(constraints) + "\n")
        if target.exists():
            shutil.copy(target, Path(folder, target.name))
        subprocess.run(
            [
                *(sys.executable, "-m", "piptools", "compile", "requirements.in", "--quiet"),
                *("--output-file", target.name, "--constraint", "constraints.txt"),
                *("--strip-extras", "--annotation-style", "line", "--resolver", "backtracking"),
                *("--no-emit-index-url", "--no-emit-find-links", "--no-emit-trusted-host"),
                "--no-emit-options",
                # setuptools is a need of torch and is locked like any other; pip is the environment's own
                *("--unsafe-package", "pip", "--unsafe-package", "distribute"),
                *(["--upgrade"] if upgrade else []),
            ],
            cwd=folder,
            env=os.environ | {"CUSTOM_COMPILE_COMMAND": "make lock"},
            check=True,
        )
        text = Path(folder, target.name).read_text()
    target.write_text(clean(text) + "\n")


def main(argv: list[str] | None = None) -> int:
    """Compile both locks; the development lock holds every line of the other one."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--upgrade", action="store_true", help="take the newest versions that are allowed")
    upgrade = parser.parse_args(argv).upgrade
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    runtime = project["project"]["dependencies"] + project["build-system"]["requires"]
    lock = ROOT / "requirements.lock"
    compile_lock(lock, runtime, [f"torch=={TORCH}"], upgrade)
    pins = [line.partition(" ")[0] for line in lock.read_text().splitlines() if re.match(r"\w", line)]
    development = runtime + project["project"]["optional-dependencies"]["dev"]
    compile_lock(ROOT / "requirements-dev.lock", development, pins, upgrade)
    return 0


if __name__ == "__main__":
    sys.exit(main())
