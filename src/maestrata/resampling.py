"""R2, its bootstrap and percentile intervals: the one place, for probes, exact limits and experiments.

The test images of a world are the same for all that is scored on them, so all of it is resampled with
the same weights: differences between two scores are then paired, replicate by replicate, and neither
side needs the other's predictions.

A replicate draws n images with replacement; ``w_ri`` counts how often replicate r drew image i. Then

    R2_r = 1 - sum_i w_ri (y_i - p_i)^2 / (sum_i w_ri y_i^2 - (sum_i w_ri y_i)^2 / sum_i w_ri),

the sums running over the images that count for the target. What belongs to the targets alone is computed
once, and shared by all predictions of them: each then costs one product of the weights with its squared
errors.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from maestrata.errors import MaestrataError
from maestrata.random import stream

Floats = NDArray[np.float64]
Estimates = NDArray[np.float64]
"""Numbers (..., 1 + replicates): of the test images, then of each bootstrap replicate of them."""
BLOCK = 256  # targets whose sums are taken at a time: in float64, all noise of large images would be much


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


class R2:
    """R2 of many predictions of the same targets, with its bootstrap replicates.

    Parameters
    ----------
    y : ndarray (n, targets)
        Truth, float32 or float64; errors are taken in this type, sums in float64.
    weights : ndarray of float32, shape (replicates, n)
        From `bootstrap_weights`.
    present : ndarray of bool, shape (n, targets), optional
        Images that count, target by target; all by default.
    least : int
        With fewer images a target has no R2.

    Attributes
    ----------
    n : ndarray of int, shape (targets,)
        Images that count.

    Raises
    ------
    MaestrataError
        If shapes do not match, or there are fewer than two images.
    """

    def __init__(
        self,
        y: NDArray[Any],
        weights: NDArray[np.float32],
        present: NDArray[np.bool_] | None = None,
        least: int = 2,
    ) -> None:
        if y.ndim != 2 or len(y) < 2:
            raise MaestrataError(f"targets of shape {y.shape} must be (n >= 2, targets) (R2)")
        if weights.ndim != 2 or weights.shape[1] != len(y):
            raise MaestrataError(f"bootstrap weights of shape {weights.shape} do not fit {len(y)} images")
        if present is not None and (present.shape != y.shape or present.dtype != np.bool_):
            raise MaestrataError(
                f"present of shape {present.shape} and type {present.dtype} must be bool of {y.shape} (R2)"
            )
        self._y, self._weights, self.present = y, weights, present
        blocks = _blocks(y)
        parts = [
            _sums(y[:, at], weights, None if present is None else present[:, at], least) for at in blocks
        ]
        self.n, self._sst, self._sst_boot = (np.concatenate(one, -1) for one in zip(*parts, strict=True))

    def of(self, prediction: NDArray[Any]) -> tuple[Floats, Floats]:
        """Score predictions (n, targets); those of images that do not count are not looked at.

        Returns
        -------
        r2 : ndarray (targets,)
            NaN where the target does not vary, has too few images, or the prediction is NaN.
        replicates : ndarray (replicates, targets)
            NaN also where the target does not vary within the replicate.

        Raises
        ------
        MaestrataError
            If there is not one prediction for each target.
        """
        if prediction.shape != self._y.shape:
            raise MaestrataError(
                f"predictions of shape {prediction.shape} must be as targets {self._y.shape} (R2)"
            )
        parts = [self._block(prediction[:, at], at) for at in _blocks(prediction)]
        r2, replicates = (np.concatenate(one, -1) for one in zip(*parts, strict=True))
        return r2, replicates

    def _block(self, prediction: NDArray[Any], at: slice) -> tuple[Floats, Floats]:
        error = self._y[:, at] - prediction
        if self.present is not None:
            error = np.where(self.present[:, at], error, error.dtype.type(0))
        np.square(error, out=error)
        r2 = 1.0 - error.sum(0, dtype=np.float64) / self._sst[at]
        drawn = self._weights @ error.astype(np.float32, copy=False)
        return r2, 1.0 - drawn / self._sst_boot[:, at]


def _blocks(y: NDArray[Any]) -> list[slice]:
    """Columns of y that are taken at a time, one block at least."""
    return [slice(start, start + BLOCK) for start in range(0, max(1, y.shape[1]), BLOCK)]


def _sums(
    y: NDArray[Any], weights: NDArray[np.float32], present: NDArray[np.bool_] | None, least: int
) -> tuple[NDArray[np.int64], Floats, Floats]:
    """Images that count, and sums of squares about the mean, of all and of each replicate; see `R2`."""
    if present is None:
        n = np.full(y.shape[1], len(y))
        centred = y - y.mean(0, dtype=np.float64)
        drawn = weights.sum(1, dtype=np.float64)[:, None]
        # an exactly constant target leaves rounding dust in `centred`, hence the look at its range
        varies = np.ptp(y, axis=0) > 0
    else:
        n = present.sum(0)
        mean = np.where(present, y, 0.0).sum(0) / np.maximum(n, 1)
        centred = np.where(present, y - mean, 0.0)
        drawn = (weights @ present.astype(np.float32)).astype(np.float64)
        varies = np.where(present, y, -np.inf).max(0) > np.where(present, y, np.inf).min(0)
    usable = varies & (n >= least)
    total = np.where(usable, np.einsum("nt,nt->t", centred, centred), np.nan)
    # centred, so that float32 loses nothing that matters to the difference of the two sums
    small = centred.astype(np.float32)
    plain, squares = ((weights @ part).astype(np.float64) for part in (small, np.square(small)))
    sst = squares - np.square(plain) / np.maximum(drawn, 1)
    # what is left of a target that is constant within a replicate is float32 rounding
    good = usable & (sst > 1e-5 * np.maximum(squares, np.finfo(np.float64).tiny))
    return n, total, np.where(good, sst, np.nan)


def mean_bootstrap(values: NDArray[np.generic], weights: NDArray[np.float32]) -> Estimates:
    """Return the mean of values (n,), then that of each bootstrap replicate: (1 + replicates,)."""
    numbers = np.asarray(values, np.float64)
    return np.append(numbers.mean(), weights @ numbers / weights.sum(1))


def nanmean(values: ArrayLike, axis: int | tuple[int, ...] = 0) -> Floats:
    """Mean over axes of what is not NaN, in float64; NaN where nothing is left.

    Examples
    --------
    >>> nanmean([[1.0, np.nan], [3.0, np.nan]]).tolist()
    [2.0, nan]
    """
    x = np.asarray(values, np.float64)
    count = np.sum(~np.isnan(x), axis)
    return np.asarray(np.nansum(x, axis) / np.where(count > 0, count, np.nan))


def percentiles(replicates: NDArray[Any], share: float = 0.95) -> tuple[Floats, Floats]:
    """Ends of the percentile interval over the last axis, NaN left out; NaN where nothing is left.

    The linear definition of `numpy.quantile`, by sorting, which is twenty times faster in float32.

    Parameters
    ----------
    replicates : ndarray (..., replicates)
    share : float
        Of the replicates that lie within.

    Returns
    -------
    low, high : ndarray (...)

    Examples
    --------
    >>> [float(end) for end in percentiles(np.arange(101.0))]
    [2.5, 97.5]
    """
    ordered = np.sort(replicates, axis=-1)  # NaN comes last
    last = np.isfinite(ordered).sum(-1) - 1
    ends = []
    for level in ((1 - share) / 2, (1 + share) / 2):
        place = np.maximum(last, 0) * level
        below = np.floor(place).astype(np.int64)
        above = np.minimum(below + 1, np.maximum(last, 0))
        low, high = (np.take_along_axis(ordered, i[..., None], -1)[..., 0] for i in (below, above))
        ends.append(np.where(last >= 0, low + (high.astype(np.float64) - low) * (place - below), np.nan))
    return ends[0], ends[1]
