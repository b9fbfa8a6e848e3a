"""Progress of a model: how much it explains of what can be explained of masked tokens.

    progress = (variance - loss) / (variance - Bayes loss)

on fresh images: 0 is what predicting the mean of a position costs, 1 what exact inference costs. A model that
is far below 1 has not learnt, and what is regressed from it says nothing about masked autoencoders.

All three are squared errors on the very same images and masks, so that their differences are paired.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from maestrata.geometry import patchify
from maestrata.inference.base import is_exact, is_slow, posterior
from maestrata.masks import MaskPatches, evaluation_masks, mask_matrix
from maestrata.resampling import Estimates, bootstrap_weights, mean_bootstrap
from maestrata.worlds.base import World

MOST, MOST_SLOW = 4096, 512
"""Images that progress is measured on, at most; inference takes .1 ms an image, some 20 where it is slow."""
LEAST = 0.02
"""Share of the variance that exact inference must explain, for there to be anything to learn."""
CHUNK = 1024  # images in a forward pass

Predict = Callable[[Tensor, Tensor, Tensor], Tensor]
"""Tokens (b, n_tokens, v), visible ids (b, k), masked ids (b, m) -> the masked tokens' values (b, m, v)."""


@dataclass(frozen=True)
class Progress:
    """Squared error per pixel value of masked tokens, each a number and its bootstrap replicates (1 + R,).

    Attributes
    ----------
    loss : ndarray
        Of the model.
    variance : ndarray
        Of the mean token at that position.
    bayes : ndarray
        Of exact inference; NaN where there is none.
    n : int
        Images.
    """

    loss: Estimates
    variance: Estimates
    bayes: Estimates
    n: int

    @property
    def share(self) -> Estimates:
        """Progress, and its replicates: at most about 1, below 0 where the mean is better.

        0 where there is nothing to learn (`LEAST`), not the ratio of two errors of measurement.
        """
        explainable = self.variance - self.bayes
        if explainable[0] < LEAST * self.variance[0]:
            return np.zeros_like(self.loss)
        return (self.variance - self.loss) / explainable


@dataclass(frozen=True)
class Explainable:
    """Masked images, and how well they can be filled in: what the progress of models is measured against.

    Attributes
    ----------
    tokens : ndarray (n, n_tokens, v) of float32
    visible : ndarray (n, n_tokens) of bool
        As many visible in each image.
    counted : ndarray (n, n_tokens) of bool
        Masked tokens that count.
    best : ndarray (n, n_tokens, v), or None
        Exact posterior means of the tokens; None where there is no exact inference.
    weights : ndarray (replicates, n) of float32
        Of the bootstrap (`maestrata.resampling.bootstrap_weights`).

    Examples
    --------
    >>> from maestrata.worlds import make
    >>> world = make("gaussian_tree", 0, leaves=4, dim=2)
    >>> held = Explainable.of(world, MaskPatches(world.grid), 2, test=512, replicates=50)
    >>> def nothing(tokens, visible_ids, masked_ids):
    ...     return torch.zeros(len(tokens), masked_ids.shape[1], 12)
    >>> round(float(held.progress(nothing).share[0]), 2)
    -0.0
    """

    tokens: NDArray[np.float32]
    visible: NDArray[np.bool_]
    counted: NDArray[np.bool_]
    best: NDArray[Any] | None
    weights: NDArray[np.float32]

    @classmethod
    def of(
        cls, world: World, patches: MaskPatches, visible: int, test: int = MOST, replicates: int = 500
    ) -> Explainable:
        """Take the first test images of a world, under its evaluation masks.

        Parameters
        ----------
        world : World
        patches : MaskPatches
        visible : int
            Visible patches.
        test : int
            Images, of which at most `MOST` are taken, and `MOST_SLOW` where exact inference is slow.
        replicates : int
            Bootstrap replicates.
        """
        n = sample_size(world, test)
        ids = evaluation_masks(world.seed, patches, visible, n)[0]
        images = world.sample(test, "test").images[:n]
        return cls.under(world, images, mask_matrix(ids, world.grid.n_tokens), replicates)

    @classmethod
    def under(
        cls,
        world: World,
        images: NDArray[Any],
        visible: NDArray[np.bool_],
        replicates: int,
        counted: NDArray[np.bool_] | None = None,
    ) -> Explainable:
        """Take these images (n, channel, y, x) under these masks (n_tokens,) or (n, n_tokens).

        `counted`, of the same shapes, says which masked tokens count, where not all do.
        """
        tokens = np.asarray(patchify(images, world.token_pixels), np.float32)
        shown = np.broadcast_to(visible, tokens.shape[:2])
        best = posterior(world, images, shown, dtype=np.float32).tokens if is_exact(world) else None
        weights = bootstrap_weights(world.seed, len(tokens), replicates)
        return cls(tokens, shown, ~shown if counted is None else counted & ~shown, best, weights)

    def progress(self, predict: Predict, device: str = "cpu") -> Progress:
        """Measure a model, such as an `MAE` that predicts pixels.

        Parameters
        ----------
        predict : callable
            Model in pixels: one with `norm_pixels` predicts something else, and has no progress.
        device : str
            Where the model is.
        """
        n = len(self.tokens)
        hidden = (~self.visible).nonzero()[1].reshape(n, -1)
        seen = self.visible.nonzero()[1].reshape(n, -1)
        filled = self.tokens.copy()
        with torch.no_grad():
            for start in range(0, n, CHUNK):
                part = slice(start, start + CHUNK)
                arrays = (torch.from_numpy(a[part]).to(device) for a in (self.tokens, seen, hidden))
                values = predict(*arrays).float().cpu().numpy()
                np.put_along_axis(filled[part], hidden[part, :, None], values, axis=1)
        return self.of_predictions(filled)

    def of_predictions(self, predicted: NDArray[Any]) -> Progress:
        """Measure predictions of all tokens (n, n_tokens, v); those that do not count are not looked at."""
        mean = self.tokens.mean(0, dtype=np.float64)
        best = np.full(len(self.tokens), np.nan) if self.best is None else self._errors(self.best)
        return Progress(
            loss=mean_bootstrap(self._errors(predicted), self.weights),
            variance=mean_bootstrap(self._errors(mean), self.weights),
            bayes=mean_bootstrap(best, self.weights),
            n=len(self.tokens),
        )

    def _errors(self, predicted: NDArray[Any]) -> NDArray[np.float64]:
        """Squared error of each image (n,): their mean is that over all values that count."""
        squares = np.square(self.tokens - predicted, dtype=np.float64).mean(-1) * self.counted
        return squares.sum(1) / (self.counted.sum() / len(squares))


def sample_size(world: World, test: int) -> int:
    """Return how many of the test images progress is measured on."""
    return min(test, MOST_SLOW if is_exact(world) and is_slow(world) else MOST)
