"""Where the cells of a sweep stand in its cube: worlds and mask patches, and the ratios that there are."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    import xarray as xr


class Place(NamedTuple):
    """Where cells stand in the grid, whatever their ratio; `_asdict` selects it from a cube."""

    world: str
    patch_size: int
    offset: int


def places(cube: xr.Dataset) -> list[Place]:
    """List the places that have any cell in the grid."""
    axes = ("world", "patch_size", "offset")
    there = (cube.status > 0).any([d for d in cube.status.dims if d not in axes]).transpose(*axes)
    labels = [there[axis].values.tolist() for axis in axes]
    return [Place(*(of[i] for of, i in zip(labels, at, strict=True))) for at in np.argwhere(there.values)]


def smallest(cube: xr.Dataset) -> list[Place]:
    """For each world, its smallest mask patch."""
    first: dict[str, Place] = {}
    for place in places(cube):
        first.setdefault(place.world, place)
    return list(first.values())


def at(cube: xr.Dataset, place: Place) -> xr.Dataset:
    """Select a place."""
    return cube.sel(place._asdict())


def columns_of(cube: xr.Dataset) -> xr.Dataset:
    """Keep one asked ratio for each realised one, where any cell is in the grid, in rising order.

    `cube` is at one world and patch.
    """
    asked = (cube.status > 0).any([d for d in cube.status.dims if d != "mask_ratio"])
    kept: dict[float, int] = {}
    for i in np.argsort(cube.realised_ratio.values, kind="stable"):
        if bool(asked[i]):
            kept.setdefault(float(cube.realised_ratio[i]), int(i))
    return cube.isel(mask_ratio=list(kept.values()))
