"""Numbers of an experiment on the trained models of the sweep, and contrasts of them, world by world."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from math import hypot, isfinite, isnan, nan
from typing import TYPE_CHECKING

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
    evidence: Evidence, experiment: str, contrasts: Mapping[str, Contrast], deciding: Iterable[str]
) -> dict[str, list[Row]]:
    """Return the rows of named contrasts, training seeds averaged: one a world that has the arms.

    The intervals of the two sides are joined as if they were independent. They are of the same images, so
    that the joint interval is on the wide side.

    Parameters
    ----------
    evidence : Evidence
        Its cube of the experiment has the quantity ``mask_ratio`` of each cell.
    experiment : str
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
    cube = _Cube(evidence.cube(f"experiments/{experiment}"))
    found = {}
    for label in cube.worlds:
        for name, contrast in contrasts.items():
            given = cube.rows(label, contrast)
            if given:
                found[name if label == PRIMARY else elsewhere(name, label)] = given
    for name in deciding:
        if name not in found:
            wanted = [side for side in (contrasts[name].of, contrasts[name].less) if side is not None]
            named = " and ".join(f"{side.quantity} of {side.arm}" for side in wanted)
            raise Missing(
                f"experiment {experiment} has no world {PRIMARY!r} with {named} (mask patches 1x1)"
            )
    return found


class _Cube:
    """The arrays of a cube, (world, world_seed, seed, arm, quantity, level)."""

    def __init__(self, cube: xr.Dataset) -> None:
        axes = ("world", "world_seed", "seed", "arm", "quantity", "level")
        self._value, self._low, self._high, self._n = (
            cube[name].transpose(*axes).values for name in ("value", "low", "high", "n")
        )
        self.worlds = [str(label) for label in cube["world"].values]
        self._world_seeds = [int(seed) for seed in cube["world_seed"].values]
        self._arms = [str(arm) for arm in cube["arm"].values]
        self._quantities = [str(quantity) for quantity in cube["quantity"].values]
        self._levels = cube["level"].values

    def rows(self, label: str, contrast: Contrast) -> list[Row]:
        """Return a row of every world of a label that has the arms."""
        found = []
        world = self.worlds.index(label)
        for k, world_seed in enumerate(self._world_seeds):
            seeds = []
            for seed in range(self._value.shape[2]):
                of = self._number((world, k, seed), contrast.of)
                less: tuple[float, float] | None = (0.0, 0.0)
                if contrast.less is not None and of is not None:
                    less = self._number((world, k, seed), contrast.less)
                if of is not None and less is not None:
                    seeds.append((of[0] - less[0], hypot(of[1], less[1])))
            if seeds:
                value, half = _mean(seeds)
                found.append(Row(label, world_seed, value, value - half, value + half, seeds=len(seeds)))
        return found

    def _number(self, at: tuple[int, int, int], reading: Reading) -> tuple[float, float] | None:
        """Return the mean over levels and half its interval's width; None where the arm was not measured."""
        arm = reading.arm if isinstance(reading.arm, str) else self._cell(at, reading.arm)
        if arm not in self._arms or reading.quantity not in self._quantities:
            return None
        where = (*at, self._arms.index(arm), self._quantities.index(reading.quantity))
        # what was measured without a value (a loss of what was at chance) has its n all the same
        of_image = self._levels == 0
        measured = np.isfinite(self._n[where]) & (of_image if reading.levels == "image" else ~of_image)
        chosen = np.flatnonzero(measured)
        if not len(chosen):
            return None
        if reading.levels == "lowest":
            chosen = chosen[:1]
        elif reading.levels == "root":
            chosen = chosen[-1:]
        value, low, high = (values[where][chosen] for values in (self._value, self._low, self._high))
        # levels share images and model: the width of a mean is at most the mean width
        return float(value.mean()), float((high - low).mean() / 2)

    def _cell(self, at: tuple[int, int, int], ratio: float) -> str | None:
        """Return the arm of one-token patches whose realised ratio is the nearest to `ratio`."""
        if "mask_ratio" not in self._quantities or 0 not in self._levels:
            return None
        realised = self._value[at][:, self._quantities.index("mask_ratio"), list(self._levels).index(0)]
        near = [
            (abs(float(r) - ratio), arm)
            for arm, r in zip(self._arms, realised, strict=True)
            if arm.startswith("1x1/") and abs(float(r) - ratio) <= RATIO_TOLERANCE
        ]
        return min(near)[1] if near else None


def _mean(seeds: Iterable[tuple[float, float]]) -> tuple[float, float]:
    """Mean of the seeds that have a value, and half the width of its interval."""
    values = [(v, h) for v, h in seeds if not isnan(v)]
    if not values:
        return nan, nan
    width = hypot(*(h for _, h in values)) / len(values)
    return float(np.mean([v for v, _ in values])), width if isfinite(width) else nan
