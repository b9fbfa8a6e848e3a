"""What is made of a profile over levels: which way it leans."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from maestrata.results import Combined, Expression, Numbers


def tilt(of: Expression) -> Combined:
    """Return the least-squares slope of a profile over levels: how much more high levels have, a level."""
    return Combined((of,), _tilt)


def _tilt(parts: Sequence[Numbers]) -> Numbers:
    (profile,) = parts
    centred = profile.levels - profile.levels.mean()
    weights = centred / np.square(centred).sum()
    # as if levels were independent
    return profile.derived(profile.mean @ weights, np.sqrt(np.square(profile.half * weights).sum(1)))
