"""R2 with its bootstrap, for many predictions of the same targets.

The numbers are those of `maestrata.resampling` (tests compare them). What belongs to the targets alone, two
of its three sums, is computed once and shared by every reading of a cell, so that a reading costs one
product of the weights with its squared errors; and images may be left out target by target, as where a
node is wholly masked.

    R2_r = 1 - sum_i w_ri e_i^2 / (sum_i w_ri y_i^2 - (sum_i w_ri y_i)^2 / sum_i w_ri),  i: images present
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from maestrata.regression.targets import KINDS, TargetTable

MIN_TEST = 100
"""With fewer test images than this no R2 is given: NaN, and the number of images."""


@dataclass(frozen=True)
class Totals:
    """Sums over the targets alone.

    Attributes
    ----------
    present : ndarray (n, columns) of bool, or None
        Images that count; None: all.
    n : ndarray (columns,) of int
    sst : ndarray (columns,)
        Sum of squares about the mean; NaN where the target does not vary or `n` is below `MIN_TEST`.
    sst_boot : ndarray (replicates, columns)
    """

    present: NDArray[np.bool_] | None
    n: NDArray[np.int64]
    sst: NDArray[np.float64]
    sst_boot: NDArray[np.float64]


@dataclass(frozen=True)
class Score:
    """Scores of one reading.

    Attributes
    ----------
    r2, n : ndarray (columns,)
    r2_boot : ndarray (replicates, columns)
    accuracy : ndarray (groups,)
        NaN where the variable is not discrete.
    """

    r2: NDArray[np.float64]
    n: NDArray[np.int64]
    r2_boot: NDArray[np.float64]
    accuracy: NDArray[np.float64]


class Scorer:
    """Scores predictions of the targets of the test images.

    Parameters
    ----------
    targets : TargetTable
        Of the n test images.
    weights : ndarray (replicates, n) of float32
        From `maestrata.resampling.bootstrap_weights`.
    """

    def __init__(self, targets: TargetTable, weights: NDArray[np.float32]) -> None:
        self.targets = targets
        self.weights = weights

    def totals(self, present: NDArray[np.bool_] | None = None) -> Totals:
        """Sums over the targets of the images `present` (n, columns), or of all images."""
        y = self.targets.values
        images, columns = y.shape
        if present is None:
            n = np.full(columns, images)
            centred = y - y.mean(0, dtype=np.float64)
            drawn = self.weights.sum(1, dtype=np.float64)[:, None]
            varies = np.ptp(y, axis=0) > 0
        else:
            n = present.sum(0)
            mean = np.where(present, y, 0.0).sum(0) / np.maximum(n, 1)
            centred = np.where(present, y - mean, 0.0)
            drawn = (self.weights @ present.astype(np.float32)).astype(np.float64)
            varies = np.where(present, y, -np.inf).max(0) > np.where(present, y, np.inf).min(0)
        # centred, so that float32 loses nothing that matters to the difference below
        small = centred.astype(np.float32)
        plain, squares = (self.weights @ part for part in (small, np.square(small)))
        squares = squares.astype(np.float64)
        sst_boot = squares - np.square(plain.astype(np.float64)) / np.maximum(drawn, 1)
        usable = varies & (n >= MIN_TEST)
        # a target that is constant within a replicate leaves float32 rounding
        good = usable & (sst_boot > 1e-5 * np.maximum(squares, np.finfo(np.float64).tiny))
        sst = np.where(usable, np.einsum("nc,nc->c", centred, centred), np.nan)
        return Totals(present, n, sst, np.where(good, sst_boot, np.nan))

    def score(self, prediction: NDArray[np.float32], totals: Totals) -> Score:
        """Score predictions (n, columns); those of images that are not present are not looked at."""
        error = self.targets.values - prediction
        if totals.present is not None:
            error = np.where(totals.present, error, np.float32(0))
        np.square(error, out=error)
        r2 = 1.0 - error.sum(0, dtype=np.float64) / totals.sst
        r2_boot = 1.0 - (self.weights @ error) / totals.sst_boot
        return Score(r2, totals.n, r2_boot, self._accuracy(prediction, totals))

    def _accuracy(self, prediction: NDArray[np.float32], totals: Totals) -> NDArray[np.float64]:
        out = np.full(len(self.targets.groups), np.nan)
        for i, group in enumerate(self.targets.groups):
            if group.labels is None or totals.n[group.columns.start] < MIN_TEST:
                continue
            right = prediction[:, group.columns].argmax(1) == group.labels
            out[i] = (
                right.mean()
                if totals.present is None
                else right[totals.present[:, group.columns.start]].mean()
            )
        return out


@dataclass(frozen=True)
class LevelScore:
    """Scores of one target kind at one level.

    Attributes
    ----------
    r2, r2_low, r2_high, accuracy : float
        Mean over nodes of the mean over dimensions; interval: 95 % percentile bootstrap over test images.
    n : int
        Test images of the node that has fewest.
    r2_boot : ndarray (replicates,) of float32
    r2_node : ndarray (nodes,)
    """

    r2: float
    r2_low: float
    r2_high: float
    accuracy: float
    n: int
    r2_boot: NDArray[np.float32]
    r2_node: NDArray[np.float64]


def by_level(score: Score, targets: TargetTable) -> dict[tuple[str, int], LevelScore]:
    """Average a score over the dimensions of each node, then over the nodes of each level.

    A dimension that does not vary (a symbol that a node never takes) has no R2 and is left out of the mean.
    A node without any R2 makes its level NaN: a level would else be a mean over other nodes in other cells.

    Returns
    -------
    dict of (kind, level) to LevelScore
    """
    out = {}
    for kind in KINDS:
        for level in targets.levels:
            chosen = [(i, g) for i, g in enumerate(targets.groups) if (g.kind, g.level) == (kind, level)]
            if not chosen:
                continue
            nodes = np.array([_mean(score.r2[g.columns]) for _, g in chosen])
            boot = np.mean([_mean(score.r2_boot[:, g.columns], axis=1) for _, g in chosen], axis=0)
            low, high = interval(boot)
            out[kind, level] = LevelScore(
                r2=float(nodes.mean()),
                r2_low=low,
                r2_high=high,
                accuracy=float(np.mean([score.accuracy[i] for i, _ in chosen])),
                n=int(min(score.n[g.columns].min() for _, g in chosen)),
                r2_boot=boot.astype(np.float32),
                r2_node=nodes,
            )
    return out


def interval(boot: NDArray[np.floating], share: float = 0.95) -> tuple[float, float]:
    """Percentile interval over the replicates (first axis) that have a value; NaN if none has."""
    kept = boot[np.isfinite(boot)]
    if not len(kept):
        return float("nan"), float("nan")
    low, high = np.quantile(kept.astype(np.float64), [(1 - share) / 2, (1 + share) / 2])
    return float(low), float(high)


def _mean(values: NDArray[np.float64], axis: int = 0) -> NDArray[np.float64]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # an empty mean is NaN, as wanted
        return np.asarray(np.nanmean(values, axis=axis))
