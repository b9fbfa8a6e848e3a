"""Claim 9: the size of the mask patch moves the level that is learnt."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray

from maestrata.claims.rule import Contrast, Test
from maestrata.results import Combined, CubeSet, Expression, Numbers, Select, mean_of, slope_of

NUMBER = 9
TITLE = "A larger mask patch moves learning up the hierarchy"
SAYS = (
    "A mask patch that covers a subtree hides all that its lower levels could share: c moves up by almost "
    "one level for every aligned step in patch size, and what is learnt with it."
)
RULE = (
    "Centroid over levels of the gain in skill over the untrained encoder (mean of r = .5 and .75; losses "
    "count as 0, and a world where no level gains has none); its slope over aligned steps of patch size "
    "(1x1, 2x1, 2x2, ... tokens). Two parts: the slope lies above half of the theory's (mean level of c, "
    "separator, highest tie: nearer to its number than to no shift); and patches offset by half a block have "
    "a lower centroid than aligned ones of their size."
)
NEEDS = ("regression", "theory")
TRAINS = True

RATIOS = (0.5, 0.75)
Floats = NDArray[np.float64]


def gain(size: int, offset: int = 0, quantity: str = "gain") -> Combined:
    """Gain over the untrained encoder at every level, mean over ratios."""
    cell = partial(Select, "regression", quantity, patch=size, offset=offset, level="each")
    return mean_of(*(cell(ratio=ratio) for ratio in RATIOS))


def centre(size: int, offset: int = 0) -> Combined:
    """Centroid of the gain over levels."""
    return Combined((gain(size, offset, "skill"), gain(size, offset)), _centroid)


def tilted(size: int) -> Combined:
    """Tilt of the gain over levels: there even where nothing is gained."""
    return Combined((gain(size),), _tilt)


def theory(size: int, quantity: str = "mean_level", **labels: str) -> Combined:
    """What the theory expects of a patch, mean over ratios."""
    return mean_of(*(Select("theory", quantity, ratio=r, patch=size, labels=labels) for r in RATIOS))


@dataclass(frozen=True)
class OverSizes(Expression):
    """What is made of the sizes of mask patch that a run has.

    Attributes
    ----------
    of : callable
        From a size to a number.
    by : callable
        From numbers and their sizes to the expression.
    offset : bool
        Whether sizes must be there offset too; those of one token cannot be.
    """

    of: Callable[[int], Expression]
    by: Callable[[Sequence[Expression], Sequence[int]], Expression]
    offset: bool = False
    cube: str = "regression"

    def numbers(self, cubes: CubeSet, world: str) -> Numbers:
        """Look for the sizes, and read them."""
        first = gain(1).numbers(cubes, world)
        if first.lacking:
            return first
        sizes = aligned_sizes(cubes, world)
        if self.offset:
            sizes = [s for s in sizes if s > 1 and _has(cubes, world, s, offset=1)]
        if not sizes or (not self.offset and (len(sizes) < 2 or sizes[0] != 1)):
            kind = "offset patches" if self.offset else "aligned patches of one token and of more"
            return Numbers.none(f"world {world!r} has no {kind}, at r = .5 and .75")
        return self.by([self.of(size) for size in sizes], sizes).numbers(cubes, world)


def aligned_sizes(cubes: CubeSet, world: str) -> list[int]:
    """Sizes of subtree-shaped patches (1x1, 2x1, 2x2, 4x2, ...) that a run has at both ratios, ascending."""
    cube = cubes.one("regression")
    shapes = zip(cube.patch_size.values, cube.patch_height.values, cube.patch_width.values, strict=True)
    subtrees = [
        int(s) for s, height, width in shapes if height in (width, 2 * width) and not int(s) & (int(s) - 1)
    ]
    return sorted(size for size in subtrees if _has(cubes, world, size))


def _has(cubes: CubeSet, world: str, size: int, offset: int = 0) -> bool:
    cells = (Select("regression", "gain", ratio=r, patch=size, offset=offset, level="each") for r in RATIOS)
    return not any(cell.numbers(cubes, world).lacking for cell in cells)


def centroid(gained: Floats, levels: NDArray[np.int64]) -> Floats:
    """Mean level, weighted by gain; losses count as 0.

    Parameters
    ----------
    gained : array (..., levels)
    levels : array (levels,)

    Returns
    -------
    array (...)
        NaN where nothing is gained at any level.
    """
    weight = np.maximum(gained, 0.0)
    total = weight.sum(-1)
    return (weight @ levels.astype(np.float64)) / np.where(total > 0, total, np.nan)


def _centroid(sides: Sequence[Numbers]) -> Numbers:
    """In skill where every level has an exact ceiling, else in R2: no level weighs more by having none."""
    skill, r2 = sides
    whole = ~skill.bound.any(1, keepdims=True)
    gained, half = np.where(whole, skill.mean, r2.mean), np.where(whole, skill.half, r2.half)
    middle = centroid(gained, r2.levels)
    # To first order d centroid = sum (level - centroid) d gain / total gain, over levels that gain.
    total = np.maximum(gained, 0.0).sum(-1, keepdims=True)
    arm = (r2.levels - middle[..., None]) / np.where(total > 0, total, np.nan)
    return r2.derived(middle, np.sqrt(np.square(np.where(gained > 0, arm * half, 0.0)).sum(-1)))


def _tilt(parts: Sequence[Numbers]) -> Numbers:
    (gained,) = parts
    centred = gained.levels - gained.levels.mean()
    return gained.derived(gained.mean @ (centred / np.square(centred).sum()))


def _slope(parts: Sequence[Expression], sizes: Sequence[int]) -> Expression:
    return slope_of(parts, [float(np.log2(size)) for size in sizes])


def _mean(parts: Sequence[Expression], sizes: Sequence[int]) -> Expression:
    return mean_of(*parts)


def slope(of: Callable[[int], Expression]) -> OverSizes:
    """Slope over aligned steps of patch size."""
    return OverSizes(of, _slope)


def shift(size: int) -> Combined:
    """Centroid of offset patches minus that of aligned ones."""
    return centre(size, 1) - centre(size)


SLOPE = slope(centre)
HIGHEST = slope(partial(theory, drawing="fixed", reading="separator", tie="highest"))
LOWEST = slope(partial(theory, drawing="fixed", reading="separator", tie="lowest"))
INVERTIBLE = slope(partial(theory, drawing="fixed", reading="invertible", tie="highest"))
LINEAR = slope(partial(theory, quantity="linear_reach", linear_loss="masked"))
level = partial(Test, threshold=0.0, units="level")
aside = partial(Test, side="above", threshold=0.0, units="level", elsewhere=False)

TESTS = (
    level("slope minus half the theory's", SLOPE - 0.5 * HIGHEST, "above"),
    level("offset minus aligned patches", OverSizes(shift, _mean, offset=True), "below"),
)
SECONDARY = (
    aside("slope of the centroid", SLOPE),
    # A centroid needs a level that gains; the tilt over levels (top against bottom) does not.
    aside("slope of the gain's tilt", slope(tilted), units="R2 a level"),
    aside("the theory's slope", HIGHEST),
    aside("the theory's slope, lowest tie", LOWEST),
    aside("the theory's slope, invertible reading", INVERTIBLE),
    aside("linear MAE: slope of its reach", LINEAR),
    aside("slope minus the linear MAE's", SLOPE - LINEAR),
)


def sentence(contrasts: Mapping[str, Contrast]) -> str:
    """Say what came out."""
    ours, theirs = (contrasts[name] for name in ("slope of the centroid", "the theory's slope"))
    offset = contrasts[TESTS[1].name].estimate
    interval = f" [{ours.low:.2f}, {ours.high:.2f}]" if np.isfinite(ours.low) else ""
    return (
        f"The centroid moves by {ours.estimate:.2f}{interval} levels a step of patch size (theory: "
        f"{theirs.estimate:.2f}); offset patches lie {offset:+.2f} levels from aligned ones."
    )
