"""Standardisation of columns by the moments of the training rows."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

CHUNK = 2048  # rows taken to float64 at a time
CONSTANT = 1e-6
"""A column whose deviation is below this share of its mean is constant: float32 tells no more."""


@dataclass(frozen=True)
class Standard:
    """Column means and deviations, float64; the deviation of a constant column counts as infinite."""

    mean: NDArray[np.float64]
    std: NDArray[np.float64]

    @classmethod
    def of(cls, values: NDArray[np.floating]) -> Standard:
        """Moments of the columns of `values` (n, columns)."""
        shift = values.mean(0, dtype=np.float64)
        total, squares = np.zeros_like(shift), np.zeros_like(shift)
        for start in range(0, len(values), CHUNK):
            part = values[start : start + CHUNK] - shift
            total += part.sum(0)
            squares += np.einsum("nc,nc->c", part, part)
        return cls.from_sums(len(values), total, squares, shift)

    @classmethod
    def from_sums(
        cls,
        n: int,
        total: NDArray[np.float64],
        squares: NDArray[np.float64],
        shift: NDArray[np.float64],
    ) -> Standard:
        """Moments of columns from the sums of the values minus a shift, and of their squares, over n rows."""
        mean = total / n
        std = np.sqrt(np.maximum(squares / n - mean**2, 0.0))
        return cls(mean + shift, np.where(std > CONSTANT * np.abs(mean + shift), std, np.inf))

    def apply(self, values: NDArray[np.floating]) -> NDArray[np.float64]:
        """Standardise: mean 0 and deviation 1 over the training rows; constant columns become 0."""
        out = values - self.mean
        out /= self.std
        return out

    def undo(self, values: NDArray[np.floating]) -> NDArray[np.float32]:
        """Take standardised values back to their units; constant columns become their mean."""
        scale = np.where(np.isfinite(self.std), self.std, 0.0)
        out = values * scale.astype(values.dtype)
        out += self.mean.astype(values.dtype)
        return out.astype(np.float32, copy=False)
