"""Limits from posteriors: the ceiling R2 and accuracy of every level, on the images that models are scored
on.

A posterior mean is scored exactly as a probe's prediction is: R2 of each dimension over the test images,
averaged over the dimensions of a node and the nodes of a level, with the bootstrap weights of the world.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from maestrata.inference.base import Posterior
from maestrata.inference.bounds import Bounds, Prediction
from maestrata.resampling import r2_bootstrap, r2_score
from maestrata.worlds.base import Target

Floats = NDArray[np.float64]
Predictions = dict[tuple[str, int], Floats]
"""``(kind, level) -> (n, nodes, columns)`` in the layout of `World.targets`; kind is latent or noise."""
MIN_IMAGES = 100
"""With fewer images than this no R2 is given: NaN."""


@dataclass(frozen=True)
class LevelLimit:
    """Score of one kind of target at one level.

    Attributes
    ----------
    r2, low, high : float
        Mean over nodes of the mean over dimensions; ends of the 95 % percentile bootstrap over test images.
    accuracy : float
        Share of symbols told right, mean over nodes; NaN where there are no symbols.
    n : int
        Images of the node that has fewest.
    boot : array (replicates,) of float32
    node : array (nodes,)
        R2 of each node.
    """

    r2: float
    low: float
    high: float
    accuracy: float
    n: int
    boot: NDArray[np.float32]
    node: Floats


def predictions_of(found: Posterior | Prediction) -> Predictions:
    """Lay out posterior means, or a network's predictions, as predictions of the targets."""
    latents = {("latent", level): values for level, values in found.mean.items() if level}
    noise = found.noise or {}
    return latents | {("noise", level): values for level, values in noise.items()}


def predictions_of_upper(bounds: Bounds, targets: Sequence[Target]) -> Predictions:
    """Predictions whose squared error is half the squared distance of truth and redraw: the upper bound as
    R2.
    """
    n = len(next(iter(bounds.upper.values())))
    out = {key: values.copy() for key, values in bounds.upper.items()}
    for target in targets:
        values = out[target.kind, target.level][:, target.node]
        truth = target.values[:n]
        values[:] = truth - (truth - values) / np.sqrt(2)
    return out


def score_levels(
    targets: Sequence[Target],
    predictions: Mapping[tuple[str, int], Floats],
    weights: NDArray[np.float32],
    present: Mapping[int, NDArray[np.bool_]] | None = None,
) -> dict[tuple[str, int], LevelLimit]:
    """Score predictions of every target.

    Parameters
    ----------
    targets : sequence of Target
        Of the n test images, from `World.targets`.
    predictions : mapping
        See `Predictions`; for n images or for the first few of them, which alone are then scored.
    weights : array (replicates, n)
        From `maestrata.resampling.bootstrap_weights`.
    present : mapping, optional
        ``level -> (n, nodes)``: images that count for a node, such as those that show a part of it.

    Returns
    -------
    dict of (kind, level) to LevelLimit
        A dimension that does not vary has no R2 and is left out of its node's mean; a node without any
        makes its level NaN.
    """
    n = min(len(values) for values in predictions.values())
    columns = [target.values[:n] for target in targets]
    widths = [part.shape[1] for part in columns]
    guesses = [predictions[t.kind, t.level][:n, t.node] for t in targets]
    counts = None
    if present is not None:
        shown = [
            np.repeat(present[t.level][:n, [t.node]], w, 1) for t, w in zip(targets, widths, strict=True)
        ]
        counts = np.concatenate(shown, 1)
    truth, guess = np.concatenate(columns, 1), np.concatenate(guesses, 1)
    r2, boot = r2_score(truth, guess, counts), r2_bootstrap(truth, guess, weights[:, :n], counts)
    used = np.full(truth.shape[1], n) if counts is None else counts.sum(0)
    r2, boot = np.where(used < MIN_IMAGES, np.nan, r2), np.where(used < MIN_IMAGES, np.nan, boot)

    found: dict[tuple[str, int], list[tuple[float, Floats, float, int]]] = {}
    ends = np.cumsum([0, *widths])
    for i, (target, start, stop) in enumerate(zip(targets, ends[:-1], ends[1:], strict=True)):
        kept = slice(None) if counts is None else counts[:, start]
        right = np.nan
        if target.labels is not None and used[start] >= MIN_IMAGES:
            # in the type of a probe's predictions, so that symbols that are equally probable tie alike
            right = float((guesses[i].astype(np.float32).argmax(1) == target.labels[:n])[kept].mean())
        score = (
            float(_mean(r2[start:stop])),
            _mean(boot[:, start:stop], 1),
            right,
            int(used[start:stop].min()),
        )
        found.setdefault((target.kind, target.level), []).append(score)
    return {key: _level(scores) for key, scores in found.items()}


def _level(scores: list[tuple[float, Floats, float, int]]) -> LevelLimit:
    node = np.array([score[0] for score in scores])
    boot = np.mean([score[1] for score in scores], axis=0)
    kept = boot[np.isfinite(boot)]
    low, high = np.quantile(kept, [0.025, 0.975]) if len(kept) else (np.nan, np.nan)
    return LevelLimit(
        r2=float(node.mean()),
        low=float(low),
        high=float(high),
        accuracy=float(np.mean([score[2] for score in scores])),
        n=min(score[3] for score in scores),
        boot=boot.astype(np.float32),
        node=node,
    )


def _mean(values: Floats, axis: int = 0) -> Floats:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # an empty mean is NaN, as wanted
        return np.asarray(np.nanmean(values, axis=axis))
