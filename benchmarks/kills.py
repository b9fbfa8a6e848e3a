"""Kill a run at random moments, fifty times, and compare it with one that was left alone.

    nice -n 5 python benchmarks/kills.py --folder /tmp/kills [--kills 50] [--cores 2]

First benchmarks/kills.yaml is run undisturbed. Then it is started in another folder with the documented
command, and at a random moment SIGKILL goes to Snakemake alone (its jobs go on without it), to one job, or to
all of them at once. A lock that stays is removed with ``snakemake --unlock``, as Snakemake's message says,
and the command is given again. After the last kill the run goes on to its end. All NetCDF files, weights and
figures of the two must be equal byte for byte. Where a run is finished before the last kill, on a quick
machine, it is compared, its results are removed, and the next is begun.

Moments and victims are drawn from a named stream, but what is running at a moment depends on the machine.
"""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import itertools
import json
import os
import shutil
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import psutil

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "src"))

from maestrata.random import stream  # noqa: E402 -- of this checkout, whatever else is installed

PARTS = ("Snakefile", "environment.yml", "rules", "workflow", "profiles", "config", "src", "benchmarks")
CONFIG = "benchmarks/kills.yaml"
RESULTS = Path(__file__).parent / "results"
VICTIMS = ("snakemake", "job", "all")
FINISHED = (".nc", ".safetensors", ".pdf", ".png")
_POLL = 0.05  # seconds


@dataclass(frozen=True)
class Kill:
    """One kill: of what, when, and what it left.

    Attributes
    ----------
    victim : one of `VICTIMS`.
    seconds : from the start of the command to the kill.
    killed : the processes: ``snakemake``, or a job as its rule and cell.
    orphans : jobs that went on without Snakemake.
    locked : whether a lock stayed, and was removed with ``--unlock``.
    """

    victim: str
    seconds: float
    killed: tuple[str, ...]
    orphans: tuple[str, ...]
    locked: bool


class Run:
    """A run in a folder of its own that can be killed.

    Parameters
    ----------
    folder : Path
        A checkout.
    arguments : sequence of str
        Of the documented command, ``snakemake ARGUMENTS``.
    seconds : float
        Between two checkpoints of a training: small, so that a killed one has something to go on from.
    """

    def __init__(self, folder: Path, arguments: Sequence[str], seconds: float = 0.5) -> None:
        self.folder = folder.resolve()
        self.arguments = arguments
        self.log = self.folder / "kills.log"
        self.starts = 0
        self.ended_by_itself: list[str] = []
        env = {k: v for k, v in os.environ.items() if k not in ("PYTHONPATH", "OMP_NUM_THREADS")}
        self._env = env | {"MAESTRATA_CHECKPOINT_SECONDS": str(seconds)}

    def start(self, *arguments: str) -> psutil.Popen:
        """Start Snakemake, with the arguments of the run unless others are given."""
        self.starts += 1
        with self.log.open("ab") as log:
            return psutil.Popen(
                [sys.executable, "-m", "snakemake", *(arguments or self.arguments)],
                cwd=self.folder,
                env=self._env,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
            )

    def jobs(self) -> Iterator[psutil.Process]:
        """Steps that run in the folder, those whose Snakemake is gone included."""
        for process in psutil.process_iter():
            try:
                command = process.cmdline()
                if _step(command) and Path(process.cwd()) == self.folder:
                    yield process
            except psutil.Error:  # it ended meanwhile, or is none of ours
                continue

    def own_jobs(self, snakemake: psutil.Popen) -> list[psutil.Process]:
        """Steps that this Snakemake runs: not those that an earlier one left behind."""
        with contextlib.suppress(psutil.Error):
            own = {process.pid for process in snakemake.children(recursive=True)}
            return [process for process in self.jobs() if process.pid in own]
        return []

    def kill(self, victim: str, after: float, pick: np.random.Generator) -> Kill | None:
        """Start the run and kill a victim after `after` seconds; None if it ended by itself before."""
        started = time.monotonic()
        snakemake = self.start()
        own: list[psutil.Process] = []
        while time.monotonic() - started < after or (victim == "job" and not own):
            if snakemake.poll() is not None:
                return self._ended(snakemake.returncode)
            time.sleep(_POLL)
            if victim == "job" and time.monotonic() - started >= after:
                own = self.own_jobs(snakemake)
        jobs = list(self.jobs())
        targets = [snakemake, *jobs] if victim == "all" else [snakemake]
        if victim == "job":
            targets = [own[int(pick.integers(len(own)))]]
        names = {process.pid: _name(process) for process in [snakemake, *jobs, *own]}
        seconds = time.monotonic() - started
        for process in targets:
            _kill(process)
        snakemake.wait()  # one whose job was killed ends by itself, with an error, when its other jobs have
        orphans = tuple(names.get(p.pid) or _name(p) for p in self.jobs() if p not in targets)
        return Kill(
            victim,
            round(seconds, 2),
            tuple(names[p.pid] for p in targets),
            orphans if victim == "snakemake" else (),
            self.unlock(),
        )

    def _ended(self, status: int) -> None:
        """Note why a run ended before it was killed: it is finished, or an orphan was in its way."""
        if status:
            said = self.log.read_text(errors="replace").splitlines()
            self.ended_by_itself.append(next((s for s in reversed(said) if "error: " in s), said[-1]))
            self.unlock()

    def unlock(self) -> bool:
        """Remove a lock that a kill left, as Snakemake says; tell whether there was one."""
        locks = self.folder / ".snakemake" / "locks"
        if not list(locks.glob("*")):
            return False
        if self.start("--unlock").wait() != 0 or list(locks.glob("*")):
            raise SystemExit(f"snakemake --unlock did not remove the lock ({self.log})")
        return True

    def disturb(self, kills: int, longest: float, random: np.random.Generator) -> Iterator[Kill]:
        """Kill the run at `kills` moments, each up to `longest` seconds after the command was given.

        Fewer where the run is finished before.
        """
        done = 0
        while done < kills:
            victim, after = VICTIMS[int(random.integers(3))], float(random.uniform(0, longest))
            killed = self.kill(victim, after, random)
            if killed:
                done += 1
                yield killed
            elif self.finished():
                return

    def finished(self) -> bool:
        """Whether the documented command has nothing left to do."""
        return self.start("--dry-run", *self.arguments).wait() == 0 and (
            "Nothing to be done" in self.log.read_text(errors="replace")[-2000:]
        )

    def finish(self, attempts: int = 3) -> int:
        """Run to the end; return how often the command had to be given (an orphan can be in the way)."""
        for attempt in range(1, attempts + 1):
            if self.start().wait() == 0:
                psutil.wait_procs(list(self.jobs()))  # orphans still write what is there already
                return attempt
            self.unlock()
        raise SystemExit(f"the run did not end in {attempts} attempts: {self.log}")

    def files(self) -> tuple[dict[str, str], list[str]]:
        """Return the digest of every finished file of the run, and what killed jobs left beside them."""
        results = self.folder / "results"
        files = sorted(p for p in results.rglob("*") if p.is_file())
        names = {p: str(p.relative_to(results)) for p in files}
        left = [names[p] for p in files if p.name.startswith(".") or p.suffix == ".bin"]
        return {
            names[p]: hashlib.sha256(p.read_bytes()).hexdigest()
            for p in files
            if p.suffix in FINISHED and names[p] not in left
        }, left


def _step(command: Sequence[str]) -> str | None:
    """Name of the step that a command line runs."""
    if len(command) > 2 and command[1] == "-m" and command[2].startswith("maestrata.steps."):
        return command[2].rpartition(".")[2]
    return None


def _name(process: psutil.Process) -> str:
    """Name a process as its rule and cell."""
    try:
        command = process.cmdline()
    except psutil.Error:
        return "a job that was ending"
    step = _step(command)
    if step is None:
        return "snakemake"
    flags = dict(itertools.pairwise(command))
    values = (flags.get(f"--{name}") for name in ("world", "world-seed", "patch", "visible", "seed", "kind"))
    prefixes = ("", "w", "p", "v", "s", "")
    return " ".join([step, *(p + v for p, v in zip(prefixes, values, strict=True) if v)])


def _kill(process: psutil.Process) -> None:
    with contextlib.suppress(psutil.NoSuchProcess):
        process.kill()


def checkout(folder: Path) -> Path:
    """Copy what a run needs."""
    folder.mkdir(parents=True)
    for part in PARTS:
        if (ROOT / part).is_dir():
            shutil.copytree(
                ROOT / part, folder / part, ignore=shutil.ignore_patterns("__pycache__", "results")
            )
        else:
            shutil.copy2(ROOT / part, folder / part)
    return folder


def table(kills: Sequence[Kill], runs: Sequence[Mapping[str, Any]], about: Mapping[str, object]) -> str:
    """Write the kills as markdown."""
    victims = Counter(kill.victim for kill in kills)
    rules = Counter(name.split()[0] for kill in kills for name in kill.killed if name != "snakemake")
    orphans = sum(len(kill.orphans) for kill in kills)
    lines = [
        "# A run killed at random moments",
        "",
        "    nice -n 5 python benchmarks/kills.py --folder /tmp/kills",
        "",
        f"{len(kills)} kills with SIGKILL (to {', '.join(f'{v}: {n}' for v, n in sorted(victims.items()))}), "
        f"{sum(k.locked for k in kills)} stale locks removed with `snakemake --unlock`, {orphans} times a "
        "job went on without its Snakemake. Jobs killed: "
        + (", ".join(f"{rule} {n}" for rule, n in sorted(rules.items())) or "none")
        + ".",
        "",
        *(f"- {key}: {value}" for key, value in about.items()),
        "",
        "Finished runs, compared with one that was never disturbed (NetCDF files, weights, figures):",
        "",
        "| run | kills | files | different, missing or too many | temporary files left by killed jobs |",
        "|---|---|---|---|---|",
    ]
    for number, run in enumerate(runs, 1):
        different = ", ".join(run["different"]) or "none"
        left = run["temporary files left"]
        lines.append(f"| {number} | {run['kills']} | {run['files']} | {different} | {left} |")
    lines += [
        "",
        "| # | SIGKILL to | after | jobs killed | jobs that went on without Snakemake | lock stayed |",
        "|---|---|---|---|---|---|",
    ]
    for number, k in enumerate(kills, 1):
        killed = ", ".join(name for name in k.killed if name != "snakemake") or "none"
        lines.append(
            f"| {number} | {k.victim} | {k.seconds:.1f} s | {killed} | {', '.join(k.orphans) or 'none'} "
            f"| {'yes' if k.locked else 'no'} |"
        )
    return "\n".join(lines) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--folder", type=Path, required=True, help="where both runs are made; must not exist")
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--minutes", type=float, default=float("inf"), help="no kill after these")
    parser.add_argument("--longest", type=float, default=12.0, help="seconds from a start to a kill, at most")
    parser.add_argument("--cores", type=int, default=2)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, default=RESULTS, help="folder of kills.md and kills.json")
    args = parser.parse_args()

    end = time.monotonic() + 60 * args.minutes
    arguments = ("--cores", str(args.cores), "--configfile", CONFIG)
    undisturbed = Run(checkout(args.folder / "undisturbed"), arguments)
    undisturbed.finish(attempts=1)
    expected, _ = undisturbed.files()
    print(f"undisturbed: {len(expected)} files", flush=True)

    # the stream that orders things at random; nothing else in this process draws from it
    random = stream(args.seed, "shuffle")
    run = Run(checkout(args.folder / "disturbed"), arguments)
    kills: list[Kill] = []
    runs: list[dict[str, object]] = []
    while not runs or (len(kills) < args.kills and time.monotonic() < end):
        before = len(kills)
        for kill in run.disturb(args.kills - before, args.longest, random):
            kills.append(kill)
            print(len(kills), kill, flush=True)
            if time.monotonic() > end:
                break
        given = run.finish()
        found, left = run.files()
        different = sorted(
            path for path in found.keys() | expected.keys() if found.get(path) != expected.get(path)
        )
        runs.append(
            {
                "kills": len(kills) - before,
                "files": len(found),
                "different": different,
                "temporary files left": len(left),
                "commands after the last kill": given,
            }
        )
        print(runs[-1], flush=True)
        for name in ("results", ".snakemake"):
            shutil.rmtree(run.folder / name)
    about = {
        "commands given in all, `--unlock` and dry runs included": run.starts,
        "runs that ended with an error that was no kill": (
            f"{len(run.ended_by_itself)} {run.ended_by_itself or ''}".strip()
        ),
    }
    args.out.mkdir(parents=True, exist_ok=True)
    (args.out / "kills.md").write_text(table(kills, runs, about))
    content = {"about": about, "runs": runs, "kills": [asdict(kill) for kill in kills]}
    (args.out / "kills.json").write_text(json.dumps(content, indent=1) + "\n")
    sys.exit(1 if any(one["different"] for one in runs) else 0)


if __name__ == "__main__":
    main()
