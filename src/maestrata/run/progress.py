"""How far a run is: files there, time and memory of the finished jobs, and time left for the others.

Nothing but the run's folder is read: its files, and the benchmark that Snakemake writes of every job.
Files count as they are, whatever code made them (see `maestrata.run.verify`).
"""

from __future__ import annotations

import csv
import math
import re
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from types import SimpleNamespace

from maestrata.run.layout import FILES
from maestrata.run.plan import Plan

_NUMBER = re.compile(r"\d+(\.\d+)?(e[-+]?\d+)?")


@dataclass(frozen=True)
class RuleProgress:
    """How far one rule is.

    Attributes
    ----------
    files, files_wanted, jobs, jobs_wanted : int
        Files that are there, and all that the run makes; jobs whose files are all there, and all jobs.
    median_s, peak_mb : float or None
        Of the finished jobs: median time in s, largest resident memory in MB (2^20 bytes). None: not known.
    left_s : float or None
        Time in s until the other jobs are done; None where no finished job tells how long they take.
    """

    rule: str
    files: int
    files_wanted: int
    jobs: int
    jobs_wanted: int
    median_s: float | None
    peak_mb: float | None
    left_s: float | None


@dataclass(frozen=True)
class Progress:
    """How far a run is: `rules` in the order of the stages, with `cores` jobs at a time."""

    run: str
    cores: int
    rules: tuple[RuleProgress, ...]

    @property
    def unknown(self) -> tuple[str, ...]:
        """The rules that have jobs to do and no finished one: with any, `left_s` is a lower bound."""
        return tuple(rule.rule for rule in self.rules if rule.left_s is None)

    @property
    def left_s(self) -> float:
        """Time in s until the run is done, the rules in `unknown` left out."""
        return sum(rule.left_s or 0.0 for rule in self.rules)


def progress_of(plan: Plan, cores: int) -> Progress:
    r"""Return how far a run is.

    Parameters
    ----------
    plan : Plan
        Its paths are taken from the working directory; without its folder the run has not begun.
    cores : int
        Jobs at a time, at least 1.

    Returns
    -------
    Progress

    Notes
    -----
    The time left of a rule is :math:`\sum_j t_j / \text{cores}` over its jobs that are not done; one that
    is running counts whole. Of `pretrain`, :math:`t_j` is the images of the training times the median time
    per image over the finished cells of the same world, patch and visible count; where there is none, of the
    same world; else of all. Of other rules it is the median time of the finished jobs.
    """
    rules = dict.fromkeys(rule for name, (_, rule) in FILES.items() if plan.places(name))
    return Progress(plan.config.run, cores, tuple(_rule(plan, rule, cores) for rule in rules))


def _rule(plan: Plan, rule: str, cores: int) -> RuleProgress:
    names = [name for name, (_, made_by) in FILES.items() if made_by == rule]
    places = plan.places(names[0])
    files, seconds, memory, waiting = 0, [], [], []
    paces: dict[tuple[str, ...], list[float]] = defaultdict(list)  # kin -> s per unit of work
    for place in places:
        there = sum(Path(plan.path(name).format(**place)).is_file() for name in names)
        files += there
        if there < len(names):
            waiting.append(place)
            continue
        took, peak = read_benchmark(Path(plan.beside("benchmarks", rule).format(**place)))
        memory += [peak] if peak is not None else []
        if took is not None:
            seconds.append(took)
            for kin in _kin(rule, place):
                paces[kin].append(took / _work(plan, rule, place))
    typical = {kin: median(seen) for kin, seen in paces.items()}
    left = None
    if typical or not waiting:
        pace = [next(typical[kin] for kin in _kin(rule, place) if kin in typical) for place in waiting]
        left = math.fsum(_work(plan, rule, p) * s for p, s in zip(waiting, pace, strict=True)) / cores
    return RuleProgress(
        rule=rule,
        files=files,
        files_wanted=len(places) * len(names),
        jobs=len(places) - len(waiting),
        jobs_wanted=len(places),
        median_s=median(seconds) if seconds else None,
        peak_mb=max(memory, default=None),
        left_s=left,
    )


def _work(plan: Plan, rule: str, place: dict[str, str]) -> int:
    """Return what the time of a job is in proportion to: of a training its images, else the job itself."""
    return plan.cell(SimpleNamespace(**place)).training.images if rule == "pretrain" else 1


def _kin(rule: str, place: dict[str, str]) -> list[tuple[str, ...]]:
    """Name the groups of jobs that a job may be like, the nearest first; the last holds all of the rule."""
    if rule != "pretrain":
        return [()]
    return [(place["world"], place["patch"], place["visible"]), (place["world"],), ()]


def read_benchmark(path: Path) -> tuple[float | None, float | None]:
    """Read a job's time (s) and largest resident memory (MB) from Snakemake's benchmark of it.

    Each is None where there is no file or no number: Snakemake writes ``NA`` for a job that ended at once.
    """
    try:
        rows = list(csv.DictReader(path.read_text(encoding="utf-8").splitlines(), delimiter="\t"))
    except (OSError, UnicodeDecodeError, csv.Error):
        return None, None
    columns = ([row.get(name) or "" for row in rows] for name in ("s", "max_rss"))
    seconds, memory = ([float(text) for text in column if _NUMBER.fullmatch(text)] for column in columns)
    return (median(seconds) if seconds else None), max(memory, default=None)
