"""Paste every block of a page, as a reader would: ``python scripts/paste.py docs/training.md``.

The blocks of a page are run from top to bottom in one copy of the checkout. The published cubes stand there
as ``results/default``, and a cube of another run as ``results/mine``. By the language of a block:

- ``sh`` is run by bash, ``console`` too, and what it prints is compared;
- ``python`` is run, all blocks of a page in one session;
- ``yaml`` is a whole config: it is read, and a run of it is planned;
- ``diff`` is applied to the file that it is marked with, before anything is run;
- ``json`` is parsed; ``text`` and ``bibtex`` are for reading.

A comment on the line above a block changes this:

- ``<!-- file: config/mine.yaml -->``: the block is written to that file first;
- ``<!-- planned -->``: it takes minutes, so Snakemake and make run it dry;
- ``<!-- not run: needs a cluster -->``: it needs what a test has not (`NEEDS` lists what that may be).
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
import traceback
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
NEEDS = ("a cluster", "a container", "a finished run", "a GPU", "a network", "conda", "files of yours")
NEEDS += ("hours", "root")
LANGUAGES = ("bibtex", "console", "diff", "json", "python", "sh", "text", "yaml")
MARKER = re.compile(r"<!-- (not run: needs (?P<needs>.+)|file: (?P<file>\S+)|(?P<planned>planned)) -->")
COPIED = ("Makefile", "Snakefile", "config", "environment.yml", "profiles", "rules", "src", "workflow")
LINKED = ("README.md", "benchmarks", "docs", "pyproject.toml", "reference", "scripts")


@dataclass(frozen=True)
class Block:
    """A block of a page.

    Attributes
    ----------
    page : str
        Relative to the checkout.
    line : int
        Of its fence, from 1.
    marker : str
        The comment above it; empty where there is none.
    """

    page: str
    line: int
    language: str
    marker: str
    text: str

    @property
    def where(self) -> str:
        """Page and line."""
        return f"{self.page}:{self.line}"

    def marked(self, name: str) -> str | None:
        """Return what the marker says of a name: `needs`, `file` or `planned`."""
        match = MARKER.fullmatch(self.marker)
        return match[name] if match else None

    @property
    def commands(self) -> Iterator[str]:
        """The commands of a block of sh or console, lines that go on joined, without comments."""
        text = self.text.replace("\\\n", " ")
        if self.language == "console":
            text = "\n".join(line[2:] for line in text.splitlines() if line.startswith("$ "))
        for line in text.splitlines():
            words = shlex.split(line, comments=True)
            if words:
                yield shlex.join(words)


def blocks(page: Path, root: Path = ROOT) -> list[Block]:
    """Return the fenced blocks of a page, in order."""
    lines = page.read_text(encoding="utf-8").splitlines()
    blocks, at = [], 0
    while at < len(lines):
        fence = re.fullmatch(r"( *)```(.*)", lines[at])
        if fence is None:
            at += 1
            continue
        end = next(i for i in range(at + 1, len(lines)) if lines[i].strip() == "```")
        text = "".join(f"{line.removeprefix(fence[1])}\n" for line in lines[at + 1 : end])
        above = lines[at - 1].strip() if at else ""
        marker = above if above.startswith("<!--") else ""
        blocks.append(Block(str(page.relative_to(root)), at + 1, fence[2].strip(), marker, text))
        at = end + 1
    return blocks


def copy(folder: Path, root: Path = ROOT) -> None:
    """Make a copy of the checkout for the blocks of a page, with results in their places."""
    folder.mkdir(parents=True)
    for name in COPIED:
        if (root / name).is_dir():
            shutil.copytree(root / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy2(root / name, folder / name)
    for name in LINKED:
        (folder / name).symlink_to(root / name)
    (folder / ".venv").symlink_to(sys.prefix)
    published, run = root / "reference" / "default", folder / "results" / "default"
    for cube in sorted(published.rglob("*.*")):
        place = run / ("verdicts" if cube.stem == "verdicts" else "cubes") / cube.relative_to(published)
        place.parent.mkdir(parents=True, exist_ok=True)
        place.symlink_to(cube)


def paste(page: Path, folder: Path, root: Path = ROOT) -> subprocess.CompletedProcess[str]:
    """Run the blocks of a page in a copy of the checkout, in a process of its own."""
    copy(folder)
    # a make that runs the tests has settings of its own
    env = {key: value for key, value in os.environ.items() if not key.startswith(("MAKE", "MFLAGS"))} | {
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "PYTHONPATH": str(folder / "src"),
        "PYTHONDONTWRITEBYTECODE": "1",
        "MPLBACKEND": "Agg",
        "OMP_NUM_THREADS": "1",
    }
    command = [sys.executable, __file__, "--here", str(root), str(page)]
    pipes: dict[str, Any] = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT}
    return subprocess.run(command, cwd=folder, env=env, text=True, **pipes)


def run(blocks: Iterable[Block]) -> None:
    """Run blocks in the working directory; the first that fails raises."""
    blocks = [block for block in blocks if block.marked("needs") is None]
    for block in blocks:
        with _named(block):
            if (file := block.marked("file")) and block.language == "diff":
                apply(block.text, Path(file))
            elif file:
                Path(file).parent.mkdir(parents=True, exist_ok=True)
                Path(file).write_text(block.text, encoding="utf-8")
    if any("results/mine" in block.text for block in blocks):
        _another_run()
    session: dict[str, Any] = {"__name__": "__main__"}
    for block in blocks:
        with _named(block):
            _run(block, session)


@contextlib.contextmanager
def _named(block: Block) -> Iterator[None]:
    try:
        yield
    except Exception as error:
        raise RuntimeError(f"{block.where}: {error or type(error).__name__}") from error


def _run(block: Block, session: dict[str, Any]) -> None:
    match block.language:
        case "python" if not block.marked("file"):
            exec(compile("\n" * block.line + block.text, block.page, "exec"), session)
        case "sh" if block.marked("planned"):
            for command in block.commands:
                _bash(dry(command))
        case "sh":
            _bash(block.text.replace("\\\n", " "))
        case "console":
            _console(block.text)
        case "yaml":
            file = block.marked("file") or f"config/line_{block.line}.yaml"
            Path(file).write_text(block.text, encoding="utf-8")
            _plan(file)
        case "json":
            json.loads(block.text)


def dry(command: str) -> str:
    """Return a command such that it plans and makes nothing.

    >>> dry("make reproduce CONFIG=config/mine.yaml")
    'make --old-file=install reproduce CONFIG=config/mine.yaml ARGS=--dry-run'
    """
    program, *given = shlex.split(command)
    if program == "snakemake":
        return shlex.join([program, "--dry-run", *given])
    if program == "make" and given[0] == "reproduce":  # what it installs is there
        return shlex.join([program, "--old-file=install", *given, "ARGS=--dry-run"])
    if program == "make":
        return shlex.join([program, "--dry-run", *given])
    raise ValueError(f"{command!r} cannot be planned: only make and snakemake can")


def apply(diff: str, path: Path) -> None:
    """Apply a block of ``-`` and ``+`` lines to the one place of a file that it describes."""
    lines = [(line[:1], line[1:] + "\n") for line in diff.splitlines()]
    old = "".join(line for sign, line in lines if sign != "+")
    new = "".join(line for sign, line in lines if sign != "-")
    text = path.read_text(encoding="utf-8")
    if text.count(old) != 1:
        raise ValueError(f"{path} does not hold once:\n{old}")
    path.write_text(text.replace(old, new), encoding="utf-8")


def _bash(text: str) -> str:
    done = subprocess.run(["bash", "-euo", "pipefail", "-c", text], stdout=subprocess.PIPE, text=True)
    if done.returncode:
        raise RuntimeError(f"exit status {done.returncode}\n{text}\n{done.stdout}")
    return done.stdout


def _console(text: str) -> None:
    """Run the lines that begin with ``$`` and compare what they print with what follows each."""
    for part in re.split(r"^\$ ", text, flags=re.MULTILINE)[1:]:
        command, _, expected = part.partition("\n")
        done = subprocess.run(
            ["bash", "-c", command], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )
        if done.stdout.rstrip() != expected.rstrip():
            raise RuntimeError(f"{command}\nprints\n{done.stdout}\nand not\n{expected}")


def _plan(path: str) -> None:
    from maestrata.config.load import load_config
    from maestrata.run.plan import Plan

    Plan(load_config(path)).expected()


def _another_run() -> None:
    """Write a cube of another run: a world of the published one, under another seed."""
    from maestrata.cubes.io import open_cube, write_cube

    cube = open_cube("results/default/cubes/training.nc").isel(world=[0], world_seed=[0], mask_ratio=[0])
    Path("results/mine/cubes").mkdir(parents=True)
    write_cube(cube.assign_coords(world_seed=[1_000]), "results/mine/cubes/training.nc")


def main(argv: list[str] | None = None) -> int:
    """Run pages; return 1 if a block fails."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("pages", nargs="+", type=Path)
    parser.add_argument("--here", type=Path, help=argparse.SUPPRESS)  # in a copy; the checkout of the pages
    args = parser.parse_args(argv)
    if args.here:
        try:
            for page in args.pages:
                run(blocks(page, args.here))
        except RuntimeError as error:
            traceback.print_exception(error.__cause__)
            print(error)
            return 1
        return 0
    for page in args.pages:
        with tempfile.TemporaryDirectory() as folder:
            done = paste(page.resolve(), Path(folder, "maestrata"))
        if done.returncode:
            print(done.stdout)
            return 1
        print(f"{page}: every block runs")
    return 0


if __name__ == "__main__":
    sys.exit(main())
