"""What an experiment is given, and what it returns."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from math import isfinite, isnan, nan
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from maestrata.cells import Cell
from maestrata.errors import ExperimentError
from maestrata.geometry import TokenGrid
from maestrata.inference.settings import Samples
from maestrata.masks import MaskPatches, realised_ratio
from maestrata.model.mae import MAE, MAEConfig
from maestrata.regression.data import ProbeData
from maestrata.resampling import percentiles
from maestrata.training.data import initial_model
from maestrata.training.recipe import Recipe
from maestrata.training.weights import load_model
from maestrata.worlds.base import World

__all__ = ["Job", "Table", "TrainedCell"]


@dataclass(frozen=True)
class TrainedCell:
    """A trained model of the sweep.

    Attributes
    ----------
    cell : Cell
        Its seed is the job's own, unless the experiment asks for ``SEEDS = "all"``.
    patches : MaskPatches
        Of the cell, on the world's grid.
    weights : Path
    """

    cell: Cell
    patches: MaskPatches
    weights: Path

    @property
    def visible(self) -> int:
        """Visible patches in training."""
        return self.cell.visible

    @property
    def seed(self) -> int:
        """Training seed."""
        return self.cell.seed

    @property
    def mask_ratio(self) -> float:
        """Realised masking ratio in training."""
        return realised_ratio(self.patches.n_patches, self.visible)

    @property
    def arm(self) -> str:
        """Label of the cell among the arms of an experiment, such as ``1x1/v4``."""
        return f"{self.patches.label}/v{self.visible}"

    def model(self) -> MAE:
        """Return the trained model, in evaluation mode, on the CPU."""
        return load_model(self.weights)


@dataclass(frozen=True)
class Job:
    """One experiment in one world.

    Attributes
    ----------
    world : World
    seed : int
        Training seed.
    cfg : MAEConfig
        Sizes of the model, for this world's tokens.
    recipe : Recipe
        How models are trained; an experiment that has a setting ``images`` replaces that alone.
    settings : mapping
        Of the experiment, complete.
    cells : tuple of TrainedCell
        Trained models of the sweep, ascending in patch and visible count; empty unless it asks for ``CELLS``.
    probe_train, test : int
        Images that probes are fitted and scored on: ``world.sample(n, "probe-train")`` and ``"test"``.
    replicates : int
        Bootstrap replicates.
    """

    world: World
    seed: int
    cfg: MAEConfig
    recipe: Recipe = field(default_factory=Recipe)
    settings: Mapping[str, Any] = field(default_factory=dict)
    cells: tuple[TrainedCell, ...] = ()
    probe_train: int = Samples.probe_train
    test: int = Samples.test
    replicates: int = Samples.replicates

    @property
    def grid(self) -> TokenGrid:
        """Token grid of the world."""
        return self.world.grid

    @property
    def images(self) -> int:
        """Training images a model: the setting ``images`` where there is one, else the recipe's."""
        return int(self.settings.get("images", self.recipe.images))

    def draw(self, world: World | None = None) -> ProbeData:
        """Draw what all in the job is scored on: images of its world, or of another one."""
        return ProbeData.draw(world or self.world, self.probe_train, self.test, self.replicates)

    def initial(self, seed: int | None = None) -> MAE:
        """Return the untrained model that training with `seed` (default: the job's) starts from."""
        return initial_model(self.cfg, self.seed if seed is None else seed)


class Table:
    """What an experiment measured: numbers by (arm, quantity, level), with their intervals.

    Examples
    --------
    >>> table = Table()
    >>> table.add("ideal", "leak", 1, 0.12, 0.10, 0.14, n=4096)
    >>> table.place("ideal", 0.5)
    >>> table.arrays()[0]["level"]
    [1]
    """

    def __init__(self) -> None:
        self._rows: dict[tuple[str, str, int], tuple[float, float, float, float]] = {}
        self._settings: dict[str, float] = {}

    def add(
        self,
        arm: str,
        quantity: str,
        level: int,
        value: float,
        low: float = nan,
        high: float = nan,
        n: float = nan,
    ) -> None:
        """Add a number.

        Parameters
        ----------
        arm : str
            What was done, such as ``trained/w4``.
        quantity : str
            What was measured, in lower case with underscores.
        level : int
            Level of the hierarchy; 0 where it is one of the whole image.
        value, low, high : float
            With the ends of its 95 % interval over samples, NaN where there is none.
        n : float
            Samples behind it.

        Raises
        ------
        ExperimentError
            If the number is infinite, or there is one at that place already.
        """
        key = (arm, quantity, int(level))
        if key in self._rows:
            raise ExperimentError(f"{arm}, {quantity}, level {level}: measured twice")
        if not (isnan(value) or isfinite(value)):
            raise ExperimentError(f"{arm}, {quantity}, level {level}: {value} must be finite, or NaN")
        self._rows[key] = (float(value), float(low), float(high), float(n))

    def add_replicates(
        self, arm: str, quantity: str, level: int, value: float, replicates: ArrayLike, n: float
    ) -> None:
        """Add a number with the percentile interval of its bootstrap replicates."""
        low, high = percentiles(np.asarray(replicates, np.float64))
        self.add(arm, quantity, level, value, float(low), float(high), n)

    def add_levels(
        self, arm: str, quantity: str, scores: NDArray[np.float64], n: float, first: int = 1
    ) -> None:
        """Add scores (levels, 1 + replicates), the number itself first, of the levels from `first` up."""
        for level, (value, *replicates) in enumerate(scores, first):
            self.add_replicates(arm, quantity, level, float(value), replicates, n)

    def place(self, arm: str, setting: float) -> None:
        """Say which number an arm stands for: its axis in a figure."""
        self._settings[arm] = float(setting)

    def arrays(self) -> tuple[dict[str, list[Any]], dict[str, NDArray[np.float64]]]:
        """Return the axes (arm, quantity, level) and arrays over them, NaN where nothing was measured."""
        if not self._rows:
            raise ExperimentError("an experiment measured nothing")
        arms = list(dict.fromkeys(key[0] for key in self._rows))
        quantities = list(dict.fromkeys(key[1] for key in self._rows))
        levels = sorted({key[2] for key in self._rows})
        data = {
            name: np.full((len(arms), len(quantities), len(levels)), nan)
            for name in ("value", "low", "high", "n")
        }
        for (arm, quantity, level), row in self._rows.items():
            at = arms.index(arm), quantities.index(quantity), levels.index(level)
            for values, number in zip(data.values(), row, strict=True):
                values[at] = number
        data["setting"] = np.array([self._settings.get(arm, nan) for arm in arms])
        return {"arm": arms, "quantity": quantities, "level": levels}, data
