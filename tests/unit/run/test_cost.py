"""Long jobs start first, and none runs alone at the end of a run."""

from __future__ import annotations

import heapq
from collections.abc import Callable
from functools import cache
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from maestrata.config.load import load_config
from maestrata.run.layout import FILES
from maestrata.run.plan import Plan

ROOT = Path(__file__).parents[3]
RULES = dict.fromkeys(rule for _, rule in FILES.values())


class Job:
    """A job of a plan: what it reads and makes, and how long it takes."""

    def __init__(self, plan: Plan, rule: str, place: dict[str, str]) -> None:
        wildcards = SimpleNamespace(**place)
        read: dict[str, Callable[[], list[str]]] = {
            "regress": lambda: [plan.path("weights").format(**place)],
            "experiment": lambda: plan.read_weights(wildcards),
            "collect": lambda: plan.sources(place["kind"]),
            "claims": lambda: plan.evidence,
            "figure": lambda: plan.shown(place["figure"]),
            "explorer": lambda: plan.explored,
        }
        self.rule = rule
        self.place = place
        self.inputs = set(read[rule]()) if rule in read else set()
        self.outputs = {plan.path(name).format(**place) for name, (_, made) in FILES.items() if made == rule}
        self.seconds = plan.cost.seconds(rule, wildcards)
        self.priority = plan.cost.priority(rule, wildcards)


@cache
def jobs_of(name: str, detailed: bool = False) -> list[Job]:
    """List the jobs of a config; detailed: with every world read in detail."""
    overrides = {"evaluation": {"detail_worlds": None}} if detailed else {}
    plan = Plan(load_config(ROOT / "config" / f"{name}.yaml", overrides=overrides))
    first = {rule: next(file for file, (_, made) in FILES.items() if made == rule) for rule in RULES}
    return [Job(plan, rule, place) for rule in RULES for place in plan.places(first[rule])]


def run(jobs: list[Job], seconds: list[float], cores: int, key: Callable[[Job], Any]) -> float:
    """Start, whenever a core is free, the job of the largest key that can start, as Snakemake does.

    Returns the time of the whole over the least that there can be: all cores busy, or the longest job.
    """
    waiting, made, running = list(range(len(jobs))), set[str](), list[tuple[float, int]]()
    every = {file for job in jobs for file in job.outputs}
    now = 0.0
    while waiting or running:
        ready = [i for i in waiting if not (jobs[i].inputs & every) - made]
        while ready and len(running) < cores:
            best = max(ready, key=lambda i: key(jobs[i]))
            ready.remove(best)
            waiting.remove(best)
            heapq.heappush(running, (now + seconds[best], best))
        now, done = heapq.heappop(running)
        made |= jobs[done].outputs
    return now / max(sum(seconds) / cores, max(seconds))


@pytest.mark.parametrize("cores", [2, 4])
def test_no_job_runs_alone_at_the_end_of_the_default_run(cores: int) -> None:
    """Though jobs take up to three times as long as thought, or a third: their order is what counts."""
    jobs = jobs_of("config")
    by_priority, by_chance = [], []
    for seed in range(10):
        rng = np.random.default_rng(seed)
        factor, order = 3 ** rng.uniform(-1, 1, len(jobs)), rng.random(len(jobs))
        seconds = [job.seconds * float(f) for job, f in zip(jobs, factor, strict=True)]
        chance = dict(zip(map(id, jobs), order, strict=True))
        by_priority.append(run(jobs, seconds, cores, lambda job: job.priority))
        by_chance.append(run(jobs, seconds, cores, lambda job, of=chance: of[id(job)]))
    assert max(by_priority) < 1.02
    # in an order left to chance, the last job may be a long one
    assert np.mean(by_chance) - 1 > 3 * (np.mean(by_priority) - 1)


MEASURED = [
    ("controls", "patterned", 100),
    ("limits", "additive_2d", 100),
    ("controls", "grammar", 100),
    ("regress", "patterned", 100),
    ("controls", "symbols", 100),
    ("controls", "gaussian", 100),
    ("pretrain", "grammar", 100),
    ("experiment", "invertible", 101),
    ("pretrain", "symbols", 101),
    ("regress", "symbols", 100),
    ("regress", "symbols", 101),
    ("theory", "symbols", 101),
    ("limits", "grammar", 101),
    ("worlds", "symbols", 100),
]
"""Jobs of the default run, all worlds in detail, by what they took: from 110 to 1 seconds."""


def test_jobs_cost_in_the_order_of_what_they_took() -> None:
    costs = {
        (job.rule, job.place.get("world"), job.place.get("world_seed")): job.seconds
        for job in jobs_of("config", detailed=True)
    }
    guessed = [costs[rule, world, str(world_seed)] for rule, world, world_seed in MEASURED]
    ranks = np.argsort(np.argsort(-np.array(guessed), kind="stable"), kind="stable")
    assert np.abs(ranks - np.arange(len(MEASURED))).max() <= 2
    assert guessed[0] == max(costs.values())


def test_a_bottleneck_costs_its_images_at_every_level() -> None:
    """The evening run has one level more than the default run; it takes `growth` times as many images."""
    place = SimpleNamespace(experiment="bottleneck", world="invertible", world_seed="101", seed="0")
    plans = (Plan(load_config(ROOT / "config" / f"{name}.yaml")) for name in ("config", "evening"))
    one, two = (plan.cost.seconds("experiment", place) for plan in plans)
    assert two > 4 * one


def test_long_jobs_start_first() -> None:
    """Of the jobs that can start at once, and of a world's models and what is read from them."""
    jobs = sorted(jobs_of("config"), key=lambda job: -job.priority)
    places = [(job.rule, job.place.get("world"), job.place.get("world_seed")) for job in jobs]
    assert places[0] == ("limits", "additive_2d", "100")
    for world, seed in (("symbols", "100"), ("grammar", "105"), ("patterned", "100")):
        assert places.index(("pretrain", world, seed)) < places.index(("regress", world, seed))
    last = {rule: max(i for i, job in enumerate(jobs) if job.rule == rule) for rule in RULES}
    first = {rule: min(i for i, job in enumerate(jobs) if job.rule == rule) for rule in RULES}
    assert last["experiment"] < first["collect"] < first["claims"] < first["figure"]


@pytest.mark.parametrize("name", ["smoke", "evening"])
def test_every_job_has_a_priority_above_what_waits_for_it(name: str) -> None:
    jobs = jobs_of(name)
    maker = {file: job for job in jobs for file in job.outputs}
    for job in jobs:
        for file in job.inputs & maker.keys():
            assert maker[file].priority > job.priority


def test_rules_take_their_priority_from_the_plan() -> None:
    for file in (ROOT / "rules").glob("*.smk"):
        for part in file.read_text().split("\nrule ")[1:]:
            rule = part.partition(":")[0]
            assert rule == "verify" or f'PLAN.cost.priority("{rule}", wildcards)' in part


def test_a_world_without_exact_inference_by_default_is_not_slow(tmp_path: Path) -> None:
    path = tmp_path / "a.yaml"
    by_dim = {"default": "{}", "four": "{dim: 4}", "two": "{dim: 2}"}
    worlds = "".join(
        f"  {label}: {{kind: additive_tree, settings: {settings}}}\n" for label, settings in by_dim.items()
    )
    path.write_text(
        f"run: one\nworlds:\n{worlds}grid: [{{worlds: [{', '.join(by_dim)}], mask_ratios: [0.5]}}]\n"
    )
    plan = Plan(load_config(path))
    seconds = {place["world"]: Job(plan, "limits", place).seconds for place in plan.places("limits")}
    assert seconds["default"] == seconds["four"] < seconds["two"] / 10
