"""Whether models have learnt enough to be judged: the gate on progress.

Progress of a model is (variance - loss) / (variance - Bayes loss) of masked tokens on fresh images: the share
explained of what can be explained. A model below its gate is *not trained*: it says nothing about training,
for or against, and its numbers are left out. Where inference is not exact, progress is NaN, and there is no
gate.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from math import inf, isfinite, nan
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike

from maestrata.cells import PatchShape, answers, same_ratio
from maestrata.errors import MaskError
from maestrata.results.cubes import CubeSet
from maestrata.results.numbers import Model, Numbers
from maestrata.results.read import arm_of, ratio_of

if TYPE_CHECKING:
    import xarray as xr

    from maestrata.results.select import Select

GATES = ((0.5, 0.8), (1.0, 0.6))
"""Least progress of a model that is judged: (up to this masking ratio, progress).

Above .5 less is asked for: little can be explained there, and the last of it is learnt slowest."""

UNGATED = -inf
"""The gate of a model that is judged whatever it has learnt, such as one that is starved on purpose."""

LEAST_EXPLAINABLE = 0.02
"""Share of the variance that exact inference must explain for progress to mean anything.

Below it there is nothing to learn: progress is a ratio of two errors of measurement, and is taken for 0."""


def gate_at(ratio: float) -> float:
    """Return the least progress of a model that was trained at a masking ratio.

    Examples
    --------
    >>> gate_at(0.5), gate_at(0.75)
    (0.8, 0.6)
    """
    return next(gate for most, gate in GATES if ratio <= most + 1e-9)


def gated(numbers: Numbers, models: Sequence[Model], seeds: ArrayLike) -> Numbers:
    """Return numbers without those of models below their gate, and with the models that they rest on.

    Parameters
    ----------
    numbers : Numbers
    models : sequence of Model
    seeds : array (seeds,)
        Training seeds of the numbers.
    """
    below = {(m.world_seed, m.seed) for m in models if not m.trained}
    numbers = replace(numbers, models=frozenset(models))
    if numbers.lacking or not below:
        return numbers
    of = np.asarray(seeds).tolist()
    kept = np.array([[(world, seed) not in below for seed in of] for world in numbers.world_seeds.tolist()])
    left = replace(numbers, value=np.where(kept[..., None], numbers.value, nan))
    return left.kept(np.asarray(kept.any(1, keepdims=True)))


def models_of(cubes: CubeSet, what: Select, world: str) -> list[Model]:
    """List the trained models that a selection reads; none for controls, the theory, and progress itself."""
    cube = cubes.get(what.cube)
    if cube is None or what.quantity == "progress" or world not in cube["world"].values:
        return []
    if what.cube == "regression":
        return [] if what.arm != "trained" else _of_cells(cube, what, world, what.ratio or nan)
    return _of_arm(cubes, cube, what, world) if what.cube.startswith("experiments/") else []


def _of_cells(cube: xr.Dataset, what: Select, world: str, ratio: float) -> list[Model]:
    place = {"patch_size": what.patch, "offset": what.offset, "mask_ratio": ratio}
    at = {}
    for axis, value in place.items():
        near = np.flatnonzero(same_ratio(cube[axis].values, value))
        if not len(near):
            return []
        at[axis] = int(near[0])
    here = cube.sel(world=world).isel(at)
    there = here["status"] == 1
    shape = PatchShape(int(here["patch_height"]), int(here["patch_width"]), bool(what.offset))
    name = f"sweep {shape.label}, r = {ratio:g}"
    return _models(name, world, _progress(here).where(there), _gate(what, ratio), there)


def _progress(cells: xr.Dataset) -> xr.DataArray:
    """Progress of cells; 0 where there is nothing to learn, NaN where it was not measured."""
    if "progress" not in cells:
        return cells["images_seen"] * nan
    explainable = cells["test_variance"] - cells["test_bayes_loss"]
    return cells["progress"].where(~(explainable < LEAST_EXPLAINABLE * cells["test_variance"]), 0.0)


def _of_arm(cubes: CubeSet, cube: xr.Dataset, what: Select, world: str) -> list[Model]:
    """Models of an experiment: of its own training, or cells of the sweep."""
    arm = arm_of(cube, what, world)
    if arm is None:
        return []
    ratio = ratio_of(cube, world, arm)
    if "progress" in cube["quantity"].values:
        progress = cube["value"].sel(world=world, arm=arm, quantity="progress", level=0, drop=True)
        if progress.notnull().any():
            name = f"{what.cube.partition('/')[2]} {arm}"
            return _models(name, world, progress, _gate(what, ratio), progress.notnull())
    return _of_sweep(cubes, what, world, arm, ratio)


def _of_sweep(cubes: CubeSet, what: Select, world: str, arm: str, ratio: float) -> list[Model]:
    """Models of the sweep that an arm such as ``1x1/v4`` stands for."""
    sweep, (label, _, cell) = cubes.get("regression"), arm.partition("/")
    try:
        shape = PatchShape.parse(label)
    except MaskError:
        return []
    if sweep is None or not cell or world not in sweep["world"].values:
        return []
    asked = [float(r) for r in sweep["mask_ratio"].values if answers(ratio, r)]
    if not asked:
        return []
    nearest = min(asked, key=lambda r: abs(r - ratio))
    cells = replace(what, patch=shape.size, offset=int(shape.offset))
    return _of_cells(sweep, cells, world, nearest)


def _gate(what: Select, ratio: float) -> float:
    """Gate of a selection; the strictest where the arm does not stand for a masking ratio."""
    if what.gate is not None:
        return what.gate
    return gate_at(ratio if 0 < ratio < 1 else 0.0)


def _models(name: str, world: str, progress: xr.DataArray, gate: float, there: xr.DataArray) -> list[Model]:
    values = progress.transpose("world_seed", "seed").values.tolist()
    seeds, of = progress["world_seed"].values, progress["seed"].values
    return [
        Model(name, world, int(seeds[i]), int(of[j]), _known(values[i][j]), gate)
        for i, j in np.argwhere(there.transpose("world_seed", "seed").values)
    ]


def _known(progress: float) -> float:
    """Return the one NaN for what is not known, so that the same model is equal to itself."""
    return progress if isfinite(progress) else nan
