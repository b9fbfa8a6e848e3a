"""R2 and its bootstrap: one weight matrix per world, shared by every model and every ceiling.

The test images of a world are the same for all that is scored on them, so all of it is resampled with
the same weights: differences between two scores are then paired, replicate by replicate, and neither
side needs the other's predictions.

A replicate draws n images with replacement; ``w_ri`` counts how often replicate r drew image i. Then

    R2_r = 1 - sum_i w_ri (y_i - p_i)^2 / sum_i w_ri (y_i - ybar_r)^2,   ybar_r = sum_i w_ri y_i / n

and the three sums of all replicates and targets are one matrix product.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from maestrata.errors import MaestrataError
from maestrata.random import stream

Floats = NDArray[np.float64]


def bootstrap_weights(world_seed: int, n: int, replicates: int) -> NDArray[np.float32]:
    """Multinomial counts of `replicates` bootstrap samples of `n` images.

    Parameters
    ----------
    world_seed : int
        The world's seed; the draw is ``stream(world_seed, "bootstrap")``.
    n : int
        Number of test images.
    replicates : int
        Number of bootstrap samples.

    Returns
    -------
    ndarray of float32, shape (replicates, n)
        Rows sum to `n`. The first rows do not depend on `replicates`.

    Raises
    ------
    MaestrataError
        If `n` or `replicates` is below 1.
    """
    if n < 1 or replicates < 1:
        raise MaestrataError(f"n={n} and replicates={replicates} must both be at least 1 (bootstrap weights)")
    rng = stream(world_seed, "bootstrap")
    weights = np.empty((replicates, n), dtype=np.float32)
    for row in weights:
        row[:] = np.bincount(rng.integers(0, n, size=n), minlength=n)
    return weights


def r2_score(y: ArrayLike, pred: ArrayLike, present: ArrayLike | None = None) -> NDArray[np.float64]:
    """R2 of each target over the images (first axis), in float64.

    Parameters
    ----------
    y, pred : array, shape (n, ...)
        Truth and prediction; the trailing axes are targets.
    present : bool array, shape (n, ...), optional
        Images that count, target by target; all by default.

    Returns
    -------
    ndarray of float64, shape (...)
        ``1 - SSE/SST``; NaN where the target does not vary, or holds NaN.

    Raises
    ------
    MaestrataError
        If the shapes differ or there are fewer than two images.
    """
    centred, error, varies = _centre(*_pair(y, pred, present))
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(varies, 1.0 - np.square(error).sum(0) / np.square(centred).sum(0), np.nan)


def r2_bootstrap(
    y: ArrayLike, pred: ArrayLike, weights: NDArray[np.float32], present: ArrayLike | None = None
) -> NDArray[np.float64]:
    """R2 of each target in each bootstrap replicate.

    Parameters
    ----------
    y, pred : array, shape (n,) or (n, targets)
    weights : ndarray of float32, shape (replicates, n)
        From `bootstrap_weights`.
    present : bool array like `y`, optional
        Images that count, target by target; all by default.

    Returns
    -------
    ndarray of float64, shape (replicates, targets)
        NaN where the target does not vary within the replicate.

    Raises
    ------
    MaestrataError
        If shapes do not match.
    """
    y, pred, counts = _pair(y, pred, present)
    y, pred, counts = y.reshape(len(y), -1), pred.reshape(len(y), -1), counts.reshape(len(y), -1)
    if weights.ndim != 2 or weights.shape[1] != len(y):
        raise MaestrataError(f"bootstrap weights of shape {weights.shape} do not fit {len(y)} images")
    n_targets = y.shape[1]
    centred, error, varies = _centre(y, pred, counts)
    # Scaled so that float32 keeps six digits of the variance whatever the target's units.
    scale = np.maximum(np.abs(centred).max(0), np.finfo(np.float64).tiny)
    centred, error = centred / scale, error / scale
    columns = np.concatenate([error**2, centred**2, centred], axis=1).astype(np.float32)
    sums = (weights @ columns).astype(np.float64)
    sse, squares, plain = (sums[:, k * n_targets : (k + 1) * n_targets] for k in range(3))
    if counts.all():
        drawn = weights.sum(1, dtype=np.float64)[:, None]
    else:
        drawn = (weights @ counts.astype(np.float32)).astype(np.float64)
    sst = squares - plain**2 / np.maximum(drawn, 1)
    # What is left of a target that is constant within the replicate is float32 rounding.
    good = varies & (sst > 1e-5 * np.maximum(squares, np.finfo(np.float64).tiny))
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(good, 1.0 - sse / sst, np.nan)


@dataclass(frozen=True)
class Excess:
    """The score that lies highest above its ceiling, of many, in units of its own uncertainty.

    Attributes
    ----------
    worst : int
        Which of the comparisons.
    excess : float
        Score less ceiling.
    t : float
        Excess over its bootstrap standard error.
    critical : float
        What the largest t of all comparisons stays below with probability .95 where no score is above.
    p : float
        Probability of a largest t at least as high.
    """

    worst: int
    excess: float
    t: float
    critical: float
    p: float


def largest_excess(
    score: ArrayLike, ceiling: ArrayLike, score_boot: ArrayLike, ceiling_boot: ArrayLike
) -> Excess:
    """Find whether any score lies above its ceiling: paired, and simultaneous over all comparisons.

    The bootstrap replicates of both sides come from the same weights, so their differences are those of one
    sample of images; the largest studentised difference is compared with its own distribution over
    replicates.

    Parameters
    ----------
    score, ceiling : array (comparisons,)
        Comparisons with NaN on either side are left out.
    score_boot, ceiling_boot : array (replicates, comparisons)

    Raises
    ------
    MaestrataError
        If shapes do not fit or nothing can be compared.
    """
    gap = np.asarray(score, np.float64) - np.asarray(ceiling, np.float64)
    one, other = np.asarray(score_boot, np.float64), np.asarray(ceiling_boot, np.float64)
    if gap.ndim != 1 or one.shape != other.shape or one.shape[1:] != gap.shape:
        raise MaestrataError(
            f"replicates of shapes {one.shape}, {other.shape} must be (replicates, {gap.size})"
        )
    boot = one - other
    usable = np.flatnonzero(np.isfinite(gap) & np.isfinite(boot).all(0))
    error = boot[:, usable].std(0, ddof=1)
    usable, error = usable[error > 0], error[error > 0]
    if not len(usable):
        raise MaestrataError("no score has a ceiling with replicates to be compared with")
    t = gap[usable] / error
    largest = ((boot[:, usable] - gap[usable]) / error).max(1)
    worst = int(np.argmax(t))
    return Excess(
        worst=int(usable[worst]),
        excess=float(gap[usable[worst]]),
        t=float(t[worst]),
        critical=float(np.quantile(largest, 0.95)),
        p=float((1 + (largest >= t[worst]).sum()) / (1 + len(largest))),
    )


def _centre(y: Floats, pred: Floats, present: NDArray[np.bool_]) -> tuple[Floats, Floats, NDArray[np.bool_]]:
    """Targets about their mean and errors, 0 where an image does not count; and which targets vary."""
    counted = np.maximum(present.sum(0), 1)
    centred = np.where(present, y - np.where(present, y, 0.0).sum(0) / counted, 0.0)
    # An exactly constant column leaves rounding dust in `centred`, hence the test on the range.
    varies = np.where(present, y, -np.inf).max(0) > np.where(present, y, np.inf).min(0)
    return centred, np.where(present, y - pred, 0.0), varies


def _pair(
    y: ArrayLike, pred: ArrayLike, present: ArrayLike | None
) -> tuple[Floats, Floats, NDArray[np.bool_]]:
    y, pred = np.asarray(y, dtype=np.float64), np.asarray(pred, dtype=np.float64)
    if y.shape != pred.shape or y.ndim < 1 or len(y) < 2:
        raise MaestrataError(
            f"targets of shape {y.shape}, predictions of shape {pred.shape}: must be one shape (n >= 2, ...)"
        )
    counts = np.ones(y.shape, bool) if present is None else np.asarray(present)
    if counts.shape != y.shape or counts.dtype != np.bool_:
        raise MaestrataError(
            f"present of shape {counts.shape} and type {counts.dtype} must be bool of {y.shape} (R2)"
        )
    return y, pred, counts
