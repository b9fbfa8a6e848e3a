"""What is said of a claim that is open or was not run: why, and what would decide it."""

from __future__ import annotations

from collections.abc import Sequence
from math import isfinite

import numpy as np

from maestrata.claims.rule import MIN_WORLDS, MOST_WORLDS, OTHER_TEXT, Contrast, towards, where
from maestrata.claims.statistics import worlds_needed
from maestrata.results import GATES, Model


def untrained(models: Sequence[Model]) -> str:
    """Say that most models are below their gates, with the numbers; empty where they are not."""
    below = sum(not model.trained for model in models)
    if below <= len(models) / 2:
        return ""
    median = float(np.median([model.progress for model in models if isfinite(model.progress)]))
    gates = ", ".join(f"{gate:g} up to r = {most:g}" for most, gate in GATES)
    return (
        f"models not trained: {below} of {len(models)} explain less than their gate of what can be explained "
        f"({gates}, or the claim's own); median {median:.2f}"
    )


def all_seen(seeds: Sequence[int]) -> str:
    """Say that a run has no world that a claim can be judged in: its rule is younger than their numbers."""
    return f"numbers of worlds {ranges(seeds)} were known when this rule was written; others must decide"


def not_run(lacking: str, deciding: Sequence[Contrast]) -> str:
    """Say why a claim was not run, and what is there all the same."""
    numbers = "; ".join(number(c) for c in deciding if c.rows)
    return f"Not run: {lacking.rstrip('.')}." + (f" {numbers}." if numbers else "")


def number(c: Contrast) -> str:
    """Say what a contrast came to."""
    units = f" {c.units}" if c.units not in ("", "1") else ""
    return f"{c.name}: {c.text('.3g')}{units}, {worlds(len(c.rows))}"


def why_open(c: Contrast, alpha: float) -> str:
    """Say why a contrast speaks neither for nor against, and how many worlds would decide it at a level."""
    if not isfinite(c.low):
        return f"{c.name}: one world has no interval"
    if c.disputed:
        both = f"{c.text()} at the primary features, {c.disputed} from {OTHER_TEXT}"
        return f"depends on the probe ({c.name}: {both})"
    if c.bound and where(c.test, c.low, c.high) != "open":
        return f"{c.name}: a difference in R2 is only a lower bound of the difference in skill"
    told = f"{c.name}: [{c.low:+.3g}, {c.high:+.3g}] is neither {c.test.asked} nor clearly not"
    return f"{told}; {needed(c, alpha)}"


def needed(c: Contrast, alpha: float) -> str:
    """Say how many worlds would decide a contrast, if its mean and spread are what they are in these."""
    values = [row.value for row in c.rows]
    sd = float(np.std(values, ddof=1))
    beyond = {"above": "below", "below": "above", "within": "within"}[c.test.side]
    against = float(towards(beyond, c.test.contrary, [c.estimate])[0])  # type: ignore[arg-type]  # a Side
    if c.test.side == "within":
        against = -against
    distance = max(float(towards(c.test.side, c.test.threshold, [c.estimate])[0]), against)
    if distance <= 0:
        return "its mean lies between what speaks for the claim and what speaks against it"
    n = worlds_needed(distance / sd, alpha, most=MOST_WORLDS) if sd > 0 else MIN_WORLDS
    if n is None:
        return f"too near to be decided by any sensible number of worlds (more than {MOST_WORLDS})"
    return f"about {max(n, MIN_WORLDS)} worlds would decide it (power .8)"


def ranges(seeds: Sequence[int]) -> str:
    """Write ascending seeds, such as ``100-111, 120``."""
    starts = [s for k, s in enumerate(seeds) if k == 0 or seeds[k - 1] != s - 1]
    ends = [s for k, s in enumerate(seeds) if k == len(seeds) - 1 or seeds[k + 1] != s + 1]
    return ", ".join(f"{a}" if a == b else f"{a}-{b}" for a, b in zip(starts, ends, strict=True))


def worlds(n: int) -> str:
    """Write a number of worlds."""
    return f"{n} world{'' if n == 1 else 's'}"
