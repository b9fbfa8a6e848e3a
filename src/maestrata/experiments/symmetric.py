"""A root whose sign no image tells: what can be predicted of it, and of its magnitude."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from maestrata.experiments._features import (
    explainable,
    pixels,
    score_levels,
    score_model,
    score_values,
    trained,
)
from maestrata.experiments.base import Job, Table
from maestrata.masks import realised_ratio
from maestrata.model.mae import MAE
from maestrata.representation.encode import last_layer
from maestrata.resampling import Estimates
from maestrata.scoring import TargetTable

SUMMARY = "R2 of the root and of its magnitude in a world whose images do not change with the root's signs"
SETTINGS = {"mask_ratios": (0.5, 0.75), "images": 60_000}
RANGES = {"mask_ratios": {"above": 0, "below": 1}, "images": {"least": "batch", "most": 10_000_000_000}}
WORLDS = ("symmetric_tree",)


def magnitudes(targets: TargetTable, level: int) -> NDArray[np.float32]:
    """Absolute values of the latents of a level, (n, nodes * dims)."""
    return np.abs(targets.values[:, targets.columns("latent", level)])


def run(job: Job) -> Table:
    """Score models trained at every ratio, the untrained one, and all pixels.

    Arms ``v{visible}`` (placed at their ratio), ``random_init`` and ``linear``; quantities ``r2`` of levels 1
    to L, and ``r2_magnitude`` of the root, that of the absolute values of its coordinates; at level 0
    ``progress`` and ``mask_ratio``.
    """
    table, data = Table(), job.data
    every = pixels(data)
    _add(table, "linear", score_levels(every, data), every, job)
    _add_model(table, "random_init", job.initial(), job)
    for visible in reversed(job.visible_counts(job.settings["mask_ratios"])):
        arm = f"v{visible}"
        _add_model(table, arm, trained(job, table, arm, explainable(job, visible), visible), job)
        table.place(arm, realised_ratio(job.grid.n_tokens, visible))
    return table


def _add_model(table: Table, arm: str, model: MAE, job: Job) -> None:
    _add(table, arm, score_model(model, job.data), last_layer(model, job.data.images), job)


def _add(table: Table, arm: str, scores: Estimates, features: NDArray[np.float32], job: Job) -> None:
    """Add scores of all levels, and of the root's magnitude by features (n, p) of the whole image."""
    data, root = job.data, job.world.levels
    table.add_levels(arm, "r2", scores, job.test)
    fitted, scored = (magnitudes(targets, root) for targets in (data.train, data.test))
    table.add(arm, "r2_magnitude", root, score_values(features, fitted, scored, data), job.test)
