"""What figures of the theory's cube share: the versions of c, Monte Carlo intervals, and their words."""

from __future__ import annotations

from typing import Any

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from numpy.typing import ArrayLike

from maestrata.figures.looks import Look
from maestrata.figures.style import curve
from maestrata.figures.words import decimals, span

VERSIONS = (
    ("separator", "highest", "separator, highest"),
    ("separator", "lowest", "separator, lowest"),
    ("invertible", "highest", "invertible"),
)
"""Shared information c under Theorem 1: reading, which of several smallest sets, name."""

INTERVALS = "intervals: 1.96 Monte Carlo standard errors (none: all masks)"


def there(values: xr.DataArray, *axes: str) -> xr.DataArray:
    """Whether anything was computed, by some axes."""
    return values.notnull().any([d for d in values.dims if d not in axes])


def points(
    axes: Axes, x: ArrayLike, mean: xr.DataArray, error: xr.DataArray | None, look: Look, **line: Any
) -> None:
    """Draw what was computed over random masks, with Monte Carlo intervals where there are errors."""
    ends = () if error is None else (mean - 1.96 * error, mean + 1.96 * error)
    curve(axes, x, mean, *ends, **(look.drawn | line))


def tree_text(theory: xr.Dataset) -> list[str]:
    """Say, of one world and world seed, whether levels are those of a tree that images were sure of."""
    if "tree_estimated" not in theory or not np.isfinite(theory.tree_estimated):
        return []
    support = float(theory.tree_support)
    sure = f"median support {decimals(support)}" if np.isfinite(support) else "fewer than 4 tokens"
    if theory.tree_estimated == 1:
        return [f"levels: of the tree estimated from the images, {sure}"]
    return [f"levels: of the grid's tree, since the images are not sure of another ({sure})"]


def masks_text(n_masks: xr.DataArray) -> str:
    """Say how many masks are behind each point; empty if none."""
    n = n_masks.values[np.isfinite(n_masks.values)]
    return span(n) if len(n) else ""
