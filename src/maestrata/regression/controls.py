"""Controls without a network: what the same probes read off pixels, and off linear maps of them.

=============== ==============================================================================================
``pixels``      pixel values of the visible tokens: ``global`` their mean token (12 values of 2 x 2 pixels),
                ``concat`` all pixels, zeros where masked, ``aligned`` the mean token under the node
``pca``         principal components of all pixels (zeros where masked), as many as the encoder is wide,
                fitted on the probe-training images: under ``global`` and ``cls``, where the encoder too
                gives `width` numbers; ``aligned``: components of the pixels under the node, at most `width`
``linear_mae``  the linear masked autoencoder in closed form, its bottleneck as wide as the encoder, for the
                cell's own patches and ratio: under ``global`` and ``cls``
=============== ==============================================================================================

None of them has layers: they stand at the last one, where the primary reading is. Components have no
``concat``: all pixels are that already. The controls with a network are in `encoders` (``random_init``,
``positions``) and `maestrata.training.controls`, ``shuffled`` is in `evaluate`, ``posterior`` in `posterior`.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from maestrata.geometry import TokenGrid
from maestrata.masks import MaskPatches, realised_ratio
from maestrata.regression.views import EvalMasks, TokenView, Vectors, VectorView, View
from maestrata.representation.pooling import place_tokens
from maestrata.theory.linear import linear_mae


def visible_tokens(tokens: Vectors, masks: EvalMasks) -> Vectors:
    """Take the visible ones of tokens (n, n_tokens, v): (n, k, v)."""
    if masks.visible_ids is None:
        return tokens
    return np.take_along_axis(tokens, masks.visible_ids[..., None], axis=1)


class Pixels:
    """Raw pixels.

    Parameters
    ----------
    tokens : ndarray (n, n_tokens, v)
        Patchified images, training images first.
    layer : int
        Layer under which scores are filed: the model's last.
    """

    name = "pixels"

    def __init__(self, tokens: Vectors, layer: int) -> None:
        self.tokens = tokens
        self.layer = layer

    def views(self, masks: EvalMasks) -> Iterator[tuple[int, View]]:
        """Yield the one view there is."""
        poolings = ("global", "concat", "aligned")
        yield self.layer, TokenView(visible_tokens(self.tokens, masks), masks, poolings, has_cls=False)


class Pca:
    """Principal components of the pixels.

    Parameters
    ----------
    tokens : ndarray (n, n_tokens, v)
        Patchified images, training images first.
    layer : int
        Layer under which scores are filed.
    n_train : int
        Rows that components are fitted on, the first ones.
    width : int
        Components: the encoder's width.
    """

    name = "pca"

    def __init__(self, tokens: Vectors, layer: int, n_train: int, width: int) -> None:
        self.tokens = tokens
        self.layer = layer
        self.n_train = n_train
        self.width = width

    def views(self, masks: EvalMasks) -> Iterator[tuple[int, View]]:
        """Yield the one view there is."""
        placed = place_tokens(visible_tokens(self.tokens, masks), masks.visible_ids, self.tokens.shape[1])
        yield self.layer, PcaView(placed, masks.grid, self.n_train, self.width)


class PcaView:
    """Components of the visible pixels, (n, n_tokens, v) with zeros where masked."""

    poolings: tuple[str, ...] = ("global", "cls", "aligned")
    one_vector = True

    def __init__(self, placed: Vectors, grid: TokenGrid, n_train: int, width: int) -> None:
        self.placed = placed
        self.grid = grid
        self.n_train = n_train
        self.width = width

    def vectors(self, pooling: str) -> Vectors:
        """Components of the whole image (n, min(width, pixel values)), the same for every pooling."""
        return self._components(self.placed.reshape(len(self.placed), -1))

    def nodes(self) -> Iterator[Vectors]:
        """Components of the pixels under each node, by level: (n, n_nodes, min(width, values))."""
        for level in range(self.grid.levels + 1):
            parts = (self.placed[:, block].reshape(len(self.placed), -1) for block in self.grid.blocks(level))
            yield np.stack([self._components(part) for part in parts], axis=1)

    def _components(self, values: Vectors) -> Vectors:
        return values @ principal_axes(values[: self.n_train], self.width)


class LinearMAEControl:
    """The linear masked autoencoder (`maestrata.theory.linear`), fitted to the pixels' covariance.

    Its loss is that on all patches: only there is the best map of a given rank closed-form, so that nothing
    depends on where an iteration starts or stops. (The leading directions of the best full-rank map of the
    loss on masked patches are closed-form too, but are the best of nothing, and mostly tell less of the
    latents: docs/evaluation.md.) Where the data have no more dimensions than the encoder is wide, the
    bottleneck binds nothing, and the features are those of all pixels.

    Parameters
    ----------
    tokens : ndarray (n, n_tokens, v)
        Patchified images, training images first.
    layer : int
        Layer under which scores are filed.
    n_train : int
        Rows whose covariance it is fitted to, the first ones.
    width : int
        Rank: the encoder's width.
    patches : MaskPatches
    visible : int
        Visible patches in training, 1 to N - 1.
    """

    name = "linear_mae"

    def __init__(
        self, tokens: Vectors, layer: int, n_train: int, width: int, patches: MaskPatches, visible: int
    ) -> None:
        self.tokens = tokens
        self.layer = layer
        fitted = tokens[:n_train].reshape(n_train, -1).astype(np.float64)
        self.mean = fitted.mean(0)
        fitted -= self.mean
        self.encoder = linear_mae(
            fitted.T @ fitted / n_train,
            np.repeat(patches.patch_of_token, tokens.shape[2]),
            realised_ratio(patches.n_patches, visible),
            "all",
            rank=width,
        ).encoder

    def views(self, masks: EvalMasks) -> Iterator[tuple[int, View]]:
        """Yield the one view there is: features of the centred image, zero where masked."""
        centred = self.tokens - self.mean.reshape(self.tokens.shape[1:]).astype(np.float32)
        placed = place_tokens(visible_tokens(centred, masks), masks.visible_ids, self.tokens.shape[1])
        features = placed.reshape(len(placed), -1) @ self.encoder.T.astype(np.float32)
        yield self.layer, VectorView({"global": features, "cls": features}, one_vector=True)


def principal_axes(values: Vectors, width: int) -> NDArray[np.float32]:
    """Leading eigenvectors of the covariance of `values` (n, p), largest first: (p, min(width, p)).

    Features are not centred with them: probes standardise.
    """
    small = values.astype(np.float64)
    small -= small.mean(0)
    vectors = np.linalg.eigh(small.T @ small)[1][:, ::-1][:, :width]
    # an eigenvector's sign is free: fix it, so that equal runs on other BLAS builds are easier to compare
    signs = np.sign(vectors[np.abs(vectors).argmax(0), np.arange(vectors.shape[1])])
    return (vectors * signs).astype(np.float32)
