"""Images of steps that several models train on, one after the other: drawn once, as far as memory allows."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

MOST = 2**27
"""Bytes that are kept: 128 MiB hold all steps of a bottleneck at level 1, and a sixth of those at level 2."""

Float32 = NDArray[np.float32]


class Kept:
    """A function of the step that keeps what it returned first, up to a number of bytes.

    Parameters
    ----------
    make : callable
        Step -> array; equal steps give equal arrays. What it returns must not be written to.
    most : int
        Bytes.
    """

    def __init__(self, make: Callable[[int], Float32], most: int = MOST) -> None:
        self._make, self._left = make, most
        self._kept: dict[int, Float32] = {}

    def __call__(self, step: int) -> Float32:
        """Return the array of a step."""
        if step in self._kept:
            return self._kept[step]
        made = self._make(step)
        if made.nbytes <= self._left:
            self._left -= made.nbytes
            self._kept[step] = made
        return made
