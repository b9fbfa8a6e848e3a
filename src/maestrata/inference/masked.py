"""The masked part: the Bayes loss of its reconstruction, and what each level explains of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from maestrata.geometry import patchify
from maestrata.inference.base import declared
from maestrata.random import stream
from maestrata.worlds.base import World

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Loss:
    """Mean squared error per pixel value of masked tokens: the unit of the training loss.

    Attributes
    ----------
    expected : float
        Mean posterior variance: the Bayes loss.
    error : float
        Standard error of `expected` over images and masks.
    realised : float
        Squared error of E[masked | visible] on the very images and masks: what a model's loss on these is
        to be compared with. NaN for a bound that is no prediction.
    """

    expected: float
    error: float
    realised: float


def bayes_loss(
    visible: NDArray[np.bool_],
    variance: NDArray[Any] | None = None,
    tokens: NDArray[Any] | None = None,
    predicted: NDArray[Any] | None = None,
) -> Loss:
    """Bayes loss of masked reconstruction.

    Parameters
    ----------
    visible : bool array (n, n_tokens)
        As many visible in each image, as training has it.
    variance : array (n, n_tokens), optional
        Posterior variance per value; without it `expected` is `realised`.
    tokens, predicted : array (n, n_tokens, values), optional
        True tokens and their posterior means; without them `realised` is NaN.
    """
    masked = ~visible
    count = np.maximum(masked.sum(1), 1)
    realised = np.full(len(visible), np.nan)
    if tokens is not None and predicted is not None:
        realised = (np.square(tokens - predicted).mean(-1) * masked).sum(1) / count
    per_image = realised if variance is None else (variance * masked).sum(1) / count
    error = per_image.std(ddof=1) / np.sqrt(len(per_image)) if len(per_image) > 1 else np.nan
    return Loss(expected=float(per_image.mean()), error=float(error), realised=float(realised.mean()))


def explainable_share(world: World, n: int = 8192) -> dict[int, float]:
    """Share of the variance of tokens that the latents of each level explain: ``level -> share``, 1 to L.

    ``tr Cov E[x | latents of the level and above] / tr Cov x``. Tokens are masked at random, so this is the
    share of the masked variance as well. In closed form where the world's inference file has `explained`;
    elsewhere the covariance of pairs of images that share all noise of the level and above, over `n` pairs.
    """
    if (explained := declared(world, "explained")) is not None:
        return dict(explained(world))
    noise = world.draw(n, stream(world.seed, "inference", 6))
    images = _centred(world, noise)
    total = np.square(images).mean()
    shares = {}
    for level in range(1, world.levels + 1):
        other = world.draw(n, stream(world.seed, "inference", 7, level))
        again = _centred(world, {k: noise[k] if k >= level else other[k] for k in noise})
        shares[level] = float((images * again).mean() / total)
    return shares


def _centred(world: World, noise: dict[int, Any]) -> Floats:
    images = np.asarray(world.generate(noise).images, dtype=np.float64)
    return images - images.mean(0)


def true_tokens(world: World, images: NDArray[Any]) -> Floats:
    """Tokens (n, n_tokens, values) of images, float64."""
    return np.asarray(patchify(np.asarray(images), world.token_pixels), dtype=np.float64)
