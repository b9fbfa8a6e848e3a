"""The encoders that are read: a model, trained or at its random start, and one that is shown no pixels."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from maestrata.model.mae import MAE
from maestrata.regression.views import EvalMasks, TokenView, VectorView, View
from maestrata.representation.encode import BATCH, layer_passes, represent
from maestrata.representation.pooling import pool


class ModelEncoder:
    """A masked autoencoder's encoder, every layer of it.

    Parameters
    ----------
    name : str
        ``trained``, ``random_init``, or a control that was trained.
    model : MAE
    images : ndarray (n, channel, y, x)
        Training images, then test images.
    batch : int
        Images encoded at a time.
    brief : bool
        The last layer alone, and without ``concat``.

    Notes
    -----
    ``concat`` is read at the last layer alone: n_tokens * width features a layer are most of a cell's time.
    """

    def __init__(
        self,
        name: str,
        model: MAE,
        images: NDArray[np.float32],
        batch: int = BATCH,
        brief: bool = False,
    ) -> None:
        self.name = name
        self.model = model
        self.images = images
        self.batch = batch
        self.brief = brief

    def views(self, masks: EvalMasks) -> Iterator[tuple[int, View]]:
        """Yield (layer, view), as many layers in memory as fit (see `layer_passes`)."""
        cfg = self.model.cfg
        tokens = 1 + (cfg.n_tokens if masks.visible_ids is None else masks.visible_ids.shape[1])
        layers = range(cfg.depth if self.brief else 0, cfg.depth + 1)
        for group in layer_passes(layers, len(self.images) * tokens * cfg.width):
            found = represent(self.model, self.images, masks.visible_ids, group, self.batch)
            for layer in group:
                more = ("concat",) if layer == cfg.depth and not self.brief else ()
                yield layer, TokenView(found.pop(layer), masks, ("global", "cls", "aligned", *more))


class PositionsEncoder:
    """The trained encoder on tokens without content: all it can read is which tokens are visible.

    Masks are drawn without a look at the image, so nothing can be regressed from them: an R2 above what
    chance gives would say that the evaluation leaks. The last layer is read, ``global`` and ``cls``, under
    masks that hide something; whole images would all be the same.

    Parameters
    ----------
    model : MAE
    image_shape : tuple of int
        (channel, y, x). Images are zero throughout, which is what those of a world average to.
    batch : int
        Masks encoded at a time.
    """

    name = "positions"

    def __init__(self, model: MAE, image_shape: tuple[int, int, int], batch: int = BATCH) -> None:
        self.model = model
        self.image_shape = image_shape
        self.batch = batch

    def views(self, masks: EvalMasks) -> Iterator[tuple[int, View]]:
        """Yield the one view there is, and none of whole images. Each mask is encoded once."""
        if masks.visible_ids is None:
            return
        patterns, which = np.unique(masks.visible_ids, axis=0, return_inverse=True)
        blank = np.zeros((len(patterns), *self.image_shape), np.float32)
        layer = self.model.cfg.depth
        tokens = represent(self.model, blank, patterns, [layer], self.batch)[layer]
        vectors = {
            pooling: pool(tokens, patterns, pooling, masks.grid)[which.ravel()]
            for pooling in ("global", "cls")
        }
        yield layer, VectorView(vectors)
