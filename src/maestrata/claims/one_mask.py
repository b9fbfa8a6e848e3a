"""What the claims about fixed masks share: the world, the gate, the experiment of claims 2 to 4."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial

from maestrata.claims.rule import Contrast, Test
from maestrata.results import UNGATED, CubeSet, Expression, Numbers, Select
from maestrata.results.numbers import stacked

NEAR_OPTIMUM = 0.9
"""Share of what could be explained of the masked part that a model must explain to speak for the theorem.

Theorem 2 is about the optimum: a model that is far from it neither bears it out nor refutes it. A tenth is
also what claim 2 allows for the recovery of c."""

LEVELS = (1, 2, 3)
"""Levels at which c may lie; each that a run has decides."""

GATE = f"Models that explain less than {NEAR_OPTIMUM:g} of what can be explained are left out. "

test = partial(Test, world="one_mask", elsewhere=False)
"""A `rule.Test` in the world where Assumption 1 holds to the letter."""


def bottleneck(quantity: str, arm: str, level: int, gate: float = NEAR_OPTIMUM) -> Select:
    """Select a quantity of an arm such as ``trained/1d`` (as many outputs as c has dimensions)."""
    return Select("experiments/bottleneck", quantity, f"l{level}/{arm}", gate=gate)


@dataclass(frozen=True)
class AtLevels(Expression):
    """A number for each level at which c lies in a run.

    Attributes
    ----------
    of : callable
        From the level to the number.
    """

    of: Callable[[int], Expression]
    cube: str = "experiments/bottleneck"

    def numbers(self, cubes: CubeSet, world: str) -> Numbers:
        """Read the levels that the run has."""
        each = {level: self.of(level).numbers(cubes, world) for level in LEVELS}
        return stacked(each)


def at_levels(quantity: str, arm: str, base: str = "") -> AtLevels:
    """Return a quantity of a trained arm, minus that of a control if there is one, at each level of c."""

    def of(level: int) -> Expression:
        number = bottleneck(quantity, arm, level)
        return number - bottleneck(quantity, base, level) if base else number

    return AtLevels(of)


def gained(quantity: str, arm: str, base: str, gated: str = "trained/2d") -> AtLevels:
    """Return a quantity of one width minus that of another, where a third width is near the optimum."""

    def of(level: int) -> Expression:
        read = [
            bottleneck(quantity, each, level, NEAR_OPTIMUM if each == gated else UNGATED)
            for each in (arm, base)
        ]
        return (read[0] - read[1]).where(bottleneck("progress", gated, level), NEAR_OPTIMUM)

    return AtLevels(of)


def told(contrasts: Mapping[str, Contrast], asked: Test, interval: bool = True) -> str:
    """Write what a test came to at each level of c."""
    every = [c for c in contrasts.values() if c.test is asked]
    texts = [c.text(".2f") if interval else f"{c.estimate:.2f}" for c in every]
    return ", ".join(
        text + (f" (level {c.level})" if c.level else "") for text, c in zip(texts, every, strict=True)
    )
