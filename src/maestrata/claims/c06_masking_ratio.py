"""Claim 6: high-level skill is an inverted U over the masking ratio."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial

import numpy as np

from maestrata.claims.rule import Contrast, Test
from maestrata.claims.statistics import leave_one_out_choice
from maestrata.results import CubeSet, Expression, Numbers, Select
from maestrata.results.numbers import aligned
from maestrata.results.read import Level

NUMBER = 6
TITLE = "An intermediate masking ratio serves high levels best"
SAYS = (
    "Masks that are too small leave out descendants of a high-level variable, masks that are too large its "
    "evidence: high-level representations come from intermediate ratios only (the probe peaks at .75)."
)
RULE = (
    "Skill of the root, mask patches of one token: at its peak minus at r = .1, and at its peak minus at "
    "r = .9, both above 0. The peak is the best of .25, .5 and .75 in all the other worlds (with a single "
    "world: .75, the paper's). Additive trees decide; the levels below, other worlds and the rival accounts "
    "are secondary."
)
NEEDS = ("regression",)
TRAINS = True

INSIDE = (0.25, 0.5, 0.75)


@dataclass(frozen=True)
class Peak(Expression):
    """A number at the best ratio of `INSIDE`, of those that a run has.

    Attributes
    ----------
    of : callable
        From a ratio to the number.
    best : callable
        From a ratio to the score that says which is best: for each world by its mean over all the others.
    """

    of: Callable[[float], Select]
    best: Callable[[float], Select]
    cube: str = "regression"

    def numbers(self, cubes: CubeSet, world: str) -> Numbers:
        """Choose, and take the number there."""
        pairs = [(self.of(r).numbers(cubes, world), self.best(r).numbers(cubes, world)) for r in INSIDE]
        there = [pair for pair in pairs if not (pair[0].lacking or pair[1].lacking)]
        if not there:
            return Numbers.none(pairs[0][0].lacking or pairs[0][1].lacking)
        of = aligned([number for pair in there for number in pair])
        numbers, scores = of[0::2], np.array([score.mean[:, 0] for score in of[1::2]])
        complete = np.isfinite(scores).all(0)
        peak = np.full(len(complete), len(scores) - 1)  # alone: .75, or the highest there is
        if complete.sum() > 1:
            peak[complete] = leave_one_out_choice(scores[:, complete].T)
        at = (peak, np.arange(len(peak)))
        value, below, above, bound = (
            np.stack([getattr(number, name) for number in numbers])[at]
            for name in ("value", "below", "above", "bound")
        )
        return replace(numbers[0], value=value, below=below, above=above, bound=bound)


def skill(ratio: float, level: Level = "root") -> Select:
    """Select the skill of a level."""
    return Select("regression", "skill", ratio=ratio, level=level)


def supply_demand(ratio: float) -> Select:
    """Select the rival account by supply and demand."""
    return Select("theory", "supply_demand", ratio=ratio)


def linear(ratio: float) -> Select:
    """Select what a linear MAE would recover of the root."""
    return Select("theory", "linear_r2", ratio=ratio, level="root")


def over(
    ratio: float, of: Callable[[float], Select], best: Callable[[float], Select] | None = None
) -> Expression:
    """Contrast the peak with an end."""
    return Peak(of, best or of) - of(ratio)


below, lowest = partial(skill, level=-2), partial(skill, level="lowest")
up = partial(Test, side="above", threshold=0.0, units="skill")
aside = partial(Test, side="above", threshold=0.0, units="skill", elsewhere=False)

TESTS = (
    up("root: peak over .1", over(0.1, skill)),
    up("root: peak over .9", over(0.9, skill)),
)
SECONDARY = (
    aside("level below the root: peak over .1", over(0.1, below)),
    aside("level below the root: peak over .9", over(0.9, below)),
    aside("level 1: peak over .1", over(0.1, lowest)),
    aside("level 1: peak over .9", over(0.9, lowest)),
    aside("supply times demand: peak over .1", over(0.1, supply_demand, skill), units="level"),
    aside("supply times demand: peak over .9", over(0.9, supply_demand, skill), units="level"),
    aside("linear MAE, root: peak over .1", over(0.1, linear, skill), units="R2"),
    aside("linear MAE, root: peak over .9", over(0.9, linear, skill), units="R2"),
)


def sentence(contrasts: Mapping[str, Contrast]) -> str:
    """Say what came out."""
    low, high = (contrasts[test.name].text() for test in TESTS)
    return f"At its peak between them the root gains {low} over r = 0.1 and {high} over r = 0.9."
