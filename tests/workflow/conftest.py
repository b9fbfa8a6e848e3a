"""Real runs of the workflow, in checkouts of their own: what a test edits is never this checkout."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterable
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PARTS = ("Snakefile", "environment.yml", "rules", "workflow", "profiles", "config", "src")
SMOKE = ("--configfile", "config/smoke.yaml")


class Checkout:
    """A copy of what a run needs, with whatever has been run in it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @classmethod
    def make(cls, folder: Path) -> Checkout:
        folder.mkdir(parents=True)
        for part in PARTS:
            if (ROOT / part).is_dir():
                shutil.copytree(ROOT / part, folder / part, ignore=shutil.ignore_patterns("__pycache__"))
            else:
                shutil.copy2(ROOT / part, folder / part)
        return cls(folder)

    def copy(self, folder: Path) -> Checkout:
        """Copy all of it, results, Snakemake's memory and file times included."""
        shutil.copytree(self.folder, folder, ignore=shutil.ignore_patterns("__pycache__"))
        return Checkout(folder)

    def move(self, folder: Path) -> Checkout:
        """Move all of it."""
        return Checkout(self.folder.rename(folder))

    def snakemake(self, *args: str, config: Iterable[str] = SMOKE) -> subprocess.CompletedProcess[str]:
        """Run Snakemake; standard error, to which it writes, is in `stdout`."""
        # no PYTHONPATH: a user has none, and the Snakefile must find the code beside it
        env = {k: v for k, v in os.environ.items() if k not in ("PYTHONPATH", "OMP_NUM_THREADS")}
        command = [sys.executable, "-m", "snakemake", *args, *config]
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT}
        # the limit is a guard against hanging: a smoke run takes about a minute
        return subprocess.run(command, cwd=self.folder, env=env, text=True, timeout=800, **pipes)

    def run(self, *args: str, config: Iterable[str] = SMOKE) -> str:
        """Run Snakemake, which must succeed; return what it said."""
        done = self.snakemake(*args, config=config)
        assert done.returncode == 0, done.stdout
        return done.stdout

    def planned(self, *args: str, config: Iterable[str] = SMOKE) -> set[str]:
        """Return the jobs that a dry run plans, as ``rule`` or ``rule name=value, ...``; without `all`."""
        said = self.run("--dry-run", *args, config=config)
        jobs = set()
        for part in re.split(r"^(?:local)?rule ", said, flags=re.MULTILINE)[1:]:
            rule = part.partition(":")[0]
            wildcards = re.search(r"^    wildcards: (.+)$", part, re.MULTILINE)
            jobs.add(f"{rule} {wildcards[1]}" if wildcards else rule)
        return jobs - {"all"}

    def edit(self, path: str, change: Callable[[str], str]) -> None:
        """Edit a file, which must change."""
        file = self.folder / path
        old = file.read_text()
        new = change(old)
        assert new != old, f"{path} was not changed"
        file.write_text(new)

    def add_code(self, module: str) -> None:
        """Change what a module of maestrata does, if only a little."""
        self.edit(f"src/maestrata/{module}.py", lambda text: f"{text}\nADDED_BY_A_TEST = 1\n")

    def results(self, *endings: str) -> dict[str, bytes]:
        """Read the files of all runs with one of the endings."""
        folder = self.folder / "results"
        files = (p for p in folder.rglob("*") if p.suffix in endings)
        return {str(p.relative_to(folder)): p.read_bytes() for p in sorted(files)}


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Checkout:
    """A finished smoke run, two jobs at a time; not to be changed."""
    checkout = Checkout.make(tmp_path_factory.mktemp("finished") / "maestrata")
    (checkout.folder / "run.log").write_text(checkout.run("--cores", "2"))
    return checkout


@pytest.fixture
def checkout(finished: Checkout, tmp_path: Path) -> Checkout:
    """A copy of the finished run, to be changed."""
    return finished.copy(tmp_path / "copy")


@pytest.fixture(scope="session")
def pristine(tmp_path_factory: pytest.TempPathFactory) -> Checkout:
    """A checkout in which nothing is ever run."""
    return Checkout.make(tmp_path_factory.mktemp("pristine") / "maestrata")


@pytest.fixture
def fresh(tmp_path: Path) -> Checkout:
    """A checkout in which nothing has been run."""
    return Checkout.make(tmp_path / "fresh")
