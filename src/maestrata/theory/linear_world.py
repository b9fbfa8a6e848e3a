"""What the linear masked autoencoder predicts for a world, at the masks of the theory, by level."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from maestrata.geometry import patchify
from maestrata.masks import MaskPatches
from maestrata.theory.arrays import GraphArrays
from maestrata.theory.linear import linear_mae, linear_r2
from maestrata.worlds.base import World

MOMENT_SAMPLES = 131_072
"""Noise in the covariance looks like long reach; at this number it adds .03 levels or less at 16 leaves."""

_BATCH = 4096


@dataclass(frozen=True)
class Moments:
    """Second moments of a world's pixels and latents, from samples.

    Attributes
    ----------
    covariance : float array (values, values)
        Of the pixels; tokens in raster order, values over (channel, y, x) within one.
    cross : float array (values, targets)
        Covariance of the pixels with the latents, standardised; one column per dimension, or symbol.
    level : int array (targets,)
        Level of each column.
    """

    covariance: NDArray[np.float64]
    cross: NDArray[np.float64]
    level: NDArray[np.int64]


def second_moments(world: World, samples: int = MOMENT_SAMPLES) -> Moments:
    """Estimate the second moments of a world from its stream ``("theory", batch)``.

    Parameters
    ----------
    world : World
    samples : int
        Rounded up to whole batches of 4,096; of a set of images each is taken once.
    """
    total, products, level = np.zeros(0), np.zeros((0, 0)), np.zeros(0, np.int64)
    size = min(_BATCH, world.images or _BATCH)
    batches = -(-min(samples, world.images or samples) // size)
    # images that are given begin anew where they end: of the last batch those are left out
    n = min(batches * size, world.images or batches * size)
    for batch in range(batches):
        sample = world.sample(size, "theory", (batch,))
        pixels = patchify(sample.images, world.token_pixels).reshape(size, -1)
        targets = [target for target in world.targets(sample) if target.kind == world.kinds[0]]
        both = np.concatenate([pixels, *(target.values for target in targets)], 1).astype(np.float64)
        both = both[: n - batch * size]
        if not batch:
            level = np.concatenate(
                [level, *(np.full(target.values.shape[1], target.level) for target in targets)]
            )
            total, products = np.zeros(both.shape[1]), np.zeros((both.shape[1], both.shape[1]))
        total += both.sum(0)
        products += both.T @ both
    values = world.grid.n_tokens * world.token_values
    covariance = products / n - np.outer(total, total) / n**2
    spread = np.sqrt(np.maximum(np.diag(covariance)[values:], 0))
    # a symbol that never occurs cannot be regressed
    occurs = spread > 1e-6
    cross = covariance[:values, values:][:, occurs] / spread[occurs]
    return Moments(covariance[:values, :values], cross, level[occurs])


def meeting_level(arrays: GraphArrays, tokens: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the level of the lowest common ancestor of each pair of tokens, (n_tokens, n_tokens).

    Parameters
    ----------
    arrays : GraphArrays
    tokens : int array (n_leaves,)
        Token that each leaf is.

    Notes
    -----
    0 on the diagonal; where two tokens have no ancestor in common, the graph's height.
    """
    above = arrays.closure[:, arrays.leaves]
    by_leaf = np.full((len(tokens), len(tokens)), arrays.level.max())
    for level in range(int(arrays.level.max()), -1, -1):
        here = above[arrays.level == level].astype(np.int64)
        by_leaf[here.T @ here > 0] = level
    by_token = np.empty_like(by_leaf)
    by_token[np.ix_(tokens, tokens)] = by_leaf
    return by_token


def linear_reach(
    moments: Moments, patches: MaskPatches, mask_ratio: float, meeting: NDArray[np.int64]
) -> list[float]:
    """Return how far the best linear map reaches, for the loss on masked and on all patches.

    The mean level at which a predicted token meets the tokens that it is predicted from, each weighed by
    the variance of what it contributes, ``E |W_ij x_j|^2``.
    """
    n_tokens = patches.grid.n_tokens
    values = len(moments.covariance) // n_tokens
    patch = np.repeat(patches.patch_of_token, values)
    reach = []
    for loss in ("masked", "all"):
        weights = linear_mae(moments.covariance, patch, mask_ratio, loss).weights
        energy = np.zeros((n_tokens, n_tokens))
        for j in range(n_tokens):
            own = slice(j * values, (j + 1) * values)
            part = weights[:, own]
            each = np.einsum("ia,ab,ib->i", part, moments.covariance[own, own], part)
            energy[:, j] = each.reshape(n_tokens, values).sum(1)
        reach.append(float((energy * meeting).sum() / energy.sum()))
    return reach


def linear_levels(
    moments: Moments, patches: MaskPatches, mask_ratio: float, rank: int, levels: int
) -> NDArray[np.float64]:
    """Return the R2 of each level, 1 to L, from whole images by the features of the reduced-rank linear MAE.

    The loss is that on all patches, whose reduced rank is closed-form.
    """
    size = len(moments.covariance) // patches.grid.n_tokens
    patch = np.repeat(patches.patch_of_token, size)
    encoder = linear_mae(moments.covariance, patch, mask_ratio, "all", rank=rank).encoder
    r2 = linear_r2(encoder, moments.covariance, moments.cross)
    of_level = (r2[moments.level == level] for level in range(1, levels + 1))
    return np.array([values.mean() if len(values) else np.nan for values in of_level])
