"""Tokens of images as numbers: their features, and how strongly these depend on one another.

Dependence between tokens need not be linear in pixels. So each token is given by its leading principal scores
and by those of random Fourier features of them (Rahimi and Recht, 2007), position by position.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from maestrata.geometry import TokenGrid, patchify

Floats = NDArray[np.float64]

WAVES = 64  # random Fourier features of a token
FREQUENCY = 1.5  # of a wave, in standard deviations of a token's typical distance
SCORES = 12  # principal scores of a token, and as many of its waves
PIXELS = 8  # scores that stand for the pixels which a masked autoencoder predicts
SMALLEST = 1e-3  # share of the greatest variance below which a direction is noise of rounding


@dataclass(frozen=True)
class TokenFeatures:
    """What is known of every token of every image, centred.

    Attributes
    ----------
    grid : TokenGrid
    pixels : list of float arrays (n, p)
        Of each token, the leading principal scores of its pixels, with their variances.
    features : list of float arrays (n, d)
        Of each token, principal scores of its pixels and of its waves, each of unit variance.
    """

    grid: TokenGrid
    pixels: list[Floats]
    features: list[Floats]


def token_features(
    images: NDArray[np.floating], grid: TokenGrid, token_pixels: int, rng: np.random.Generator
) -> TokenFeatures:
    """Take the features of every token.

    Parameters
    ----------
    images : ndarray (n, channel, y, x)
    grid : TokenGrid
    token_pixels : int
    rng : numpy.random.Generator
        Draws the waves, the same ones for every token.
    """
    tokens = patchify(images, token_pixels)
    frequencies = rng.standard_normal((SCORES, WAVES))
    phases = rng.uniform(0, 2 * np.pi, WAVES)
    pixels, features = [], []
    for token in range(grid.n_tokens):
        scores = _principal(tokens[:, token].astype(np.float64), SCORES)
        white = scores / scores.std(0)
        angle = white @ (frequencies[: white.shape[1]] * FREQUENCY / np.sqrt(max(white.shape[1], 1)))
        waves = _principal(np.cos(angle + phases), SCORES)
        pixels.append(scores[:, :PIXELS])
        features.append(np.concatenate([white, waves / waves.std(0)], 1))
    return TokenFeatures(grid, pixels, features)


def _principal(values: Floats, most: int) -> Floats:
    """Leading principal scores of values (n, v): (n, at most `most`), the greatest variance first.

    None of values that never vary, but for rounding.
    """
    rounding = 1e-12 * np.square(values).sum(1).mean()
    values = values - values.mean(0)
    variance, axes = np.linalg.eigh(values.T @ values / len(values))
    kept = variance > max(SMALLEST * variance[-1], rounding)
    return values @ axes[:, kept][:, ::-1][:, :most]


def token_distances(covariance: Floats, columns: list[NDArray[np.int64]], n: float) -> Floats:
    """Return minus the logarithm of how strongly tokens depend on one another, (tokens, tokens).

    Parameters
    ----------
    covariance : float array (d, d)
        Of the features of all tokens.
    columns : list of int arrays
        Features of each token.
    n : float
        Images it was taken from. Of two independent tokens of p and q features the canonical correlations
        squared add up to p q / n by chance, which is taken off.

    Notes
    -----
    The strength is the root of the mean squared canonical correlation. What chance alone could give is held
    at that, so that tokens with nothing in common are all equally far. So is a token that never varies, which
    has no features.
    """
    roots = [_inverse_root(covariance[np.ix_(c, c)]) for c in columns]
    white = np.zeros_like(covariance)
    for c, root in zip(columns, roots, strict=True):
        white[c] = root @ covariance[c]
    count = len(columns)
    distances = np.zeros((count, count))
    for i, j in zip(*np.triu_indices(count, 1), strict=True):
        a, b = columns[i], columns[j]
        if not (len(a) and len(b)):
            distances[i, j] = distances[j, i] = np.inf
            continue
        chance = len(a) * len(b) / n
        squares = np.square(white[np.ix_(a, b)] @ roots[j]).sum() - chance
        least = 2 * np.sqrt(2 * len(a) * len(b)) / n  # two standard errors of a sum of chi squares
        share = max(squares, least) / min(len(a), len(b))
        distances[i, j] = distances[j, i] = -0.5 * np.log(min(share, 1.0))
    finite = np.isfinite(distances)
    return np.where(finite, distances, distances[finite].max())


def _inverse_root(matrix: Floats) -> Floats:
    values, vectors = np.linalg.eigh(matrix)
    # above 0: a bootstrap sample may hold no image that varies here
    least = max(1e-9 * values.max(initial=0), 1e-12)
    scaled: Floats = vectors / np.sqrt(np.maximum(values, least)) @ vectors.T
    return scaled


def covariance_of(values: Floats, shrinkage: float, weights: NDArray[np.floating] | None = None) -> Floats:
    """Return the covariance of values (n, d), each image counted `weights` times, shrunk to its diagonal."""
    w = np.ones(len(values)) if weights is None else np.asarray(weights, np.float64)
    w = w / w.sum()
    centred = values - w @ values
    s: Floats = (1 - shrinkage) * ((centred * w[:, None]).T @ centred)
    s[np.diag_indices_from(s)] /= 1 - shrinkage
    return s
