"""What claims read of the sweep: the primary reading, averaged over training seeds, as skill if possible.

The primary reading, fixed in advance: last encoder layer after its norm, mean-pooled tokens, whole image,
ridge.

``skill = R2 / ceiling``, the ceiling from exact inference on the same images (chance is 0). Where a world has
bounds only, or the ceiling lies below `LEAST_CEILING`, the number is R2: of a difference, a lower bound.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from maestrata.claims.base import Evidence, Missing, Row

if TYPE_CHECKING:
    import xarray as xr

__all__ = ["PRIMARY", "Cell", "Profiles", "has", "labels", "nanmean", "read", "theory_of"]

# The world of claims 6 to 9; worlds of other labels stand beside it.
PRIMARY = "additive"
READING = {"pooling": "global", "eval_ratio": "0", "probe": "ridge", "target": "latent"}
LEAST_CEILING = 0.05

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Cell:
    """A cell of the sweep, for all world seeds and training seeds: mask patch and asked ratio."""

    ratio: float
    size: int = 1
    offset: int = 0

    def __str__(self) -> str:
        return f"{self.size} token{'s' * (self.size > 1)}{', offset' * self.offset}, r = {self.ratio:g}"


@dataclass(frozen=True)
class Profiles:
    """Levels' scores of one world label at some cells.

    Attributes
    ----------
    label : str
    world_seeds : array (worlds,)
    levels : array (levels,)
        1 up to the root.
    each : array (cells, worlds, seeds, levels)
        R2, or its gain over the untrained encoder, of every training seed. NaN throughout for a training
        seed that lacks a cell: contrasts compare the same seeds.
    half : array (cells, worlds, levels)
        Half the sampling interval (ci_sample); the same test images are behind all training seeds, so it is
        that of their mean too.
    ceiling : array (worlds, levels)
        NaN where there is no exact one of at least `LEAST_CEILING`.
    """

    label: str
    world_seeds: NDArray[np.int64]
    levels: NDArray[np.int64]
    each: Floats
    half: Floats
    ceiling: Floats

    @property
    def mean(self) -> Floats:
        """Average over training seeds, (cells, worlds, levels)."""
        return nanmean(self.each, 2)

    @property
    def seeds(self) -> NDArray[np.int64]:
        """Training seeds that hold all cells, (worlds,)."""
        return np.isfinite(self.each).any(3).all(0).sum(1)

    @property
    def exact(self) -> NDArray[np.bool_]:
        """Where skill can be had, (worlds, levels)."""
        return np.isfinite(self.ceiling)

    @property
    def divisor(self) -> Floats:
        """What makes skill of R2, (worlds, levels): 1 where there is no ceiling."""
        return np.where(self.exact, self.ceiling, 1.0)

    def rows(self, values: ArrayLike, half: ArrayLike | None = None, bound: ArrayLike = False) -> list[Row]:
        """One row a world.

        Parameters
        ----------
        values : array (worlds,)
        half : array (worlds,), optional
            Half the sampling interval.
        bound : array (worlds,) or bool
            See `Row.bound`.
        """
        value = np.asarray(values, np.float64)
        spread = np.full_like(value, np.nan) if half is None else np.asarray(half, np.float64)
        lower = np.broadcast_to(np.asarray(bound), value.shape)
        return [
            Row(
                self.label,
                int(seed),
                float(value[i]),
                float(value[i] - spread[i]),
                float(value[i] + spread[i]),
                seeds=int(self.seeds[i]),
                bound=bool(lower[i]),
            )
            for i, seed in enumerate(self.world_seeds)
        ]


def labels(evidence: Evidence) -> list[str]:
    """Labels of the worlds of the sweep, the claims' own first."""
    found = [str(label) for label in evidence.cube("regression").world.values]
    return sorted(found, key=lambda label: (label != PRIMARY, label))


def read(
    evidence: Evidence, label: str, cells: Sequence[Cell], variable: str = "r2", encoder: str = "trained"
) -> Profiles:
    """Read the primary reading of a world label at some cells.

    Parameters
    ----------
    evidence : Evidence
    label : str
    cells : sequence of Cell
    variable : {"r2", "gain"}
    encoder : str

    Raises
    ------
    Missing
        If the run lacks the label, the reading, or a cell in every world.
    """
    cube = evidence.cube("regression")
    place = _place(cube, label, encoder)
    latent = np.flatnonzero(cube.level.values > 0)
    picked = [_reading(cube, place | _position(cube, cell) | {"level": latent}, variable) for cell in cells]
    values, low, high = (np.stack(parts) for parts in zip(*picked, strict=True))
    there: Any = np.isfinite(values)
    levels = there.any((0, 1, 2))
    for cell, any_there in zip(cells, there.any((1, 2, 3)), strict=True):
        if not any_there:
            raise Missing(f"world {label!r} has no cell of {cell}")
    worlds = there.any((0, 2, 3))
    values, there, half = (x[:, worlds][..., levels] for x in (values, there, (high - low) / 2))
    values = np.where(there.all((0, 3))[None, :, :, None], values, np.nan)
    world_seeds, level_numbers = cube.world_seed.values[worlds], cube.level.values[latent][levels]
    return Profiles(
        label=label,
        world_seeds=world_seeds,
        levels=level_numbers,
        each=values,
        half=nanmean(half, 2),
        ceiling=_ceiling(evidence, label, world_seeds, level_numbers),
    )


def has(evidence: Evidence, label: str, cell: Cell, variable: str = "r2") -> bool:
    """Whether any world of the label has a number at this cell."""
    cube = evidence.cube("regression")
    try:
        place = _place(cube, label, "trained") | _position(cube, cell)
    except Missing:
        return False
    return bool(np.isfinite(cube[variable].variable.isel(place).values).any())


def theory_of(evidence: Evidence, variable: str, profiles: Profiles, cells: Sequence[Cell]) -> xr.DataArray:
    """Read a number of the theory at the cells of profiles, (cell, world_seed, ...).

    Raises
    ------
    Missing
        If the run has no theory, or not of these worlds or cells.
    """
    import xarray as xr

    cube = evidence.cube("theory")
    if profiles.label not in cube.world.values:
        raise Missing(f"the theory has no world {profiles.label!r}")
    one = cube[variable].sel(world=profiles.label).reindex(world_seed=profiles.world_seeds)
    parts = [one.isel(place).drop_vars(list(place)) for place in (_position(cube, cell) for cell in cells)]
    return xr.concat(parts, "cell", coords="minimal", compat="override")


def nanmean(values: ArrayLike, axis: int | tuple[int, ...]) -> Floats:
    """Mean of what is there, NaN where nothing is."""
    x = np.asarray(values, np.float64)
    count = np.isfinite(x).sum(axis)
    return np.nansum(x, axis) / np.where(count > 0, count, np.nan)


def realised(evidence: Evidence, label: str, cell: Cell) -> float:
    """Share of patches that a cell masks."""
    cube = evidence.cube("regression")
    return float(cube.realised_ratio.sel(world=label).isel(_position(cube, cell)))


def _place(cube: xr.Dataset, label: str, encoder: str) -> dict[str, int]:
    place = {}
    for axis, value in {"world": label, "encoder": encoder, **READING}.items():
        found = np.flatnonzero(cube[axis].values == value)
        if not len(found):
            raise Missing(f"the sweep has no {axis} {value!r}")
        place[axis] = int(found[0])
    return place


def _position(cube: xr.Dataset, cell: Cell) -> dict[str, int]:
    wanted = {"mask_ratio": cell.ratio, "patch_size": cell.size, "offset": cell.offset}
    place = {}
    for axis, value in wanted.items():
        found = np.flatnonzero(np.isclose(cube[axis].values, value))
        if not len(found):
            raise Missing(f"the {cube.attrs['kind']} cube has no {axis} {value:g}")
        place[axis] = int(found[0])
    return place


def _reading(cube: xr.Dataset, place: Mapping[str, Any], variable: str) -> list[Floats]:
    """Values of the last layer that is there (models may differ in depth), and the ends of their intervals.

    Plain indexing of each variable, (world_seed, seed, level): labels have been looked up.
    """
    names = ("r2", variable, f"{variable}_low", f"{variable}_high")
    order = ("world_seed", "seed", "level", "layer")
    r2, *found = (
        cube[name].variable.isel(place).transpose(*order).values.astype(np.float64) for name in names
    )
    last = r2.shape[-1] - 1 - np.isfinite(r2[..., ::-1]).argmax(-1)
    return [np.take_along_axis(x, last[..., None], -1)[..., 0] for x in found]


def _ceiling(
    evidence: Evidence, label: str, world_seeds: NDArray[np.int64], levels: NDArray[np.int64]
) -> Floats:
    """Exact R2 of each level from the whole image, (worlds, levels); NaN where there is none to divide by."""
    nothing = np.full((len(world_seeds), len(levels)), np.nan)
    limits = evidence.there.get("limits")
    if limits is None:
        return nothing
    wanted = {"world": label, "bound": "exact", "eval_ratio": READING["eval_ratio"], "target": "latent"}
    if any(value not in limits[axis].values for axis, value in wanted.items()):
        return nothing
    place = {axis: int(np.flatnonzero(limits[axis].values == value)[0]) for axis, value in wanted.items()}
    # The whole image is the same whatever the masks were in training.
    exact = limits.r2.variable.isel(place)
    masks = [d for d in exact.dims if d not in ("world_seed", "level")]
    values = exact.transpose("world_seed", "level", *masks).values.astype(np.float64)
    ceilings = nanmean(values, tuple(range(2, values.ndim)))
    found = nothing
    for i, seed in enumerate(world_seeds):
        for k, level in enumerate(levels):
            rows, columns = limits.world_seed.values == seed, limits.level.values == level
            if rows.any() and columns.any():
                found[i, k] = ceilings[rows, columns][0]
    return np.where(found >= LEAST_CEILING, found, np.nan)
