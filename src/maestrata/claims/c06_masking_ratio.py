"""Claim 6: high-level skill is an inverted U over the masking ratio."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from maestrata.claims.base import Evidence, Missing, Row, Test, elsewhere
from maestrata.claims.skill import PRIMARY, Cell, Profiles, has, labels, read, theory_of
from maestrata.claims.statistics import leave_one_out_choice

NUMBER = 6
TITLE = "An intermediate masking ratio serves high levels best"
SAYS = (
    "Masks that are too small leave out descendants of a high-level variable, masks that are too large its "
    "evidence: high-level representations come from intermediate ratios only (the probe peaks at .75)."
)
RULE = (
    "Skill of the root, mask patches of one token: at its peak less at r = .1, and at its peak less at "
    "r = .9, both above 0. The peak is the best of .25, .5 and .75 in all the other worlds (with a single "
    "world: .75, the paper's). Additive trees decide; the levels below, other worlds and the rival accounts "
    "stand beside."
)
NEEDS = ("regression",)
TRAINS = True
TESTS = (
    Test("root: peak over .1", "above", 0.0, units="skill"),
    Test("root: peak over .9", "above", 0.0, units="skill"),
)
BESIDE = (
    Test("level below the root: peak over .1", "above", 0.0, units="skill"),
    Test("level below the root: peak over .9", "above", 0.0, units="skill"),
    Test("level 1: peak over .1", "above", 0.0, units="skill"),
    Test("level 1: peak over .9", "above", 0.0, units="skill"),
    Test("supply times demand: peak over .1", "above", 0.0, units="level"),
    Test("supply times demand: peak over .9", "above", 0.0, units="level"),
    Test("linear MAE, root: peak over .1", "above", 0.0, units="R2"),
    Test("linear MAE, root: peak over .9", "above", 0.0, units="R2"),
)

ENDS = (0.1, 0.9)
INSIDE = (0.25, 0.5, 0.75)


def rows(evidence: Evidence) -> dict[str, list[Row]]:
    """Peak less either end, in every world."""
    cells, profiles = _cells(evidence, PRIMARY)
    found: dict[str, list[Row]] = {}
    peaks: NDArray[np.intp] = np.zeros(0, np.intp)
    for name, position in (("root", -1), ("level below the root", -2), ("level 1", 0)):
        if len(profiles.levels) < abs(position):
            continue
        peaks_here = _peaks(profiles, position)
        peaks = peaks_here if position == -1 else peaks
        for end in (0, 1):
            found[_name(name, end)] = _over(profiles, peaks_here, end, position)
    for name, variable in (("supply times demand", "supply_demand"), ("linear MAE, root", "linear_r2")):
        try:
            theirs = theory_of(evidence, variable, profiles, cells)
        except Missing:
            continue
        if "level" in theirs.dims:
            theirs = theirs.sel(level=int(profiles.levels[-1]))
        values = theirs.transpose("cell", "world_seed").values
        for end in (0, 1):
            found[_name(name, end)] = profiles.rows(_at(values, peaks) - values[end])
    for label in labels(evidence):
        if label == PRIMARY:
            continue
        try:
            _, other = _cells(evidence, label)
        except Missing:
            continue
        peaks_there = _peaks(other, -1)
        for end in (0, 1):
            found[elsewhere(_name("root", end), label)] = _over(other, peaks_there, end, -1)
    return found


def sentence(means: Mapping[str, tuple[float, float, float]]) -> str:
    """What was found, in a sentence."""
    parts = []
    for end in (0, 1):
        mean, low, high = means[_name("root", end)]
        interval = f" [{low:+.3f}, {high:+.3f}]" if np.isfinite(low) else ""
        parts.append(f"{mean:+.3f}{interval} over r = {ENDS[end]:g}")
    return f"At its peak between them the root gains {' and '.join(parts)}."


def _name(what: str, end: int) -> str:
    return f"{what}: peak over {ENDS[end]:g}".replace("0.", ".")


def _cells(evidence: Evidence, label: str) -> tuple[list[Cell], Profiles]:
    """Both ends, and as many ratios between them as the run has."""
    inside = [Cell(ratio) for ratio in INSIDE if has(evidence, label, Cell(ratio))]
    if not inside:
        raise Missing(f"world {label!r} has no cell at a ratio of {', '.join(f'{r:g}' for r in INSIDE)}")
    cells = [*(Cell(ratio) for ratio in ENDS), *inside]
    return cells, read(evidence, label, cells)


def _peaks(profiles: Profiles, position: int) -> NDArray[np.intp]:
    """Cell of the peak for each world, chosen in the others."""
    inside = (profiles.mean / profiles.divisor)[len(ENDS) :, :, position]
    complete = np.isfinite(inside).all(0)
    peaks = np.full(inside.shape[1], len(inside) - 1)  # alone: .75, or the highest there is
    if complete.sum() > 1:
        peaks[complete] = leave_one_out_choice(inside[:, complete].T)
    return peaks + len(ENDS)


def _at(values: NDArray[np.float64], peaks: NDArray[np.intp]) -> NDArray[np.float64]:
    return values[peaks, np.arange(values.shape[1])]


def _over(profiles: Profiles, peaks: NDArray[np.intp], end: int, position: int) -> list[Row]:
    divisor = profiles.divisor[:, position]
    values, half = profiles.mean[..., position] / divisor, profiles.half[..., position] / divisor
    # Quadrature takes no account of the images that both cells share: rather too wide.
    spread = np.hypot(_at(half, peaks), half[end])
    return profiles.rows(_at(values, peaks) - values[end], spread, ~profiles.exact[:, position])
