"""Rows that no probe can be fitted to."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from maestrata.errors import ProbeError
from maestrata.standardise import Standard

MIN_ROWS = 8


def check_rows(x: NDArray[np.floating], y: NDArray[np.floating], probe: str) -> None:
    """Refuse training rows that no probe can be fitted to."""
    if x.ndim != 2 or y.ndim != 2 or len(x) != len(y):
        raise ProbeError(f"{probe}: features {x.shape} and targets {y.shape} must be (n, p) and (n, t)")
    if len(x) < MIN_ROWS:
        raise ProbeError(f"{probe}: {len(x)} training rows, at least {MIN_ROWS} are needed")


def check_finite(probe: str, *standards: Standard) -> None:
    """Refuse rows that hold NaN or infinity: it shows in their means."""
    for standard in standards:
        if not np.isfinite(standard.mean).all():
            raise ProbeError(f"{probe}: features or targets hold NaN or infinity")
