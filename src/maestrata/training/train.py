"""Train the masked autoencoder of one cell: its own images, masks and start, through the one loop."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from maestrata.cells import Cell
from maestrata.masks import MaskPatches
from maestrata.model.mae import MAE, MAEConfig
from maestrata.training.checkpoint import Checkpoint
from maestrata.training.data import Batches, initial_model
from maestrata.training.loop import fit
from maestrata.training.recipe import Recipe
from maestrata.worlds.base import World


def train(
    world: World,
    patches: MaskPatches,
    visible: int,
    seed: int,
    cfg: MAEConfig,
    recipe: Recipe,
    device: str = "cpu",
    checkpoint: Checkpoint | None = None,
    name: str = "",
) -> tuple[MAE, NDArray[np.float32]]:
    """Train one cell.

    Parameters
    ----------
    world, patches, visible, recipe
        As of `maestrata.training.data.Batches`.
    seed : int
        Training seed: initial weights, masks, and which of the world's training images are seen.
    cfg : MAEConfig
    device, checkpoint
        As of `maestrata.training.loop.fit`, which says what is repeatable and what is refused.
    name : str
        Names the run in its progress and in errors; by default the folder of the cell.

    Returns
    -------
    model : MAE
    losses : ndarray of float32 (steps,)
    """
    model = initial_model(cfg, seed, world.seed)
    batches = Batches(world, patches, visible, seed, recipe)
    name = name or Cell(world.name, world.seed, patches.label, visible, seed).stem
    return model, fit(model, batches, model.loss, recipe, name, device, checkpoint)
