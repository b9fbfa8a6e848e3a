"""Tokens of images as numbers whose covariance is taken: pixels, and what is not linear in them.

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
    """Leading principal scores of values (n, v): (n, at most `most`), the greatest variance first."""
    values = values - values.mean(0)
    variance, axes = np.linalg.eigh(values.T @ values / len(values))
    kept = variance > SMALLEST * max(variance[-1], 1e-30)
    return values @ axes[:, kept][:, ::-1][:, :most]
