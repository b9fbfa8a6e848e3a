"""Claim 7: the symmetry under r -> 1 - r that c implies."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial

import numpy as np

from maestrata.claims.rule import Contrast, Test
from maestrata.results import CubeSet, Expression, Numbers, Select
from maestrata.results.read import realised_ratio

NUMBER = 7
TITLE = "What c implies: r and 1 - r leave the same profile"
SAYS = (
    "The information that masked and visible part share is the same when the two change places, so a "
    "representation that recovers c has the same profile over levels at r and at 1 - r."
)
RULE = (
    "Skill at r minus skill at 1 - r, for (.9, .1) and (.75, .25), mask patches of one token: within .05 of "
    "skill at every level, (R2 - null_trained) / (ceiling - null_trained). Against it: beyond .05 at any "
    "level, which says that c alone does not explain an optimum near .75. Judged where a part tells its "
    "cause surely, the theory's own case; grammars are secondary. Without an exact ceiling the difference is "
    "one of R2, a lower bound that can reject the equivalence and never support it."
)
NEEDS = ("regression",)
USES = ("limits", "theory")
TRAINS = True


@dataclass(frozen=True)
class Mirrored(Expression):
    """Skill of every level at a ratio minus that at another; the shares that they mask must add up to 1."""

    above: float
    below: float
    cube: str = "regression"

    def numbers(self, cubes: CubeSet, world: str) -> Numbers:
        """Look what is masked, and compare."""
        sides = [Select("regression", "skill", ratio=r, level="each") for r in (self.above, self.below)]
        difference = (sides[0] - sides[1]).numbers(cubes, world)
        share = sum(realised_ratio(cubes, side, world) for side in sides)
        if not difference.lacking and not np.isclose(share, 1):
            ratios = f"r = {self.above} and {self.below}"
            return Numbers.none(f"world {world!r}: {ratios} realise no mirrored shares of masked patches")
        return difference


linear = partial(Select, "theory", "linear_r2", level="each")


def mean_level(ratio: float) -> Select:
    """Select the mean level of c: the theory's own number."""
    labels = {"drawing": "fixed", "reading": "separator", "tie": "highest"}
    return Select("theory", "mean_level", ratio=ratio, labels=labels)


same = partial(Test, side="within", threshold=0.05, world="certain")
shown = partial(same, elsewhere=False)

TESTS = (
    same("r = .9 minus r = .1", Mirrored(0.9, 0.1), units="skill"),
    same("r = .75 minus r = .25", Mirrored(0.75, 0.25), units="skill"),
)
SECONDARY = (
    shown("c: mean level at r = .9 minus r = .1", mean_level(0.9) - mean_level(0.1), units="level"),
    shown("c: mean level at r = .75 minus r = .25", mean_level(0.75) - mean_level(0.25), units="level"),
    shown("linear MAE: r = .9 minus r = .1", linear(ratio=0.9) - linear(ratio=0.1)),
    shown("linear MAE: r = .75 minus r = .25", linear(ratio=0.75) - linear(ratio=0.25)),
)


def sentence(contrasts: Mapping[str, Contrast]) -> str:
    """Say what came out."""
    largest = max((c for c in contrasts.values() if c.decides), key=lambda c: abs(c.estimate))
    return f"The largest difference of mirrored ratios, {largest.name}: {largest.text()}."
