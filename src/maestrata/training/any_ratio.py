"""One small model trained at random ratios on a set of images: how much of them can be explained at all."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from maestrata.geometry import TokenGrid, patchify
from maestrata.masks import MaskPatches, draw_masks
from maestrata.model.mae import MAEConfig
from maestrata.random import stream
from maestrata.training.data import initial_model
from maestrata.training.loop import fit
from maestrata.training.recipe import Recipe

RECIPE = Recipe(images=96_000)
HELD_OUT = 1024


def explained_by_model(
    images: NDArray[np.floating], grid: TokenGrid, token_pixels: int, seed: int, recipe: Recipe = RECIPE
) -> float:
    """Train a small masked autoencoder, each step with another number of visible tokens, and test it.

    Parameters
    ----------
    images : ndarray (n, channel, y, x)
        A quarter of them, at most 1,024, are held out.
    grid : TokenGrid
    token_pixels : int
    seed : int
    recipe : Recipe

    Returns
    -------
    float
        Share of the variance of masked tokens that it explains where half of the tokens are masked, of images
        that it was not trained on.
    """
    tokens = patchify(images, token_pixels).astype(np.float32)
    tokens = (tokens - tokens.mean((0, 1))) / max(float(tokens.std()), 1e-9)
    held = min(HELD_OUT, len(tokens) // 4)
    test, train = tokens[:held], tokens[held:]
    n = grid.n_tokens
    cfg = MAEConfig(grid.height, grid.width, tokens.shape[2], width=32, decoder_width=32)
    model, patches = initial_model(cfg, seed, 0), MaskPatches(grid)

    def batch(step: int) -> tuple[Tensor, Tensor, Tensor]:
        rng = stream(seed, "train", step)
        rows = rng.integers(0, len(train), recipe.batch)
        visible, masked = draw_masks(patches, int(rng.integers(1, n)), rng.random((recipe.batch, n)))
        return torch.from_numpy(train[rows]), torch.from_numpy(visible), torch.from_numpy(masked)

    fit(model, batch, model.loss, recipe, "model at random ratios")
    ids = draw_masks(patches, n // 2, stream(seed, "eval-masks").random((held, n)))
    with torch.no_grad():
        loss = float(model.eval().loss(torch.from_numpy(test), *map(torch.from_numpy, ids)))
    return 1 - loss / float(test.var(0).mean())
