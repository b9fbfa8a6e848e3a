"""A cell small enough to train in a moment, on one thread."""

import numpy as np
import pytest
import torch

from maestrata.masks import MaskPatches
from maestrata.model.mae import MAEConfig
from maestrata.training.recipe import Recipe
from maestrata.worlds import make

torch.set_num_threads(1)


@pytest.fixture(scope="session")
def cell():
    """Arguments of `train`: a Gaussian world of 8 tokens, 40 steps."""
    world = make("gaussian_tree", 3, leaves=8, dim=2)
    cfg = MAEConfig(world.grid.height, world.grid.width, world.token_values, width=16, depth=2, heads=2,
                    decoder_width=16, decoder_heads=2)  # fmt: skip
    return {
        "world": world,
        "patches": MaskPatches(world.grid),
        "visible": 4,
        "seed": 5,
        "cfg": cfg,
        "recipe": Recipe(images=40 * 32, batch=32, lr=5e-3),
    }


@pytest.fixture(scope="session")
def same():
    """Whether two results of `train` are equal to the bit."""

    def equal(one, other):
        (model, losses), (again, its) = one, other
        weights = dict(again.named_parameters())
        return np.array_equal(losses, its) and all(
            torch.equal(p, weights[name]) for name, p in model.named_parameters()
        )

    return equal
