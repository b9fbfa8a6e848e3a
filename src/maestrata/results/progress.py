"""Whether models have learnt enough to be judged: the gate on progress.

Progress of a model is (variance - loss) / (variance - Bayes loss) of masked tokens on fresh images: the share
explained of what can be explained; 0 where there is nothing to learn. A model below its gate is *not
trained*: it says nothing about training, for or against, and its numbers are left out. Where inference is not
exact, progress is NaN, and there is no gate.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from math import inf, isfinite, nan
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from maestrata.cells import PatchShape, answers
from maestrata.errors import MaskError
from maestrata.results.cubes import CubeSet
from maestrata.results.numbers import Numbers
from maestrata.results.primary import NULL
from maestrata.results.read import arm_of, axis_of, place_of, position_of, ratio_of, taken

if TYPE_CHECKING:
    import xarray as xr

    from maestrata.results.select import Select

Floats = NDArray[np.float64]

GATES = ((0.5, 0.8), (1.0, 0.6))
"""Least progress of a model that is judged: (up to this masking ratio, progress).

Above .5 less is asked for: little can be explained there, and the last of it is learnt slowest."""

_MODEL = ("world_seed", "seed")

UNGATED = -inf
"""The gate of a model that is judged whatever it has learnt, such as one that is starved on purpose."""


def gate_at(ratio: float) -> float:
    """Return the least progress of a model that was trained at a masking ratio.

    Examples
    --------
    >>> gate_at(0.5), gate_at(0.75)
    (0.8, 0.6)
    """
    return next(gate for most, gate in GATES if ratio <= most + 1e-9)


class Model(NamedTuple):
    """A trained model behind a number, in the order of what identifies it.

    Attributes
    ----------
    name : str
        Where it is from, such as ``sweep 1x1, r = 0.75`` or ``samples s65536``.
    world : str
        Label of its world.
    world_seed, seed : int
    progress : float
        Share explained of what can be explained; NaN where it is not known.
    gate : float
        The least that it must be (`progress.gate_at`).
    """

    name: str
    world: str
    world_seed: int
    seed: int
    progress: float
    gate: float

    @property
    def trained(self) -> bool:
        """Whether it is at its gate or above, as far as that is known."""
        return not self.progress < self.gate


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
    if cube is None or what.quantity == "progress" or NULL in what.arm or world not in axis_of(cube, "world"):
        return []
    if what.cube == "regression":
        return _of_cells(cube, what, world, what.gate) if what.arm == "trained" else []
    return _of_arm(cubes, cube, what, world) if what.cube.startswith("experiments/") else []


def _of_cells(cube: xr.Dataset, what: Select, world: str, gate: float | None) -> list[Model]:
    """Models of the sweep; their progress is NaN where it was not measured."""
    position = position_of(cube, what)
    if isinstance(position, str) or what.ratio is None:
        return []
    place = place_of(cube, {"world": world}) | position
    there = taken(cube, "status", place, _MODEL) == 1
    progress = taken(cube, "progress", place, _MODEL) if "progress" in cube.variables else there * nan
    size = {"patch_size": position["patch_size"]}
    height, width = (int(taken(cube, f"patch_{side}", size, ())) for side in ("height", "width"))
    shape = PatchShape(height, width, bool(what.offset))
    name = f"sweep {shape.label}, r = {what.ratio:g}"
    return _models(cube, name, world, progress, gate_at(what.ratio) if gate is None else gate, there)


def _of_arm(cubes: CubeSet, cube: xr.Dataset, what: Select, world: str) -> list[Model]:
    """Models of an experiment: of its own training, or cells of the sweep."""
    arm = arm_of(cube, what, world)
    if arm is None:
        return []
    if "progress" in axis_of(cube, "quantity") and 0 in axis_of(cube, "level"):
        place = place_of(cube, {"world": world, "arm": arm, "quantity": "progress"})
        level = int(np.flatnonzero(axis_of(cube, "level") == 0)[0])
        progress = taken(cube, "value", place | {"level": level}, _MODEL)
        if np.isfinite(progress).any():
            # the strictest gate where the arm does not stand for a masking ratio
            ratio = ratio_of(cube, world, arm)
            gate = gate_at(ratio if 0 < ratio < 1 else 0.0) if what.gate is None else what.gate
            name = f"{what.cube.partition('/')[2]} {arm}"
            return _models(cube, name, world, progress, gate, np.isfinite(progress))
    return _of_sweep(cubes, cube, what, world, arm)


def _of_sweep(cubes: CubeSet, cube: xr.Dataset, what: Select, world: str, arm: str) -> list[Model]:
    """Models of the sweep that an arm such as ``1x1/v4`` stands for."""
    sweep, (label, _, cell) = cubes.get("regression"), arm.partition("/")
    try:
        shape = PatchShape.parse(label)
    except MaskError:
        return []  # an arm such as random_init or exact names no masks: it is no model of the sweep
    if sweep is None or not cell or world not in axis_of(sweep, "world"):
        return []
    ratio = ratio_of(cube, world, arm)
    near = [(abs(asked - ratio), asked) for asked in axis_of(sweep, "mask_ratio") if answers(ratio, asked)]
    if not near:
        return []
    asked = float(min(near)[1])
    cells = replace(what, cube="regression", patch=shape.size, offset=int(shape.offset), ratio=asked)
    return _of_cells(sweep, cells, world, what.gate)


def _models(
    cube: xr.Dataset, name: str, world: str, progress: Floats, gate: float, there: NDArray[np.bool_]
) -> list[Model]:
    """Models of all worlds and training seeds; what is not known has the one NaN, equal to itself."""
    seeds, of, values = (
        axis_of(cube, "world_seed").tolist(),
        axis_of(cube, "seed").tolist(),
        progress.tolist(),
    )
    return [
        Model(name, world, seeds[i], of[j], values[i][j] if isfinite(values[i][j]) else nan, gate)
        for i, j in np.argwhere(there)
    ]
