"""What a selection reads: the one place where claims look into the cubes of a run.

Plain indexing of each array after its labels have been looked up. What is not there gives `Numbers.none`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from maestrata.cells import answers, same_ratio
from maestrata.resampling import nanmean
from maestrata.results.cubes import CubeSet
from maestrata.results.numbers import Numbers, aligned
from maestrata.results.primary import NULL, PRIMARY

if TYPE_CHECKING:
    import xarray as xr

    from maestrata.results.select import Select

Level: TypeAlias = Literal["image", "root", "lowest", "all", "each"] | int
Floats = NDArray[np.float64]

ASKED = ("eval_ratio", "probe", "target")
SCORES = ("r2", "r2_low", "r2_high", "gain", "gain_low", "gain_high")

LEAST_ROOM = 0.05
"""A ceiling that lies less than this above the null is not divided by: there is no skill."""


def read(cubes: CubeSet, what: Select, world: str) -> Numbers:
    """Return what a selection is of, in the worlds of a label."""
    cube = cubes.get(what.cube)
    if cube is None:
        return Numbers.none(f"the run has no cube {what.cube!r}")
    if world not in axis_of(cube, "world"):
        return Numbers.none(f"{_named(what)} has no world {world!r}")
    if what.cube == "regression":
        return _of_sweep(cubes, cube, what, world)
    if what.cube == "theory":
        return _of_theory(cube, what, world)
    return _of_experiment(cube, what, world)


def _named(what: Select) -> str:
    names = {"regression": "the sweep", "theory": "the theory"}
    return names.get(what.cube, f"experiment {what.cube.partition('/')[2]}")


# ------------------------------------------------------------------------------------------- an experiment
def _of_experiment(cube: xr.Dataset, what: Select, world: str) -> Numbers:
    if what.ratio is None and what.arm not in axis_of(cube, "arm"):
        return Numbers.none(f"{_named(what)} has no arm {what.arm!r}")
    if what.quantity not in axis_of(cube, "quantity"):
        return Numbers.none(f"{_named(what)} has no quantity {what.quantity!r}")
    arm = arm_of(cube, what, world)
    if arm is None:
        at = f"arm {what.arm!r} at a masking ratio near {what.ratio:g}"
        return Numbers.none(f"{_named(what)} has no {at} in the world {world!r}")
    place = place_of(cube, {"world": world, "arm": arm, "quantity": what.quantity})
    names = ("value", "low", "high", "n")
    value, low, high, n = (taken(cube, name, place, ("world_seed", "seed", "level")) for name in names)
    # What was measured without a value (a loss of what was at chance) has its number of samples all the same.
    there = np.isfinite(value) | np.isfinite(n)
    seeds, levels = axis_of(cube, "world_seed"), axis_of(cube, "level")
    numbers = _at_level(what, world, seeds, levels, there, value, low, high)
    counts = n[np.isfinite(n)]
    return replace(numbers, samples=(int(counts.min()), int(counts.max()))) if len(counts) else numbers


def arms_of(cube: xr.Dataset, world: str, begin: str, quantity: str) -> list[str]:
    """List the arms with a given beginning in which a quantity was measured, in the order of the file."""
    if quantity not in axis_of(cube, "quantity"):
        return []
    place = place_of(cube, {"world": world, "quantity": quantity})
    values = taken(cube, "value", place, ("arm", "world_seed", "seed", "level"))
    measured = np.isfinite(values).any((1, 2, 3))
    return [str(arm) for arm in axis_of(cube, "arm")[measured] if str(arm).startswith(begin)]


def ratio_of(cube: xr.Dataset, world: str, arm: str) -> float:
    """Masking ratio that an arm stands for in a world: its quantity `mask_ratio`, else its setting."""
    if "mask_ratio" in axis_of(cube, "quantity"):
        place = place_of(cube, {"world": world, "arm": arm, "quantity": "mask_ratio"})
        values = taken(cube, "value", place, ("world_seed", "seed", "level"))
        if np.isfinite(values).any():
            return float(np.nanmax(values))
    return float(cube["setting"].sel(arm=arm))


def arm_of(cube: xr.Dataset, what: Select, world: str) -> str | None:
    """Arm asked for: by its name, or that begins so and whose ratio lies nearest to the one asked for."""
    if what.ratio is None:
        return what.arm if what.arm in axis_of(cube, "arm") else None
    arms = arms_of(cube, world, what.arm, what.quantity)
    ratios = {arm: ratio_of(cube, world, arm) for arm in arms}
    near = [(abs(ratio - what.ratio), arm) for arm, ratio in ratios.items() if answers(ratio, what.ratio)]
    return min(near)[1] if near else None


# ----------------------------------------------------------------------------------------------- the sweep
def _of_sweep(cubes: CubeSet, cube: xr.Dataset, what: Select, world: str) -> Numbers:
    labels = {"world": world, "encoder": what.arm, **cubes.features, **what.labels}
    # of the null that the cube's gain is over, the difference in R2 is there already, with a paired interval
    paired = what.quantity == "skill" and what.null == NULL
    variable = "gain" if paired or what.quantity == "gain" else "r2"
    for axis, label in (*labels.items(), *([("encoder", NULL)] if variable == "gain" else [])):
        if label not in axis_of(cube, axis):
            return Numbers.none(f"the sweep has no {axis} {label!r}")
    position = position_of(cube, what)
    if isinstance(position, str):
        return Numbers.none(position)
    order = ("world_seed", "seed", "level", "layer")
    names = ("r2", variable, f"{variable}_low", f"{variable}_high")
    scored = _scored(cubes, cube, labels)
    place = place_of(cube, {axis: label for axis, label in labels.items() if axis not in ASKED}) | position
    r2, *scores = (taken(scored, name, place, order) for name in names)
    # models may differ in depth
    last = r2.shape[-1] - 1 - np.isfinite(r2[..., ::-1]).argmax(-1)
    value, low, high = (np.take_along_axis(x, last[..., None], -1)[..., 0] for x in scores)
    seeds, levels = axis_of(cube, "world_seed"), axis_of(cube, "level")
    numbers = _at_level(what, world, seeds, levels, np.isfinite(value), value, low, high).centred()
    if what.quantity != "skill" or numbers.lacking:
        return numbers
    if not what.null:
        return _over(numbers, _ceiling(cubes, world, numbers))
    null = read(cubes, replace(what, arm=what.null, quantity="r2"), world)
    if null.lacking:
        return null
    numbers, null = aligned([numbers, null])
    above = numbers if paired else numbers.minus(null)
    return _over(above, _ceiling(cubes, world, numbers) - null.mean)


def _scored(cubes: CubeSet, cube: xr.Dataset, labels: Mapping[str, str]) -> xr.Dataset:
    """Scores under the masks, by the probe and of the target that are asked for, in memory.

    A whole cube is too large for that, and claims ask for thousands of places of it.
    """
    asked = {axis: labels[axis] for axis in ASKED}
    names = [name for name in SCORES if name in cube.variables]
    return cubes.once(
        ("scored", *asked.values()), lambda: cube[names].isel(place_of(cube, asked)).load()
    )


def realised_ratio(cubes: CubeSet, what: Select, world: str) -> float:
    """Share of patches that a cell of the sweep masks; NaN where the run does not have it."""
    cube = cubes.get(what.cube)
    position = None if cube is None else position_of(cube, what)
    if cube is None or isinstance(position, str | None) or world not in axis_of(cube, "world"):
        return float("nan")
    return float(cube["realised_ratio"].sel(world=world).isel(position))


def _ceiling(cubes: CubeSet, world: str, numbers: Numbers) -> Floats:
    """Exact R2 of each level from the whole image, (worlds, levels); NaN where there is none."""
    ceiling = np.full((len(numbers.world_seeds), len(numbers.levels)), np.nan)
    limits = cubes.get("limits")
    wanted = {"world": world, "bound": "exact", "eval_ratio": PRIMARY["eval_ratio"], "target": "latent"}
    if limits is None or any(label not in axis_of(limits, axis) for axis, label in wanted.items()):
        return ceiling
    # The whole image is the same whatever the masks were in training.
    masks = ("patch_size", "offset", "mask_ratio")
    values = nanmean(
        taken(limits, "r2", place_of(limits, wanted), ("world_seed", "level", *masks)), (2, 3, 4)
    )
    there = {int(seed): i for i, seed in enumerate(axis_of(limits, "world_seed"))}
    columns = {int(level): k for k, level in enumerate(axis_of(limits, "level"))}
    for i, seed in enumerate(numbers.world_seeds):
        for k, level in enumerate(numbers.levels):
            if int(seed) in there and int(level) in columns:
                ceiling[i, k] = values[there[int(seed)], columns[int(level)]]
    return ceiling


def _over(numbers: Numbers, room: Floats) -> Numbers:
    """Divide by what there is between null and ceiling, (worlds, levels); NaN where that is little."""
    little = room < LEAST_ROOM
    return numbers.divided(np.where(little, 1.0, room)).kept(~little)


# ---------------------------------------------------------------------------------------------- the theory
def _of_theory(cube: xr.Dataset, what: Select, world: str) -> Numbers:
    position = position_of(cube, what)
    if isinstance(position, str):
        return Numbers.none(position)
    place = place_of(cube, {"world": world, **what.labels}) | position
    has_levels = "level" in cube.variables[what.quantity].dims
    values = taken(cube, what.quantity, place, ("world_seed", "level") if has_levels else ("world_seed",))
    value = values[:, None, :] if has_levels else values[:, None, None]
    levels = axis_of(cube, "level") if has_levels else np.zeros(1, np.int64)
    nothing = np.full_like(value, np.nan)
    seeds = axis_of(cube, "world_seed")
    return _at_level(what, world, seeds, levels, np.isfinite(value), value, nothing, nothing)


# ------------------------------------------------------------------------------------------------- shared
def position_of(cube: xr.Dataset, what: Select) -> dict[str, int] | str:
    """Place of a cell of the sweep on the axes of a cube, or what it lacks."""
    place = {}
    ratio = np.nan if what.ratio is None else what.ratio
    for axis, value in (("mask_ratio", ratio), ("patch_size", what.patch), ("offset", what.offset)):
        near = np.flatnonzero(same_ratio(axis_of(cube, axis), value))
        if not len(near):
            return f"{_named(what)} has no {axis} {value:g}"
        place[axis] = int(near[0])
    return place


def place_of(cube: xr.Dataset, labels: Mapping[str, str]) -> dict[str, int]:
    """Positions of labels on their axes."""
    return {axis: int(np.flatnonzero(axis_of(cube, axis) == label)[0]) for axis, label in labels.items()}


def axis_of(cube: xr.Dataset, name: str) -> NDArray[Any]:
    """Labels of an axis."""
    return np.asarray(cube.variables[name].values)


def taken(cube: xr.Dataset, name: str, place: Mapping[str, int], order: tuple[str, ...]) -> Floats:
    """Take a variable at a place, the other axes in an order."""
    values: Any = cube.variables[name].isel(place).transpose(*order).values
    return np.asarray(values, np.float64)


def _at_level(
    what: Select,
    world: str,
    world_seeds: NDArray[np.int64],
    levels: NDArray[np.int64],
    there: NDArray[np.bool_],
    *arrays: Floats,
) -> Numbers:
    """Take the level that is asked for, of arrays (worlds, seeds, levels), and the worlds that have any."""
    measured = np.flatnonzero(there.any((0, 1)))
    chosen = _levels(what.level, levels, measured)
    worlds = there[..., chosen].any((1, 2))
    if not worlds.any():
        return Numbers.none(_absent(what, world))
    value, low, high = (array[worlds][..., chosen] for array in arrays)
    if what.level == "all":
        here = there[worlds][..., chosen]
        value = np.where(here, value, 0.0).sum(2, keepdims=True) / _count(here)
        # levels share images and model: the width of a mean is at most the mean width
        half = np.where(here, (high - low) / 2, 0.0).sum(2, keepdims=True) / _count(here)
        low, high, numbers_of = value - half, value + half, np.zeros(1, np.int64)
    else:
        numbers_of = levels[chosen]
    return Numbers.measured(world_seeds[worlds], numbers_of, value, low, high)


def _levels(level: Level, levels: NDArray[np.int64], measured: NDArray[np.intp]) -> NDArray[np.intp]:
    """Positions of the levels that are asked for, among those that were measured."""
    latent = measured[levels[measured] > 0]
    if level == "image":
        return measured[levels[measured] == 0]
    if level == "root":
        return latent[-1:]
    if level == "lowest":
        return latent[:1]
    if isinstance(level, int):
        if level < 0:
            return latent[level : level + 1 or None] if len(latent) >= -level else latent[:0]
        return measured[levels[measured] == level]
    return latent


def _count(there: NDArray[np.bool_]) -> Floats:
    n = there.sum(2, keepdims=True).astype(np.float64)
    return np.where(n > 0, n, np.nan)


def _absent(what: Select, world: str) -> str:
    if what.cube == "theory":
        return f"the theory has no {what.quantity} in the world {world!r}"
    if what.cube == "regression":
        patch = f"{what.patch} token{'s' * (what.patch > 1)}{', offset' * what.offset}"
        return f"world {world!r} has no cell of {patch}, r = {what.ratio:g}"
    at = "" if isinstance(what.level, str) else f" at level {what.level}"
    return f"{_named(what)} has no {what.quantity!r} of {what.arm!r}{at} in the world {world!r}"
