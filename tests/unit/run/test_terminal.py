"""One line for each job that is done, from records as Snakemake makes them."""

from __future__ import annotations

import logging
from enum import Enum, auto
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from maestrata.config.load import load_config
from maestrata.run.plan import Plan
from maestrata.run.terminal import OneLine, one_line_a_job

Event = Enum(
    "Event", [(name, auto()) for name in ("JOB_INFO", "JOB_STARTED", "JOB_FINISHED", "JOB_ERROR", "PROGRESS")]
)
CONFIG = """
run: made-up
worlds:
  a: {kind: gaussian_tree, settings: {leaves: 8}}
grid:
  - {worlds: [a], mask_ratios: [0.5], seeds: 4, images: 10_000}
"""


@pytest.fixture
def plan(tmp_path: Path) -> Plan:
    (tmp_path / "config.yaml").write_text(CONFIG)
    return Plan(load_config(tmp_path / "config.yaml"))


class Terminal:
    """What is shown, and a clock that a test moves."""

    def __init__(self, plan: Plan, jobs: list[tuple[str, dict[str, str]]]) -> None:
        self.now = 0.0
        self.jobs = jobs
        self.line = OneLine(plan, jobs, logging.Formatter("%(message)s"), clock=lambda: self.now)
        self.said: list[str] = []

    def tell(self, event: str | None, text: str, **what: Any) -> None:
        record = logging.LogRecord("snakemake", logging.INFO, "", 0, text, None, None)
        record.__dict__.update(what | ({"event": Event[event]} if event else {}))
        if self.line.filter(record):
            self.said.append(self.line.format(record))

    def start(self, job: int) -> None:
        rule, place = self.jobs[job]
        self.tell(None, "Select jobs to execute...")
        self.tell("JOB_STARTED", "Execute 1 jobs...")
        self.tell("JOB_INFO", f"rule {rule}:\n    input: ...", jobid=job, rule_name=rule, wildcards=place)

    def finish(self, job: int, at: float) -> None:
        self.now = at
        self.tell("JOB_FINISHED", f"Finished jobid: {job}", job_id=job)
        self.tell("PROGRESS", f"{job + 1} of {len(self.jobs)} steps done")


def test_a_job_is_one_line_with_the_time_that_is_left(plan: Plan) -> None:
    terminal = Terminal(plan, [("pretrain", place) for place in plan.places("weights")] + [("all", {})])
    terminal.start(0)
    terminal.start(1)
    terminal.finish(0, at=60)  # two at a time, a minute each: the other two take one more
    terminal.finish(1, at=60)
    terminal.start(2)
    terminal.finish(2, at=120)
    terminal.start(3)
    terminal.finish(3, at=180)
    terminal.start(4)
    terminal.finish(4, at=180)
    names = [f"pretrain {' '.join(place.values())}" for place in plan.places("weights")]
    assert terminal.said == [
        f"1 of 5 steps done, about 2 min left: {names[0]}",  # the other runs, and counts whole
        f"2 of 5 steps done, about 1 min left: {names[1]}",
        f"3 of 5 steps done, about 40 s left: {names[2]}",
        f"4 of 5 steps done: {names[3]}",
        "5 of 5 steps done: all",
    ]


def test_errors_and_all_else_are_told_as_ever(plan: Plan) -> None:
    terminal = Terminal(plan, [("all", {})])
    terminal.tell("JOB_ERROR", "Error in rule pretrain:\n    log: here")
    terminal.tell(None, "Nothing to be done")
    assert terminal.said == ["Error in rule pretrain:\n    log: here", "Nothing to be done"]


def test_it_is_set_on_the_terminal_alone(plan: Plan) -> None:
    logger = logging.getLogger("snakemake.logging")
    terminal, file = logging.StreamHandler(), logging.StreamHandler()
    plain = logging.Formatter()
    terminal.name = "DefaultStreamHandler"
    before = list(logger.handlers)
    for handler in (terminal, file):
        handler.setFormatter(plain)
        logger.addHandler(handler)
    place = plan.places("weights")[0]
    job = SimpleNamespace(rule=SimpleNamespace(name="pretrain"), wildcards_dict=place)
    try:
        one_line_a_job(plan, SimpleNamespace(needrun_jobs=lambda: [job]))
    finally:
        for handler in (terminal, file):
            logger.removeHandler(handler)
    assert logger.handlers == before
    assert isinstance(terminal.formatter, OneLine) and file.formatter is plain and not file.filters
