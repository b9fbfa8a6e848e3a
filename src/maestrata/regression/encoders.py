"""The encoders that are read: a model, trained or at its random start."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch
from numpy.typing import NDArray

from maestrata.model.mae import MAE, MAEConfig
from maestrata.random import integer_seed
from maestrata.regression.views import EvalMasks, TokenView, View
from maestrata.representation.encode import BATCH, layer_passes, represent


def initial_model(cfg: MAEConfig, seed: int) -> MAE:
    """Return the model that training with `seed` starts from: the same stream ``init``, the same weights."""
    return MAE(cfg).initialise(torch.Generator().manual_seed(integer_seed(seed, "init")))


class ModelEncoder:
    """A masked autoencoder's encoder, every layer of it.

    Parameters
    ----------
    name : str
        ``trained`` or ``random_init``.
    model : MAE
    images : ndarray (n, channel, y, x)
        Training images, then test images.
    batch : int
        Images encoded at a time.

    Notes
    -----
    ``concat`` is read at the last layer alone: n_tokens * width features a layer are most of a cell's time.
    """

    def __init__(self, name: str, model: MAE, images: NDArray[np.float32], batch: int = BATCH) -> None:
        self.name = name
        self.model = model
        self.images = images
        self.batch = batch

    def views(self, masks: EvalMasks) -> Iterator[tuple[int, View]]:
        """Yield (layer, view), as many layers in memory as fit (see `layer_passes`)."""
        cfg = self.model.cfg
        tokens = 1 + (cfg.n_tokens if masks.visible_ids is None else masks.visible_ids.shape[1])
        for group in layer_passes(range(cfg.depth + 1), len(self.images) * tokens * cfg.width):
            found = represent(self.model, self.images, masks.visible_ids, group, self.batch)
            for layer in group:
                poolings = ("global", "cls", "aligned", *(("concat",) if layer == cfg.depth else ()))
                yield layer, TokenView(found.pop(layer), masks, poolings)
