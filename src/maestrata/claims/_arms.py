"""Numbers of an intervention on the trained models of the sweep, and contrasts of them, world by world."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from math import hypot, isfinite, isnan, nan
from typing import TYPE_CHECKING, Any

import numpy as np

from maestrata.claims.base import Evidence, Missing, Row, elsewhere
from maestrata.claims.skill import PRIMARY

if TYPE_CHECKING:
    import xarray as xr

__all__ = ["RATIO_TOLERANCE", "Contrast", "Reading", "rows"]

RATIO_TOLERANCE = 0.05
"""How far the realised masking ratio of a cell may lie from the one asked for (.125 counts as .1)."""


@dataclass(frozen=True)
class Reading:
    """A number of one arm.

    Attributes
    ----------
    quantity : str
    arm : str or float
        A control by its name, or the masking ratio of a cell of mask patches of one token.
    levels : str
        Which levels the number is the mean over: ``image`` (level 0, quantities of the whole image), ``all``
        from 1 up, ``lowest`` (1) or ``root`` (the highest).
    """

    quantity: str
    arm: str | float
    levels: str = "image"


@dataclass(frozen=True)
class Contrast:
    """One reading less another; without another, the reading itself."""

    of: Reading
    less: Reading | None = None


def rows(
    evidence: Evidence, intervention: str, contrasts: Mapping[str, Contrast], deciding: Iterable[str]
) -> dict[str, list[Row]]:
    """Return the rows of named contrasts, training seeds averaged: one a world that has the arms.

    The intervals of the two sides are joined as if they were independent. They are of the same images, so
    that the joint interval is on the wide side.

    Parameters
    ----------
    evidence : Evidence
        Its cube of the intervention has the quantity ``mask_ratio`` of each cell.
    intervention : str
    contrasts : mapping
        Test name -> contrast.
    deciding : iterable of str
        Tests without which there is no verdict.

    Returns
    -------
    dict of lists
        Worlds of the claims' own label under the test's name, those of others beside it (see
        `base.elsewhere`). What has no rows is left out.

    Raises
    ------
    Missing
        If no world of the claims' own label has what a deciding test needs.
    """
    cube = evidence.cube(f"interventions/{intervention}")
    found = {}
    for label in map(str, cube["world"].values):
        for name, contrast in contrasts.items():
            given = _of_label(cube, label, contrast)
            if given:
                found[name if label == PRIMARY else elsewhere(name, label)] = given
    for name in deciding:
        if name not in found:
            wanted = [side for side in (contrasts[name].of, contrasts[name].less) if side is not None]
            named = " and ".join(f"{side.quantity} of {side.arm}" for side in wanted)
            raise Missing(
                f"intervention {intervention} has no world {PRIMARY!r} with {named} (mask patches 1x1)"
            )
    return found


def _of_label(cube: xr.Dataset, label: str, contrast: Contrast) -> list[Row]:
    found = []
    for world_seed in cube["world_seed"].values.tolist():
        seeds = list(_seeds(cube.sel(world=label, world_seed=world_seed), contrast))
        if seeds:
            value, half = _mean(seeds)
            found.append(Row(label, int(world_seed), value, value - half, value + half, seeds=len(seeds)))
    return found


def _seeds(part: xr.Dataset, contrast: Contrast) -> Iterator[tuple[float, float]]:
    """Value and half the width of its interval, of every training seed that has the arms."""
    for seed in part["seed"].values.tolist():
        one = part.sel(seed=seed)
        of = _number(one, contrast.of)
        less = (0.0, 0.0) if contrast.less is None else _number(one, contrast.less)
        if of is not None and less is not None:
            yield of[0] - less[0], hypot(of[1], less[1])


def _number(part: xr.Dataset, reading: Reading) -> tuple[float, float] | None:
    """Return the mean over levels and half its interval's width; None where the arm was not measured."""
    arm = reading.arm if isinstance(reading.arm, str) else _cell(part, reading.arm)
    quantities = part["quantity"].values.tolist()
    if arm not in part["arm"].values.tolist() or reading.quantity not in quantities:
        return None
    at = part.sel(arm=arm, quantity=reading.quantity)
    levels = at["level"].values
    # what was measured without a value (a loss of what was at chance) has its n all the same
    measured = np.isfinite(at["n"].values) & ((levels == 0) if reading.levels == "image" else (levels > 0))
    chosen = np.flatnonzero(measured)
    if not len(chosen):
        return None
    if reading.levels == "lowest":
        chosen = chosen[:1]
    elif reading.levels == "root":
        chosen = chosen[-1:]
    value, low, high = (at[name].values[chosen] for name in ("value", "low", "high"))
    # levels share images and model: the width of a mean is at most the mean width
    return float(value.mean()), float((high - low).mean() / 2)


def _cell(part: xr.Dataset, ratio: float) -> str | None:
    """Return the arm of one-token patches whose realised ratio is the nearest to `ratio`."""
    if "mask_ratio" not in part["quantity"].values.tolist() or 0 not in part["level"].values.tolist():
        return None
    realised = part["value"].sel(quantity="mask_ratio", level=0)
    near: list[tuple[float, str]] = [
        (abs(float(r) - ratio), str(arm))
        for arm, r in zip(part["arm"].values.tolist(), realised.values, strict=True)
        if str(arm).startswith("1x1/") and abs(float(r) - ratio) <= RATIO_TOLERANCE
    ]
    return min(near)[1] if near else None


def _mean(seeds: Iterable[tuple[Any, Any]]) -> tuple[float, float]:
    values = [(v, h) for v, h in seeds if not isnan(v)]
    if not values:
        return nan, nan
    width = hypot(*(h for _, h in values)) / len(values)
    return float(np.mean([v for v, _ in values])), width if isfinite(width) else nan
