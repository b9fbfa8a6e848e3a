"""What is kept of a trained model: its weights and its history."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from maestrata.cubes.netcdf import write
from maestrata.model.mae import MAE
from maestrata.training.recipe import Recipe, learning_rate
from maestrata.training.weights import save_weights


def write_run(
    model: MAE,
    losses: NDArray[np.float32],
    recipe: Recipe,
    weights: Path,
    history: Path,
    about: Mapping[str, str],
) -> None:
    """Write weights (safetensors) and history (NetCDF of kind history), each whole or not at all."""
    steps = np.arange(len(losses))
    data = {
        "loss": losses,
        "learning_rate": np.array([learning_rate(recipe, step) for step in range(recipe.steps)]),
        "images_seen": (steps + 1) * recipe.batch,
    }
    write(history, "history", {"step": steps}, data, provenance=about)
    save_weights(model, weights, about)
