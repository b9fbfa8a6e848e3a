"""How far a run is: files there, time and memory of the finished jobs, and time left for the others.

Nothing but the run's folder is read: its files, and the benchmark that Snakemake writes of every job.
Files count as they are, whatever code made them (see `maestrata.run.verify`).
"""

from __future__ import annotations

import csv
import re
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from types import SimpleNamespace
from typing import Any

from maestrata.run.layout import FILES
from maestrata.run.plan import Plan

_NUMBER = re.compile(r"\d+(\.\d+)?(e[-+]?\d+)?")
_RULES = {rule for _, rule in FILES.values()}

Kin = tuple[str, ...]
"""What jobs of one sort have in common: their rule, and some of their wildcards."""


@dataclass(frozen=True)
class RuleProgress:
    """How far one rule is.

    Attributes
    ----------
    files, files_wanted, jobs, jobs_wanted : int
        Files that are there, and all that the run makes; jobs whose files are all there, and all jobs.
    median_s, peak_mb : float or None
        Of the finished jobs: median time in s, largest resident memory in MB (2^20 bytes). None: not known.
    left_s : float
        Time in s until the other jobs are done.
    """

    rule: str
    files: int
    files_wanted: int
    jobs: int
    jobs_wanted: int
    median_s: float | None
    peak_mb: float | None
    left_s: float


@dataclass(frozen=True)
class RunState:
    """How far a run is: `rules` in the order of the stages, with `cores` jobs at a time.

    Attributes
    ----------
    longest_s : float
        Time in s of the longest job that is not done: the run takes no less.
    """

    run: str
    cores: int
    rules: tuple[RuleProgress, ...]
    longest_s: float

    @property
    def guessed(self) -> tuple[str, ...]:
        """The rules that have jobs to do and no finished one: their time is guessed from the config."""
        return tuple(r.rule for r in self.rules if r.jobs < r.jobs_wanted and r.median_s is None)

    @property
    def left_s(self) -> float:
        """Time in s until the run is done."""
        return max(sum(rule.left_s for rule in self.rules), self.longest_s)


class Pace:
    """How long jobs take, from their guessed costs and from the times of those that are done.

    Parameters
    ----------
    plan : Plan

    Notes
    -----
    A job takes its cost (`maestrata.run.cost.Cost.seconds`) times what the jobs done that are most like it
    took, all together, over the costs of these: those of the same world, patch and visible count, or
    experiment and world, as far as there are any; then of the same world or experiment; then of the rule.
    Before any of its rule is done it takes its cost. Sums, not medians: a few long jobs count for much.
    """

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._seen: dict[Kin, list[float]] = defaultdict(lambda: [0.0, 0.0])  # kin -> seconds, cost

    def learn(self, rule: str, place: dict[str, str], seconds: float) -> None:
        """Take note of a job that is done."""
        cost = self.cost(rule, place)
        if not cost:
            return
        for kin in self.kin(rule, place):
            self._seen[kin][0] += seconds
            self._seen[kin][1] += cost

    def seconds(self, rule: str, place: dict[str, str]) -> float:
        """Return how long a job will take, in s."""
        return self.cost(rule, place) * self.ratio(self.kin(rule, place))

    def ratio(self, kin: tuple[Kin, ...]) -> float:
        """Return what the jobs done took over their costs: of the nearest kin that has any."""
        took, cost = next((self._seen[near] for near in kin if near in self._seen), (1.0, 1.0))
        return took / cost

    def cost(self, rule: str, place: dict[str, str]) -> float:
        """Return what the config says of a job, in s of one core; of one that makes nothing 0."""
        if rule not in _RULES:
            return 0.0
        return self._plan.cost.seconds(rule, SimpleNamespace(**place))

    def kin(self, rule: str, place: dict[str, str]) -> tuple[Kin, ...]:
        """Name the groups of jobs that a job may be like, the nearest first; the last is its rule."""
        world = place.get("world", "")
        match rule:
            case "pretrain":
                near: list[Kin] = [(world, place["patch"], place["visible"]), (world,)]
            case "experiment":
                near = [(place["experiment"], world), (place["experiment"],)]
            case "regress" | "controls":
                detailed = str(self._plan.flags.evaluated(SimpleNamespace(**place)).detailed)
                near = [(world, detailed), (detailed,)]
            case "limits":
                near = [(world,)]
            case _:
                near = []
        return (*((rule, *kin) for kin in near), (rule,))


def progress_of(plan: Plan, cores: int) -> RunState:
    r"""Return how far a run is.

    Parameters
    ----------
    plan : Plan
        Its paths are taken from the working directory; without its folder the run has not begun.
    cores : int
        Jobs at a time, at least 1.

    Returns
    -------
    RunState

    Notes
    -----
    The time left of a rule is :math:`\sum_j t_j / \text{cores}` over its jobs that are not done; one that
    is running counts whole. `Pace` says what :math:`t_j` is.
    """
    names = dict.fromkeys(rule for name, (_, rule) in FILES.items() if plan.places(name))
    pace, waiting = Pace(plan), {}
    rules = []
    for rule in names:
        part, waiting[rule] = _rule(plan, rule, pace)
        rules.append(part)
    left = {rule: [pace.seconds(rule, place) for place in places] for rule, places in waiting.items()}
    longest = max((seconds for jobs in left.values() for seconds in jobs), default=0.0)
    done = (RuleProgress(**part, left_s=sum(left[part["rule"]]) / cores) for part in rules)
    return RunState(plan.config.run, cores, tuple(done), longest)


def _rule(plan: Plan, rule: str, pace: Pace) -> tuple[dict[str, Any], list[dict[str, str]]]:
    """Return what `RuleProgress` takes, and the jobs that are not done; learn from the others."""
    names = [name for name, (_, made_by) in FILES.items() if made_by == rule]
    places = plan.places(names[0])
    files, seconds, memory, waiting = 0, [], [], []
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
            pace.learn(rule, place, took)
    return {
        "rule": rule,
        "files": files,
        "files_wanted": len(places) * len(names),
        "jobs": len(places) - len(waiting),
        "jobs_wanted": len(places),
        "median_s": median(seconds) if seconds else None,
        "peak_mb": max(memory, default=None),
    }, waiting


def duration(seconds: float) -> str:
    """Return a time in words, such as ``45 min``."""
    seconds = round(seconds, 1)  # a sum that is a hair below a minute is a minute
    if seconds < 60:
        return f"{seconds:.1f} s" if 0 < seconds < 10 else f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    hours, days = minutes // 60, minutes // 1440
    if days:
        return f"{days} d {hours % 24:02} h"
    return f"{hours} h {minutes % 60:02} min" if hours else f"{minutes} min"


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
