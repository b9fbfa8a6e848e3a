"""A root whose sign no image tells: what can be predicted of it, and of its magnitude."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from maestrata.experiments._features import pixels, score_levels, score_values
from maestrata.experiments.base import Job, Table
from maestrata.masks import MaskPatches, realised_ratio, visible_count
from maestrata.regression.data import ProbeData
from maestrata.representation.encode import last_layer
from maestrata.scoring import TargetTable
from maestrata.training.train import train

NAME = "symmetric"
SUMMARY = "R2 of the root and of its magnitude in a world whose images do not change with the root's signs"
SETTINGS = {"mask_ratios": (0.5, 0.75), "images": 60_000}
RANGES = {"mask_ratios": {"above": 0, "below": 1}, "images": {"least": "batch", "most": 10_000_000_000}}
WORLDS = ("symmetric_tree",)
CELLS = False


def magnitudes(targets: TargetTable, level: int) -> NDArray[np.float32]:
    """Absolute values of the latents of a level, (n, nodes * dims)."""
    return np.abs(targets.values[:, targets.columns("latent", level)])


def run(job: Job) -> Table:
    """Score models trained at every ratio, the untrained one, and all pixels.

    Arms ``v{visible}`` (placed at their ratio), ``random_init`` and ``linear``; quantities ``r2`` of levels 1
    to L, and ``r2_magnitude`` of the root, that of the absolute values of its coordinates.
    """
    table, data = Table(), job.draw()
    _add(table, "linear", pixels(data), data, job)
    _add(table, "random_init", last_layer(job.initial(), data.images), data, job)
    patches, recipe = MaskPatches(job.grid), replace(job.recipe, images=job.images)
    for visible in sorted({visible_count(patches.n_patches, r) for r in job.settings["mask_ratios"]}):
        arm = f"v{visible}"
        model, _ = train(job.world, patches, visible, job.seed, job.cfg, recipe, name=arm)
        _add(table, arm, last_layer(model, data.images), data, job)
        table.place(arm, realised_ratio(patches.n_patches, visible))
    return table


def _add(table: Table, arm: str, features: NDArray[np.float32], data: ProbeData, job: Job) -> None:
    table.add_levels(arm, "r2", score_levels(features, data), job.test)
    root = job.world.levels
    fitted, scored = (magnitudes(targets, root) for targets in (data.train, data.test))
    magnitude = score_values(features, fitted, scored, data)
    table.add_levels(arm, "r2_magnitude", magnitude[None], job.test, first=root)
