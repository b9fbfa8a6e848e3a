"""What the terminal shows of a run: one line for each job that is done, with the time that is left.

Snakemake itself tells a job in a dozen lines. These are all in its log, ``.snakemake/log/``.
"""

from __future__ import annotations

import logging
import time
from collections import defaultdict
from collections.abc import Callable, Iterable
from typing import Any

from maestrata.run.plan import Plan
from maestrata.run.progress import Kin, Pace, duration

_UNTOLD = ("JOB_INFO", "JOB_STARTED", "JOB_FINISHED")
_LOGGER, _HANDLER = "snakemake.logging", "DefaultStreamHandler"
"""Of Snakemake: its logger, and what writes to the terminal."""


class OneLine(logging.Formatter):
    """Filter and formatter of the terminal.

    Parameters
    ----------
    plan : Plan
    jobs : iterable of (str, dict)
        Rule and wildcards of the jobs that are to be done.
    formatter : logging.Formatter
        Of what is no news of a job, such as errors.
    clock : callable
        Seconds.

    Notes
    -----
    The time left is that of the jobs that are left (`maestrata.run.progress.Pace`), over how many ran at a
    time so far. Times of jobs are from start to end as Snakemake sees them.
    """

    def __init__(
        self,
        plan: Plan,
        jobs: Iterable[tuple[str, dict[str, str]]],
        formatter: logging.Formatter,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        super().__init__()
        self._pace = Pace(plan)
        self._formatter = formatter
        self._clock = clock
        self._began = clock()
        self._worked = 0.0
        self._running: dict[int, tuple[str, dict[str, str], float]] = {}
        self._last = ""
        self._left: defaultdict[tuple[Kin, ...], float] = defaultdict(float)  # kin -> cost of what is left
        for rule, place in jobs:
            self._left[self._pace.kin(rule, place)] += self._pace.cost(rule, place)

    def filter(self, record: logging.LogRecord) -> bool:
        """Take note of what happens to jobs; pass on all else."""
        event = _event(record)
        if event == "JOB_INFO":
            job = record.__dict__
            place = {name: str(value) for name, value in job["wildcards"].items()}
            self._running[job["jobid"]] = (job["rule_name"], place, self._clock())
        elif event == "JOB_FINISHED":
            self._finished(record.__dict__["job_id"])
        return event not in _UNTOLD and record.msg != "Select jobs to execute..."

    def format(self, record: logging.LogRecord) -> str:
        """Return the text of a record; of Snakemake's count of jobs with the last job and the time left."""
        text = self._formatter.format(record)
        return f"{text}{self._last}" if _event(record) == "PROGRESS" else text

    def _finished(self, job: int) -> None:
        if job not in self._running:
            return
        rule, place, started = self._running.pop(job)
        now = self._clock()
        self._pace.learn(rule, place, now - started)
        self._left[self._pace.kin(rule, place)] -= self._pace.cost(rule, place)
        self._worked += now - started
        at_a_time = self._worked + sum(now - started for _, _, started in self._running.values())
        left = sum(cost * self._pace.ratio(kin) for kin, cost in self._left.items())
        seconds = left * (now - self._began) / at_a_time if at_a_time > 0 else 0.0
        told = f", about {duration(seconds)} left" if left > 0 else ""
        self._last = f"{told}: {' '.join([rule, *place.values()])}"


def one_line_a_job(plan: Plan, dag: Any) -> None:
    """Have Snakemake tell the jobs of a graph to the terminal in one line each."""
    jobs = [(job.rule.name, {k: str(v) for k, v in job.wildcards_dict.items()}) for job in dag.needrun_jobs()]
    for handler in logging.getLogger(_LOGGER).handlers:
        if handler.name == _HANDLER and handler.formatter:
            line = OneLine(plan, jobs, handler.formatter)
            handler.addFilter(line.filter)
            handler.setFormatter(line)


def _event(record: logging.LogRecord) -> str:
    return getattr(getattr(record, "event", None), "name", "")
