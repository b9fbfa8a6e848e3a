"""Limits from posteriors: ceiling R2 and accuracy by level, on the images that models are scored on.

A posterior mean is scored exactly as a probe's prediction is, by `maestrata.scoring`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from maestrata.inference.base import Posterior
from maestrata.inference.bounds import Bounds, Prediction
from maestrata.scoring import Scorer, Scores, TargetTable
from maestrata.worlds.base import Target

Floats = NDArray[np.float64]
Predictions = dict[tuple[str, int], Floats]
"""``(kind, level) -> (n, nodes, columns)`` in the layout of `World.targets`; kind is latent or noise."""


def predictions_of(source: Posterior | Prediction) -> Predictions:
    """Lay out posterior means, or a network's predictions, as predictions of the targets."""
    latents = {("latent", level): values for level, values in source.mean.items() if level}
    noise = source.noise or {}
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
) -> Scores:
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
    dict of (kind, level) to LevelScore
    """
    n = min(len(values) for values in predictions.values())
    table = TargetTable.of(targets).first(n)
    shown = None if present is None else {level: nodes[:n] for level, nodes in present.items()}
    flat = np.concatenate([predictions[g.kind, g.level][:n, g.node] for g in table.groups], 1)
    return Scorer(table, weights[:, :n], shown).score(flat)
