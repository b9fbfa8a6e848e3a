"""Claim 5: fixed masks, as in the paper's Figure 4."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial

from maestrata.claims.rule import Contrast, Test
from maestrata.results import CubeSet, Expression, Numbers, Select, slope_of
from maestrata.results.read import Level, arms_of

NUMBER = 5
TITLE = "Fixed masks: conservative, ideal, aggressive"
SAYS = (
    "A mask that hides one half of the image makes the encoder keep what is high in the hierarchy; one that"
    " hides too little or too much makes it keep low-level noise."
)
RULE = (
    "One model a mask. Low-level leak: share of the variance (not whitened) of the mean of the visible "
    "tokens that the noise below level 2 (of levels 0 and 1) makes. That of the ideal mask below those of "
    "the conservative and of the aggressive one; and, as the three differ in ratio, its slope over the "
    "ladder of masks at ratio .5 (one child of every level-k node masked, k = 1..L) below 0 a rung. All "
    "three are needed; any one reversed speaks against. Judged where a child determines its parent (symbols)."
)
NEEDS = ("experiments/fixed_masks",)
TRAINS = True

CUBE = "experiments/fixed_masks"
LOW = 2
"""Noise below this level is low: the noise of a token is never in c, and level 1 the lowest that may be."""


def measured(arm: str, quantity: str, level: Level = LOW, base: str | None = None) -> Expression:
    """Select a quantity of the model of a mask, or what it has above a base such as the untrained model."""
    of = Select(CUBE, quantity, arm, level=level)
    return of if base is None else of - Select(CUBE, base, arm, level=level)


def ideal_minus(arm: str, quantity: str, base: str | None = None) -> Expression:
    """Contrast the ideal mask with another one."""
    return measured("ideal", quantity, base=base) - measured(arm, quantity, base=base)


@dataclass(frozen=True)
class Slope(Expression):
    """Slope of a quantity over the rungs of the ladder that a run has, two or more."""

    quantity: str
    level: Level = LOW
    base: str | None = None
    cube: str = CUBE

    def numbers(self, cubes: CubeSet, world: str) -> Numbers:
        """Look for the rungs, and read them."""
        if CUBE not in cubes or world not in self.worlds(cubes):
            return measured("ladder1", "leak").numbers(cubes, world)
        cube = cubes.one(CUBE)
        rungs = arms_of(cube, world, "ladder", "leak")
        if len(rungs) < 2:
            return Numbers.none(
                f"experiment fixed_masks has {len(rungs)} rungs in the world {world!r}: two are needed"
            )
        parts = [measured(rung, self.quantity, self.level, self.base) for rung in rungs]
        return slope_of(parts, cube["setting"].sel(arm=rungs).values.tolist()).numbers(cubes, world)


test = partial(Test, world="certain")
share = partial(test, side="below", threshold=0.0, units="share")
a_rung = partial(test, side="below", threshold=0.0, units="share a rung")
r2_a_rung = partial(test, threshold=0.0, units="R2 a rung")

TESTS = (
    share("leak, ideal minus conservative", ideal_minus("conservative", "leak")),
    share("leak, ideal minus aggressive", ideal_minus("aggressive", "leak")),
    a_rung("slope of the leak over the ladder", Slope("leak")),
)
# Trained minus untrained takes off what a mask does without training, such as how many tokens a mean is over.
START = "leak_random_init"
CONSERVATIVE, AGGRESSIVE = (ideal_minus(arm, "leak", START) for arm in ("conservative", "aggressive"))
LOWEST, ROOT = (Slope("r2", level, "r2_random_init") for level in (1, "root"))
SECONDARY = (
    share("change of the leak by training, ideal minus conservative", CONSERVATIVE),
    share("change of the leak by training, ideal minus aggressive", AGGRESSIVE),
    a_rung("slope of the change of the leak by training", Slope("leak", base=START)),
    share("leak of whole images, ideal minus conservative", ideal_minus("conservative", "leak_whole")),
    share("leak of whole images, ideal minus aggressive", ideal_minus("aggressive", "leak_whole")),
    a_rung("slope of the leak of whole images", Slope("leak_whole")),
    r2_a_rung("change of R2 of level 1 by training, slope over the ladder", LOWEST, side="below"),
    r2_a_rung("change of R2 of the root by training, slope over the ladder", ROOT, side="above"),
)


def sentence(contrasts: Mapping[str, Contrast]) -> str:
    """Say what came out."""
    conservative, aggressive, slope = (contrasts[test.name].estimate for test in TESTS)
    return (
        f"Low-level noise makes {conservative:+.3f} of the variance under the ideal mask against the "
        f"conservative one, {aggressive:+.3f} against the aggressive one, and {slope:+.3f} a rung of the "
        "ladder."
    )
