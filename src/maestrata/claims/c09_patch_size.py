"""Claim 9: the size of the mask patch moves the level that is learnt."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from math import log2

from maestrata.claims.profile import centre, tilt
from maestrata.claims.rule import Contrast, Test
from maestrata.results import Combined, Expression, Select, mean_of, slope_of

NUMBER = 9
TITLE = "A larger mask patch moves learning up the hierarchy"
SAYS = (
    "A mask patch that covers a subtree hides all that its lower levels could share: c moves up by almost "
    "one level for every aligned step in patch size, and what is learnt with it."
)
RULE = (
    "Which way the gain leans over levels: its mean level, each level weighted by its gain in R2 over "
    "null_trained (a world that gains less than .02 on average has none). Its slope over aligned steps of "
    "patch size (1x1, 2x1, 2x2, 4x2 tokens), mean of the ratios .5 and .75. Two parts: the slope lies above "
    "half of the theory's, nearer to its number than to no shift, under both ties (the same of the share of "
    "a level's nodes that is in c, separator); and patches offset by half a block lean lower than aligned "
    "ones of their size. Judged where a part tells its cause surely."
)
NEEDS = ("regression", "theory")
TRAINS = True

SIZES, RATIOS = (1, 2, 4, 8), (0.5, 0.75)

Of = Callable[[int, float], Expression]


def gain(size: int, ratio: float, offset: int = 0) -> Select:
    """Select the gain over null_trained at every level."""
    return Select("regression", "gain", ratio=ratio, patch=size, offset=offset, level="each")


def gained(size: int, ratio: float, offset: int = 0) -> Combined:
    """Mean level of the gain."""
    return centre(gain(size, ratio, offset))


def in_c(size: int, ratio: float, tie: str = "highest", reading: str = "separator") -> Combined:
    """Mean level of the share of nodes in c."""
    labels = {"drawing": "fixed", "reading": reading, "tie": tie}
    return centre(Select("theory", "p_in_c", ratio=ratio, patch=size, level="each", labels=labels))


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


def leaning(size: int, ratio: float, offset: int = 0) -> Combined:
    """Tilt of the gain over levels: there even where hardly anything is gained."""
    return tilt(gain(size, ratio, offset))


up = partial(Test, side="above", threshold=0.0, units="level", world="certain")
aside = partial(up, elsewhere=False)

TESTS = (
    up("slope minus half the theory's, highest tie", SLOPE - 0.5 * HIGHEST),
    up("slope minus half the theory's, lowest tie", SLOPE - 0.5 * LOWEST),
    up("offset minus aligned patches", offset_minus_aligned(gained), side="below"),
)
SECONDARY = (
    aside("slope of the gain's mean level", SLOPE),
    aside("the theory's slope, highest tie", HIGHEST),
    aside("the theory's slope, lowest tie", LOWEST),
    aside("the theory's slope, invertible reading", INVERTIBLE),
    aside("linear MAE: slope of its reach", LINEAR),
    aside("slope of the gain's tilt", slope(leaning), units="R2 a level"),
    aside(
        "gain's tilt, offset minus aligned", offset_minus_aligned(leaning), side="below", units="R2 a level"
    ),
)


def sentence(contrasts: Mapping[str, Contrast]) -> str:
    """Say what came out."""
    ours, highest, lowest = (contrasts[test.name] for test in SECONDARY[:3])
    offset = contrasts[TESTS[2].name]
    return (
        f"The gain's mean level moves by {ours.text('.2f')} levels a step of patch size (theory: "
        f"{highest.estimate:.2f} or, at the lowest tie, {lowest.estimate:.2f}); with offset patches it lies "
        f"{offset.text('.2f')} levels from that of aligned ones."
    )
