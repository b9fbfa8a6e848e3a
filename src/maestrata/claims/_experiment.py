"""What claims read of a cube of experiments: a quantity of an arm as one row a world."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from maestrata.claims.base import Evidence, Missing, Row
from maestrata.claims.skill import PRIMARY, nanmean

if TYPE_CHECKING:
    import xarray as xr

__all__ = ["arms", "labels", "measured", "root"]


def labels(evidence: Evidence, name: str) -> list[str]:
    """Labels of the worlds of an experiment; raises `Missing` where the claims' own is not among them."""
    found = [str(label) for label in evidence.cube(f"experiments/{name}").world.values]
    if PRIMARY not in found:
        raise Missing(f"experiment {name} was not run in the world {PRIMARY!r}")
    return sorted(found, key=lambda label: (label != PRIMARY, label))


def root(evidence: Evidence, name: str, label: str) -> int:
    """Highest level at which anything was measured in the worlds of a label."""
    values = evidence.cube(f"experiments/{name}").value.sel(world=label)
    there = np.isfinite(values.values).any(tuple(i for i, d in enumerate(values.dims) if d != "level"))
    if not there.any():
        raise Missing(f"experiment {name} measured nothing in the world {label!r}")
    return int(values.level.values[there].max())


def arms(evidence: Evidence, name: str, label: str, quantity: str) -> dict[str, float]:
    """Arms in which a quantity was measured, with their settings, in the order of the file."""
    cube = evidence.cube(f"experiments/{name}")
    if quantity not in cube.quantity.values:
        raise Missing(f"experiment {name} has no quantity {quantity!r}")
    there = cube.value.sel(world=label, quantity=quantity).notnull()
    there = there.any([d for d in there.dims if d != "arm"])
    return {str(arm.item()): float(cube.setting.sel(arm=arm)) for arm in cube.arm[there.values]}


def measured(evidence: Evidence, name: str, label: str, arm: str, quantity: str, level: int = 0) -> list[Row]:
    """Read a quantity as one row a world, training seeds averaged.

    The interval over samples is that of one training seed: all are read on the same test images.

    Raises
    ------
    Missing
        If the experiment has no such arm, quantity or level.
    """
    cube: xr.Dataset = evidence.cube(f"experiments/{name}")
    place = {"world": label, "arm": arm, "quantity": quantity, "level": level}
    for axis, value in place.items():
        if value not in cube[axis].values:
            raise Missing(f"experiment {name} has no {axis} {value!r}")
    one = cube[["value", "low", "high"]].sel(place).transpose("world_seed", "seed")
    there = np.isfinite(one.value.values)
    value = nanmean(one.value.values, 1)
    low, high = (value + nanmean(one[end].values - one.value.values, 1) for end in ("low", "high"))
    return [
        Row(label, int(seed), float(value[i]), float(low[i]), float(high[i]), int(there[i].sum()))
        for i, seed in enumerate(one.world_seed.values)
        if there[i].any()
    ]
