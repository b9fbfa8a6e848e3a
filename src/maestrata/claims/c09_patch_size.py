"""Claim 9: the size of the mask patch moves the level that is learnt."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from maestrata.claims.base import Evidence, Missing, Row, Test, elsewhere
from maestrata.claims.skill import PRIMARY, Cell, Profiles, has, labels, read, theory_of

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
TESTS = (
    Test("slope less half the theory's", "above", 0.0, units="level"),
    Test("offset less aligned patches", "below", 0.0, units="level"),
)
BESIDE = (
    Test("slope of the centroid", "above", 0.0, units="level"),
    # A centroid needs a level that gains; the tilt over levels (top against bottom) does not.
    Test("slope of the gain's tilt", "above", 0.0, units="R2 a level"),
    Test("the theory's slope", "above", 0.0, units="level"),
    Test("the theory's slope, lowest tie", "above", 0.0, units="level"),
    Test("the theory's slope, invertible reading", "above", 0.0, units="level"),
    Test("linear MAE: slope of its reach", "above", 0.0, units="level"),
    Test("slope less the linear MAE's", "above", 0.0, units="level"),
)

RATIOS = (0.5, 0.75)


def rows(evidence: Evidence) -> dict[str, list[Row]]:
    """Slopes and differences of centroids, in every world."""
    found = _of_label(evidence, PRIMARY)
    for label in labels(evidence):
        if label == PRIMARY:
            continue
        try:
            other = _of_label(evidence, label)
        except Missing:
            continue
        found |= {elsewhere(test.name, label): other[test.name] for test in TESTS if test.name in other}
    return found


def sentence(means: Mapping[str, tuple[float, float, float]]) -> str:
    """What was found, in a sentence."""
    ours, theory = (means[name] for name in ("slope of the centroid", "the theory's slope"))
    interval = f" [{ours[1]:.2f}, {ours[2]:.2f}]" if np.isfinite(ours[1]) else ""
    text = (
        f"The centroid moves by {ours[0]:.2f}{interval} levels a step of patch size (theory: {theory[0]:.2f})"
    )
    offset = means.get("offset less aligned patches")
    return text + (f"; offset patches lie {offset[0]:+.2f} levels from aligned ones." if offset else ".")


def centroid(gain: NDArray[np.float64], levels: NDArray[np.int64]) -> NDArray[np.float64]:
    """Mean level, weighted by gain; losses count as 0.

    Parameters
    ----------
    gain : array (..., levels)
    levels : array (levels,)

    Returns
    -------
    array (...)
        NaN where nothing is gained at any level.
    """
    weight = np.maximum(gain, 0.0)
    total = weight.sum(-1)
    return (weight @ levels.astype(np.float64)) / np.where(total > 0, total, np.nan)


def _of_label(evidence: Evidence, label: str) -> dict[str, list[Row]]:
    aligned = _sizes(evidence, label, offset=0)
    if len(aligned) < 2 or aligned[0] != 1:
        raise Missing(f"world {label!r} has no aligned patches of one token and of more, at r = .5 and .75")
    cells = [Cell(ratio, size) for size in aligned for ratio in RATIOS]
    profiles = read(evidence, label, cells, "gain")
    steps = np.log2(aligned)
    ours, spread = _centroids(profiles)
    slope, slope_half = _slope(ours, steps), _slope_half(spread, steps)

    def theirs(variable: str, **place: str) -> NDArray[np.float64]:
        values = (
            theory_of(evidence, variable, profiles, cells).sel(place).transpose("cell", "world_seed").values
        )
        return _slope(values.reshape(len(aligned), len(RATIOS), -1).mean(1), steps)

    highest = theirs("mean_level", drawing="fixed", reading="separator", tie="highest")
    lowest = theirs("mean_level", drawing="fixed", reading="separator", tie="lowest")
    invertible = theirs("mean_level", drawing="fixed", reading="invertible", tie="highest")
    linear = theirs("linear_reach", linear_loss="masked")
    found = {
        TESTS[0].name: profiles.rows(slope - highest / 2, slope_half),
        TESTS[1].name: _offset(evidence, label),
        "slope of the centroid": profiles.rows(slope, slope_half),
        "slope of the gain's tilt": profiles.rows(_slope(tilt(_gain(profiles), profiles.levels), steps)),
        "the theory's slope": profiles.rows(highest),
        "the theory's slope, lowest tie": profiles.rows(lowest),
        "the theory's slope, invertible reading": profiles.rows(invertible),
        "linear MAE: slope of its reach": profiles.rows(linear),
        "slope less the linear MAE's": profiles.rows(slope - linear, slope_half),
    }
    return found


def _offset(evidence: Evidence, label: str) -> list[Row]:
    """Centroid of offset patches less that of aligned ones, mean over sizes that have both."""
    sizes = [s for s in _sizes(evidence, label, offset=1) if s > 1]
    sizes = [s for s in sizes if s in _sizes(evidence, label, offset=0)]
    if not sizes:
        return []
    cells = [Cell(ratio, size, offset) for offset in (1, 0) for size in sizes for ratio in RATIOS]
    profiles = read(evidence, label, cells, "gain")
    values, spread = (part.reshape(2, len(sizes), -1) for part in _centroids(profiles))
    half = np.sqrt(np.square(spread).sum((0, 1))) / len(sizes)
    return profiles.rows((values[0] - values[1]).mean(0), half)


def _centroids(profiles: Profiles) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Centroid of every patch and world, of the mean gain over ratios, and half its sampling interval.

    In skill where every level has an exact ceiling, else in R2: a mixture would weigh levels by which of them
    has a ceiling.
    """
    divisor = np.where(profiles.exact.all(1, keepdims=True), profiles.divisor, 1.0)
    gain, half = _gain(profiles) / divisor, _gain(profiles, half=True) / divisor
    found = centroid(gain, profiles.levels)
    # To first order d centroid = sum (level - centroid) d gain / total gain, over levels that gain.
    total = np.maximum(gain, 0.0).sum(-1, keepdims=True)
    arm = (profiles.levels - found[..., None]) / np.where(total > 0, total, np.nan)
    return found, np.sqrt(np.square(np.where(gain > 0, arm * half, 0.0)).sum(-1))


def _gain(profiles: Profiles, half: bool = False) -> NDArray[np.float64]:
    """Mean over ratios, (patches, worlds, levels), of the gain or of half its sampling interval."""
    values = profiles.half if half else profiles.mean
    by_ratio = values.reshape(-1, len(RATIOS), *values.shape[1:])
    return np.sqrt(np.square(by_ratio).sum(1)) / len(RATIOS) if half else by_ratio.mean(1)


def tilt(gain: NDArray[np.float64], levels: NDArray[np.int64]) -> NDArray[np.float64]:
    """Least-squares slope of the gain over levels, (...): there even where nothing is gained."""
    centred = levels - levels.mean()
    return gain @ (centred / np.square(centred).sum())


def _slope(values: NDArray[np.float64], steps: NDArray[np.float64]) -> NDArray[np.float64]:
    """Least-squares slope of values (patches, worlds) over steps."""
    return _slope_weights(steps) @ values


def _slope_half(spread: NDArray[np.float64], steps: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.sqrt(np.square(_slope_weights(steps)) @ np.square(spread))


def _slope_weights(steps: NDArray[np.float64]) -> NDArray[np.float64]:
    centred = steps - steps.mean()
    return centred / np.square(centred).sum()


def _sizes(evidence: Evidence, label: str, offset: int) -> list[int]:
    """Sizes of subtree-shaped patches (1x1, 2x1, 2x2, 4x2, ...) that a run has at both ratios, ascending."""
    cube = evidence.cube("regression")
    found = []
    for size, height, width in zip(
        cube.patch_size.values, cube.patch_height.values, cube.patch_width.values, strict=True
    ):
        if height not in (width, 2 * width) or int(size) & (int(size) - 1):
            continue
        if all(has(evidence, label, Cell(ratio, int(size), offset), "gain") for ratio in RATIOS):
            found.append(int(size))
    return sorted(found)
