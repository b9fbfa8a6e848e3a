"""Mean and t interval over worlds, where NaN stands for what was not measured."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from maestrata.resampling import nanmean

Floats = NDArray[np.float64]

LEAST_WORLDS = 3
"""With fewer worlds a figure shows each by itself, and no interval over worlds."""


def t_interval(values: ArrayLike, least: int = 2) -> tuple[Floats, Floats, Floats]:
    """Mean over the first axis with its 95 % t interval, NaN left out.

    Parameters
    ----------
    values : array (worlds, ...)
    least : int
        With fewer values the ends are NaN; at least 2.

    Returns
    -------
    mean, low, high : ndarray (...)

    Examples
    --------
    >>> [round(float(x), 2) for x in t_interval([1.0, 2.0, 3.0])]
    [2.0, -0.48, 4.48]
    """
    x = np.asarray(values, np.float64)
    n = np.isfinite(x).sum(0)
    middle = nanmean(x)
    freedom = np.maximum(n - 1, 1)
    spread = np.sqrt(np.nansum(np.square(x - middle), 0) / freedom)
    from scipy.special import stdtrit  # a third of a second, which who reads names alone need not wait for

    half = spread / np.sqrt(np.maximum(n, 1)) * stdtrit(freedom, 0.975)
    half = np.where(n >= max(least, 2), half, np.nan)
    return middle, middle - half, middle + half
