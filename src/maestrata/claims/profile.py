"""What is made of a profile over levels: which way it leans."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from maestrata.results import Combined, Expression, Numbers

LEAST = 0.02
"""A profile whose mean is lower has no centre: its share of each level would be made by noise."""


def tilt(of: Expression) -> Combined:
    """Return the least-squares slope of a profile over levels: what is high minus what is low, a level."""
    return Combined((of,), _tilt)


def centre(of: Expression) -> Combined:
    """Return the mean level of a profile, each level weighted by its number; NaN below `LEAST` on average."""
    return Combined((of,), _centre)


def _tilt(parts: Sequence[Numbers]) -> Numbers:
    (profile,) = parts
    centred = profile.levels - profile.levels.mean()
    weights = centred / np.square(centred).sum()
    return profile.derived(profile.mean @ weights, _half(profile.half, weights))


def _centre(parts: Sequence[Numbers]) -> Numbers:
    (profile,) = parts
    total = profile.mean.sum(1)
    total = np.where(total >= LEAST * len(profile.levels), total, np.nan)
    middle = profile.mean @ profile.levels / total
    # to first order
    return profile.derived(middle, _half(profile.half, (profile.levels - middle[:, None]) / total[:, None]))


def _half(half: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Half the interval of a weighted sum over levels, (worlds,): as if they were independent."""
    return np.asarray(np.sqrt(np.square(half * weights).sum(1)))
