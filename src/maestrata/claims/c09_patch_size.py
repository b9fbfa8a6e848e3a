"""Claim 9: the size of the mask patch moves the level that is learnt."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from math import log2

from maestrata.claims.profile import tilt
from maestrata.claims.rule import Contrast, Test
from maestrata.results import Combined, Expression, Select, mean_of, slope_of

NUMBER = 9
TITLE = "A larger mask patch moves learning up the hierarchy"
SAYS = (
    "A mask patch that covers a subtree hides all that its lower levels could share: c moves up by almost "
    "one level for every aligned step in patch size, and what is learnt with it."
)
RULE = (
    "Tilt of skill: the least-squares slope over levels of (R2 - null_trained) / (ceiling - null_trained). "
    "Its slope over aligned steps of patch size (1x1, 2x1, 2x2, 4x2 tokens) at r = .5, which every size can "
    "have. Two parts: it lies above half of the theory's, nearer to its number than to no shift, under both "
    "ties (the same of the share of a level's nodes that is in c, separator); and patches offset by half a "
    "block tilt skill less than aligned ones of their size. Skill and share both count from 0 to 1: a model "
    "that recovers what is in c, and nothing else, has the theory's slope. Judged where a part tells its "
    "cause surely, in worlds that nobody had looked at when this rule was written: not in seeds 100 to 111."
)
NEEDS = ("regression", "theory")
USES = ("limits",)
TRAINS = True
SEEN = tuple(range(100, 112))

SIZES, RATIO = (1, 2, 4, 8), 0.5

Of = Callable[[int, float], Expression]


def learnt(size: int, ratio: float, offset: int = 0, quantity: str = "skill") -> Combined:
    """Tilt of skill over levels."""
    return tilt(Select("regression", quantity, ratio=ratio, patch=size, offset=offset, level="each"))


def root(size: int, ratio: float) -> Select:
    """Select the skill of the root."""
    return Select("regression", "skill", ratio=ratio, patch=size, level="root")


def in_c(size: int, ratio: float, tie: str = "highest", reading: str = "separator") -> Combined:
    """Tilt over levels of the share of nodes in c."""
    labels = {"drawing": "fixed", "reading": reading, "tie": tie}
    return tilt(Select("theory", "p_in_c", ratio=ratio, patch=size, level="each", labels=labels))


def reach(size: int, ratio: float) -> Select:
    """Level at which a linear MAE meets the tokens that it predicts from."""
    labels = {"linear_loss": "masked"}
    return Select("theory", "linear_reach", ratio=ratio, patch=size, labels=labels)


def slope(of: Of, *ratios: float) -> Combined:
    """Slope over aligned steps, mean over ratios; of the sizes that a run has, two or more."""
    steps = [log2(size) for size in SIZES]
    by_ratio = (slope_of([of(size, r) for size in SIZES], steps, least=2) for r in ratios or (RATIO,))
    return mean_of(*by_ratio)


def offset_minus_aligned(of: Callable[[int, float, int], Expression]) -> Combined:
    """Contrast offset with aligned patches, mean over the sizes that a run has of both."""
    pairs = [of(size, RATIO, 1) - of(size, RATIO, 0) for size in SIZES[1:]]
    return mean_of(*pairs, lacking="the sweep has no mask patches both aligned and offset")


SLOPE, HIGHEST, LOWEST = slope(learnt), slope(in_c), slope(partial(in_c, tie="lowest"))
INVERTIBLE, LINEAR = slope(partial(in_c, reading="invertible")), slope(reach)
GAIN = slope(partial(learnt, quantity="gain"), 0.5, 0.75)
"""What the earlier rule held against the theory's slope: R2, not skill, at ratios that 2x2 patches lack."""


up = partial(Test, side="above", threshold=0.0, units="skill a level", world="certain")
aside = partial(up, elsewhere=False)
share = partial(aside, units="share a level")

TESTS = (
    up("slope minus half the theory's, highest tie", SLOPE - 0.5 * HIGHEST),
    up("slope minus half the theory's, lowest tie", SLOPE - 0.5 * LOWEST),
    up("offset minus aligned patches", offset_minus_aligned(learnt), side="below"),
)
SECONDARY = (
    aside("slope of the tilt of skill", SLOPE),
    share("the theory's slope, highest tie", HIGHEST),
    share("the theory's slope, lowest tie", LOWEST),
    share("the theory's slope, invertible reading", INVERTIBLE),
    aside("linear MAE: slope of its reach", LINEAR, units="level"),
    aside("root: patches of 2x1 minus 1x1, r = .5", root(2, 0.5) - root(1, 0.5), units="skill"),
    aside("root: patches of 2x1 minus 1x1, r = .75", root(2, 0.75) - root(1, 0.75), units="skill"),
    aside("slope of the tilt of the gain, r = .5 and .75", GAIN, units="R2 a level"),
)


def sentence(contrasts: Mapping[str, Contrast]) -> str:
    """Say what came out."""
    highest, lowest, offset = (contrasts[test.name].text() for test in TESTS)
    return (
        f"A step of patch size tilts skill towards high levels by {highest} a level beyond half of what the "
        f"theory says, at the lowest tie by {lowest}; offset patches tilt it by {offset} against aligned "
        "ones."
    )
