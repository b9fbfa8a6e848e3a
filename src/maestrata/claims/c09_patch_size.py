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
    "Tilt of the gain: the least-squares slope over levels of R2 minus that of null_trained. Its slope over "
    "aligned steps of patch size (1x1, 2x1, 2x2, 4x2 tokens), mean of the ratios .5 and .75. Two parts: it "
    "lies above half of the theory's, nearer to its number than to no shift, under both ties (the same of "
    "the share of a level's nodes that is in c, separator: shares of 1, both); and patches offset by half a "
    "block tilt the gain less than aligned ones of their size. Judged where a part tells its cause surely."
)
NEEDS = ("regression", "theory")
TRAINS = True

SIZES, RATIOS = (1, 2, 4, 8), (0.5, 0.75)

Of = Callable[[int, float], Expression]


def gain(size: int, ratio: float, offset: int = 0) -> Select:
    """Select the gain over null_trained at every level."""
    return Select("regression", "gain", ratio=ratio, patch=size, offset=offset, level="each")


def gained(size: int, ratio: float, offset: int = 0) -> Combined:
    """Tilt of the gain over levels."""
    return tilt(gain(size, ratio, offset))


def in_c(size: int, ratio: float, tie: str = "highest", reading: str = "separator") -> Combined:
    """Tilt over levels of the share of nodes in c."""
    labels = {"drawing": "fixed", "reading": reading, "tie": tie}
    return tilt(Select("theory", "p_in_c", ratio=ratio, patch=size, level="each", labels=labels))


def reach(size: int, ratio: float) -> Select:
    """Level at which a linear MAE meets the tokens that it predicts from."""
    labels = {"linear_loss": "masked"}
    return Select("theory", "linear_reach", ratio=ratio, patch=size, labels=labels)


def slope(of: Of) -> Combined:
    """Slope over aligned steps, mean over ratios; of the sizes that a run has, two or more."""
    steps = [log2(size) for size in SIZES]
    return mean_of(*(slope_of([of(size, ratio) for size in SIZES], steps, least=2) for ratio in RATIOS))


def offset_minus_aligned(of: Callable[[int, float, int], Expression]) -> Combined:
    """Contrast offset with aligned patches, mean over those that a run has of both."""
    pairs = [of(size, ratio, 1) - of(size, ratio, 0) for size in SIZES[1:] for ratio in RATIOS]
    return mean_of(*pairs, lacking="the sweep has no mask patches both aligned and offset")


SLOPE, HIGHEST, LOWEST = slope(gained), slope(in_c), slope(partial(in_c, tie="lowest"))
INVERTIBLE, LINEAR = slope(partial(in_c, reading="invertible")), slope(reach)


up = partial(Test, side="above", threshold=0.0, units="share a level", world="certain")
aside = partial(up, elsewhere=False)

TESTS = (
    up("slope minus half the theory's, highest tie", SLOPE - 0.5 * HIGHEST),
    up("slope minus half the theory's, lowest tie", SLOPE - 0.5 * LOWEST),
    up("offset minus aligned patches", offset_minus_aligned(gained), side="below"),
)
SECONDARY = (
    aside("slope of the gain's tilt", SLOPE),
    aside("the theory's slope, highest tie", HIGHEST),
    aside("the theory's slope, lowest tie", LOWEST),
    aside("the theory's slope, invertible reading", INVERTIBLE),
    aside("linear MAE: slope of its reach", LINEAR, units="level"),
)


def sentence(contrasts: Mapping[str, Contrast]) -> str:
    """Say what came out."""
    highest, lowest, offset = (contrasts[test.name].text() for test in TESTS)
    return (
        f"A step of patch size tilts the gain towards high levels by {highest} a level beyond half of what "
        f"the theory says, at the lowest tie by {lowest}; offset patches tilt it by {offset} against aligned "
        "ones."
    )
