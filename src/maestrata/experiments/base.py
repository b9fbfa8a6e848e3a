"""What an experiment is given, and what it returns."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from math import isfinite, isnan, nan
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from torch import Tensor

from maestrata.cells import Cell
from maestrata.errors import ExperimentError
from maestrata.geometry import TokenGrid
from maestrata.inference.settings import Samples
from maestrata.masks import MaskPatches, realised_ratio, visible_count
from maestrata.model.mae import MAE, MAEConfig
from maestrata.random import stream
from maestrata.regression.data import ProbeData
from maestrata.resampling import Estimates, bootstrap_weights, percentiles
from maestrata.training.data import Batches, MaskSource, initial_model
from maestrata.training.loop import Batch, fit
from maestrata.training.recipe import Recipe
from maestrata.training.weights import load_mae
from maestrata.worlds.base import Sample, World

Extra = Callable[[int, Batch], Tensor]
"""Step, batch -> a further tensor that the loss takes, such as which masked tokens count."""


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
        return load_mae(self.weights)


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
        How models are trained; the experiment's settings ``images``, ``batch`` and ``lr`` replace its own.
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

    def __post_init__(self) -> None:
        own = {key: self.settings[key] for key in ("images", "batch", "lr") if key in self.settings}
        object.__setattr__(self, "recipe", replace(self.recipe, **own))

    @property
    def grid(self) -> TokenGrid:
        """Token grid of the world."""
        return self.world.grid

    @cached_property
    def data(self) -> ProbeData:
        """What all models of the job are scored on: latents alone, or the class of given images."""
        return ProbeData.draw(self.world, self.probe_train, self.test, self.replicates, self.world.kinds[:1])

    def in_world(self, world: World) -> Job:
        """Return the same job in another world, with a model for its tokens."""
        grid, values = world.grid, world.token_values
        cfg = replace(self.cfg, grid_height=grid.height, grid_width=grid.width, token_values=values)
        return replace(self, world=world, cfg=cfg)

    def sample(self, split: str, setting: str) -> Sample:
        """Draw as many images as a setting says, at most the job's own number.

        Parameters
        ----------
        split : {"probe-train", "test"}
        setting : str
        """
        most = self.test if split == "test" else self.probe_train
        return self.world.sample(min(int(self.settings[setting]), most), split)

    def weights(self, n: int) -> NDArray[np.float32]:
        """Return the bootstrap weights of n images of the world, (replicates, n)."""
        return bootstrap_weights(self.world.seed, n, self.replicates)

    def initial(self, seed: int | None = None) -> MAE:
        """Return the untrained model that training with `seed` (default: the job's) starts from."""
        return initial_model(self.cfg, self.seed if seed is None else seed, self.world.seed)

    def visible_counts(self, ratios: Iterable[float]) -> list[int]:
        """Return the counts of visible tokens that masking ratios realise, each once, most visible first."""
        return sorted({visible_count(self.grid.n_tokens, ratio) for ratio in ratios}, reverse=True)

    def batches(
        self,
        visible: int,
        patches: MaskPatches | None = None,
        recipe: Recipe | None = None,
        masks: MaskSource | None = None,
        extra: Extra | None = None,
    ) -> Callable[[int], Batch]:
        """Return what `maestrata.training.loop.fit` draws its batches from: see `train`."""
        patches, recipe = patches or MaskPatches(self.grid), recipe or self.recipe
        plain = Batches(self.world, patches, visible, self.seed, recipe, masks)
        return plain if extra is None else lambda step: (*(drawn := plain(step)), extra(step, drawn))

    def train(
        self,
        name: str,
        visible: int,
        patches: MaskPatches | None = None,
        recipe: Recipe | None = None,
        masks: MaskSource | None = None,
        extra: Extra | None = None,
    ) -> tuple[MAE, NDArray[np.float32]]:
        """Train the job's model from its start; return it with its losses (steps,).

        Parameters
        ----------
        name : str
            Names the run in its progress and in errors.
        visible : int
            Visible patches.
        patches : MaskPatches, optional
            Of one token by default.
        recipe : Recipe, optional
            The job's own by default.
        masks : callable, optional
            In place of masks drawn at random.
        extra : callable, optional
            What `MAE.loss` takes after tokens, visible ids and masked ids: which masked tokens count.
        """
        model, recipe = self.initial(), recipe or self.recipe
        batches = self.batches(visible, patches, recipe, masks, extra)
        return model, fit(model, batches, model.loss, recipe, name)


def random_ranks(job: Job, step: int, shape: tuple[int, ...]) -> NDArray[np.int64]:
    """Rank the masked tokens of each image of a training step in random order, (b, m) from 0.

    From the stream ``("experiment", world_seed, step)`` of the training seed.
    """
    return stream(job.seed, "experiment", job.world.seed, step).random(shape).argsort(1).argsort(1)


class Table:
    """What an experiment measured: numbers by (arm, quantity, level), with their intervals.

    Examples
    --------
    >>> table = Table()
    >>> table.add("ideal", "leak", 1, 0.12, n=4096)
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
        estimate: ArrayLike,
        n: float = nan,
        ends: tuple[float, float] | None = None,
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
        estimate : float or array (1 + replicates,)
            The number, then its bootstrap replicates: its 95 % interval over samples is their percentiles.
        n : float
            Samples behind it.
        ends : (float, float), optional
            Of its interval, where that has no replicates.

        Raises
        ------
        ExperimentError
            If the number is infinite, or there is one at that place already.
        """
        key = (arm, quantity, int(level))
        numbers = np.atleast_1d(np.asarray(estimate, np.float64))
        value = float(numbers[0])
        if key in self._rows:
            raise ExperimentError(f"{arm}, {quantity}, level {level}: measured twice")
        if not (isnan(value) or isfinite(value)):
            raise ExperimentError(f"{arm}, {quantity}, level {level}: {value} must be finite, or NaN")
        low, high = ends or (percentiles(numbers[1:]) if len(numbers) > 1 else (nan, nan))
        self._rows[key] = (value, float(low), float(high), float(n))

    def add_levels(self, arm: str, quantity: str, estimates: Estimates, n: float) -> None:
        """Add estimates (levels, 1 + replicates) of the levels from 1 up."""
        for level, estimate in enumerate(estimates, 1):
            self.add(arm, quantity, level, estimate, n)

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
