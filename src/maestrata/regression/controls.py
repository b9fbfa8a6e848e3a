"""Controls without a network: features of pixels, of linear maps of them, and of exact inference.

=============== ==============================================================================================
``pixels``      pixel values of the visible tokens: ``aligned`` all pixels under the node and ``concat`` all
                pixels, zeros where masked, ``global`` the mean token (12 values of 2 x 2 pixels)
``linear_mae``  the linear masked autoencoder in closed form, its bottleneck as wide as the encoder, for the
                cell's own patches and ratio: the same numbers of the whole image under ``concat`` and for
                every node under ``aligned``
``posterior``   exact posterior means (probabilities of symbols): ``concat`` those of all latents, levels 1 to
                L, side by side, ``aligned`` those of the node; level 0: of the token's own variable
=============== ==============================================================================================

None of them has layers: they stand at the last one, where the primary features are. `encoders` declares
them, and those with a network.
"""

from __future__ import annotations

import operator
from collections.abc import Sequence
from functools import reduce

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import eigh

from maestrata.bounds import MOST_COVARIANCE
from maestrata.inference.base import is_exact, is_slow, posterior
from maestrata.masks import MaskPatches, mask_matrix, realised_ratio
from maestrata.regression.data import Encode, EvalMasks, Labelled, Vectors
from maestrata.representation.pooling import node_tokens, place_tokens, pooled
from maestrata.standardise import CHUNK
from maestrata.theory.linear import linear_mae
from maestrata.worlds.base import World


def pixels(tokens: Vectors, layer: int) -> Encode:
    """Features of raw pixels: tokens (n, n_tokens, v), training images first, filed under `layer`."""

    def encode(masks: EvalMasks, poolings: Sequence[str]) -> Labelled:
        kinds = [pooling for pooling in ("global", "concat") if pooling in poolings]
        # large images are much: what is visible of them is taken twice rather than held
        of_all = pooled(visible_tokens(tokens, masks), masks.visible_ids, kinds, masks.grid, has_cls=False)
        yield from ((layer, pooling, features) for pooling, features in of_all)
        del of_all
        if "aligned" in poolings:
            placed = place_tokens(visible_tokens(tokens, masks), masks.visible_ids, tokens.shape[1])
            yield layer, "aligned", map(_flat, node_tokens(placed, masks.grid))  # one level at a time

    return encode


def linear(
    tokens: Vectors, layer: int, n_train: int, width: int, patches: MaskPatches, visible: int
) -> Encode:
    """Features of the linear masked autoencoder (`maestrata.theory.linear`), fitted to pixel covariances.

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
    mean, encoder = fit_linear_mae(tokens[:n_train], width, patches, visible)
    mean, rows = mean.astype(np.float32), encoder.T.astype(np.float32)

    def encode(masks: EvalMasks, poolings: Sequence[str]) -> Labelled:
        placed = place_tokens(visible_tokens(tokens - mean, masks), masks.visible_ids, tokens.shape[1])
        features = placed.reshape(len(placed), -1) @ rows
        for pooling in ("concat", "aligned"):
            if pooling in poolings:
                yield layer, pooling, features

    return encode


def has_posterior(world: World) -> bool:
    """Whether the posterior of a world is exact, and cheap enough for every image that a probe needs."""
    return is_exact(world) and not is_slow(world)


def posterior_means(world: World, images: NDArray[np.float32], layer: int) -> Encode:
    """Features by exact inference, in the place of an encoder.

    A probe on posterior means cannot beat them: the posterior mean is the best prediction there is. What the
    probe loses from there to the ceiling is its own loss, and no encoder can be blamed for that much.

    Parameters
    ----------
    world : World
        One that `has_posterior`.
    images : ndarray (n, channel, y, x)
        Training images, then test images.
    layer : int
        Layer under which scores are filed: the models' last.
    """

    def encode(masks: EvalMasks, poolings: Sequence[str]) -> Labelled:
        shown = np.ones((len(images), world.grid.n_tokens), bool)
        if masks.visible_ids is not None:
            shown = mask_matrix(masks.visible_ids, world.grid.n_tokens)
        parts = (slice(start, start + CHUNK) for start in range(0, len(images), CHUNK))
        means = [posterior(world, images[rows], shown[rows], dtype=np.float32).mean for rows in parts]
        by_level = [(level, np.concatenate([mean[level] for mean in means])) for level in sorted(means[0])]
        del means
        if "concat" in poolings:
            latents = (mean.reshape(len(mean), -1) for level, mean in by_level if level)
            yield layer, "concat", np.concatenate(list(latents), axis=1)
        if "aligned" in poolings:
            yield layer, "aligned", (mean for _, mean in by_level)

    return encode


def fit_linear_mae(
    tokens: Vectors, width: int, patches: MaskPatches, visible: int
) -> tuple[NDArray[np.floating], NDArray[np.float64]]:
    """Return the mean (n_tokens, v) of tokens (n, n_tokens, v), and the encoder (width, n_tokens * v)."""
    n_tokens, values = tokens.shape[1:]
    mean, covariance = moments(tokens.reshape(len(tokens), -1))
    patch = np.repeat(patches.patch_of_token, values)
    ratio = realised_ratio(patches.n_patches, visible)
    return mean.reshape(n_tokens, values), linear_mae(covariance, patch, ratio, "all", rank=width).encoder


def moments(values: Vectors) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the mean (p,) and the covariance (p, p) of values (n, p), some rows in float64 at a time."""
    mean = values.mean(0, dtype=np.float64)
    parts = (values[start : start + CHUNK] - mean for start in range(0, len(values), CHUNK))
    return mean, reduce(operator.iadd, (part.T @ part for part in parts)) / len(values)


def _flat(nodes: Vectors) -> Vectors:
    return nodes.reshape(*nodes.shape[:2], -1)


def visible_tokens(tokens: Vectors, masks: EvalMasks) -> Vectors:
    """Take the visible ones of tokens (n, n_tokens, v): (n, k, v)."""
    if masks.visible_ids is None:
        return tokens
    return np.take_along_axis(tokens, masks.visible_ids[..., None], axis=1)


COMPONENTS = 256


def reduced(features: Vectors, n_train: int, most: int = COMPONENTS) -> Vectors:
    """Reduce features (n, p) without labels to `COMPONENTS` numbers, where they are more than `most`.

    These are their principal components, of the `n_train` training images, which come first. Probes of all
    tokens thus have as many coefficients whatever the number and width of the tokens.
    """
    if features.shape[1] <= most:
        return features
    return features @ principal_axes(features[:n_train], COMPONENTS)


def principal_axes(values: Vectors, width: int) -> NDArray[np.float32]:
    """Leading eigenvectors of the covariance of `values` (n, p), largest first: (p, min(width, p)).

    Features are not centred with them: probes standardise.
    """
    n, p = values.shape
    if p > max(n, MOST_COVARIANCE):  # the same directions, from the products of the images
        mean = values.mean(0, dtype=np.float64)
        columns = [slice(start, start + CHUNK) for start in range(0, p, CHUNK)]
        parts = (values[:, at] - mean[at] for at in columns)  # in float64, some at a time
        products = reduce(operator.iadd, (part @ part.T for part in parts))
        leading = (max(0, n - width), n - 1)
        variance, vectors = eigh(products, subset_by_index=leading, check_finite=False)
        kept = variance > 1e-10 * variance[-1]
        scaled = (vectors[:, kept] / np.sqrt(variance[kept]))[:, ::-1]
        return _signed(np.concatenate([(values[:, at] - mean[at]).T @ scaled for at in columns]))
    # importing scikit-learn, whose PCA solves the same problem, takes longer than these lines
    leading = (max(0, p - width), p - 1)
    vectors = eigh(moments(values)[1], subset_by_index=leading, overwrite_a=True, check_finite=False)[1]
    return _signed(vectors[:, ::-1])


def _signed(vectors: NDArray[np.float64]) -> NDArray[np.float32]:
    """Fix the sign of eigenvectors, which is free: equal runs on other BLAS builds are easier to compare."""
    signs = np.sign(vectors[np.abs(vectors).argmax(0), np.arange(vectors.shape[1])])
    return (vectors * signs).astype(np.float32)
