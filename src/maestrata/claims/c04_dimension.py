"""Claim 4: the dimension of c must be given."""

from __future__ import annotations

from collections.abc import Mapping

from maestrata.claims.one_mask import NEAR_OPTIMUM, bottleneck, test
from maestrata.claims.rule import Contrast
from maestrata.results import Combined, largest_of

NUMBER = 4
TITLE = "The dimension of c must be given"
SAYS = (
    "Theorem 2 takes the dimension d_c of c for known: fewer outputs lose a part of c, more take in what is "
    "not c."
)
RULE = (
    "The models of claim 2 at w = d_c / 2, d_c and 2 d_c outputs. Skill: the share explained of what can be"
    " explained of the masked part. Knee at d_c: skill(d_c) - skill(d_c / 2) above .05, and skill(2 d_c) - "
    "skill(d_c) below .05 (the margin that claim 7 takes for no difference). And leak(2 d_c) - leak(d_c) "
    "above 0. All three are needed; any one reversed speaks against. Worlds in which no width explains .9 "
    "of what can be explained are left out. Judged in the invertible world."
)
NEEDS = ("experiments/bottleneck",)
TRAINS = True

HALF, FULL, DOUBLE = "trained/0.5d", "trained/1d", "trained/2d"
MARGIN = 0.05
LARGEST = largest_of(*(bottleneck("progress", arm) for arm in (HALF, FULL, DOUBLE)))


def gain(quantity: str, arm: str, base: str) -> Combined:
    """Gain of a quantity from one width to another."""
    return bottleneck(quantity, arm) - bottleneck(quantity, base)


UP, BEYOND = gain("progress", FULL, HALF), gain("progress", DOUBLE, FULL)
RISE, FIRST_RISE = gain("leak", DOUBLE, FULL), gain("leak", FULL, HALF)
UP_NEAR, BEYOND_NEAR, RISE_NEAR = (of.where(LARGEST, NEAR_OPTIMUM) for of in (UP, BEYOND, RISE))

TESTS = (
    test("skill gained from d_c / 2 to d_c", UP_NEAR, "above", MARGIN, units="skill"),
    test("skill gained from d_c to 2 d_c", BEYOND_NEAR, "below", MARGIN, units="skill"),
    test("rise of the leak from d_c to 2 d_c", RISE_NEAR, "above", 0.0, units="share"),
)
SECONDARY = (
    test("skill gained from d_c / 2 to d_c, all worlds", UP, "above", MARGIN, units="skill"),
    test("skill gained from d_c to 2 d_c, all worlds", BEYOND, "below", MARGIN, units="skill"),
    test("rise of the leak from d_c to 2 d_c, all worlds", RISE, "above", 0.0, units="share"),
    test("rise of the leak from d_c / 2 to d_c, all worlds", FIRST_RISE, "above", 0.0, units="share"),
    test("R2 of c gained from d_c / 2 to d_c, all worlds", gain("r2", FULL, HALF), "above", MARGIN),
    test("R2 of c gained from d_c to 2 d_c, all worlds", gain("r2", DOUBLE, FULL), "below", MARGIN),
    test("largest share explained of what can be", LARGEST, "above", 0.9, units="share"),
)


def sentence(contrasts: Mapping[str, Contrast]) -> str:
    """Say what came out."""
    up, beyond, leak = (contrasts[test.name].estimate for test in TESTS)
    return (
        f"Doubling the outputs up to d_c gains {up:+.2f} of skill, doubling them once more {beyond:+.2f}; "
        f"the leak then changes by {leak:+.2f}."
    )
