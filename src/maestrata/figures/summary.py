"""The words for what figures show of a regression cube: intervals, samples, mask patches, missing cells."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from maestrata.errors import FigureError
from maestrata.results import MIN_WORLDS, PRIMARY, Summary, last_layer, summarise
from maestrata.results import PRIMARY_TEXT as READING_TEXT
from maestrata.results import over_worlds as t_interval
from maestrata.results import scores as reading

if TYPE_CHECKING:
    import xarray as xr

# The first seven stand in `maestrata.results`; from here they are read until all figures read them there.
__all__ = [
    "MIN_WORLDS",
    "PRIMARY",
    "READING_TEXT",
    "Summary",
    "last_layer",
    "reading",
    "summarise",
    "t_interval",
]


def intervals_text(summaries: Sequence[Summary], drawn: str = "bars") -> str:
    """Say what the intervals of a figure's summaries are, and over how many worlds and seeds.

    Parameters
    ----------
    summaries : sequence of Summary
    drawn : str
        What shows the interval; for anything but bars, single worlds are not shown.
    """
    many = [s for s in summaries if s.over_worlds]
    few = [s for s in summaries if not s.over_worlds and s.n_worlds]
    parts = []
    if many:
        parts.append(f"{drawn}: 95 % t interval over {_span([s.n_worlds for s in many])} worlds (ci_world)")
    if few:
        parts.append(f"{drawn}: 95 % bootstrap interval over test images (ci_sample)")
        parts.append(_plural(_span([s.n_worlds for s in few]), "world seed") + " each")
        if drawn == "bars" and max(s.n_worlds for s in few) > 1:
            parts.append("thin: one world seed, thick: mean")
    if many or few:
        seeds = _span([s.n_seeds for s in (*many, *few)])
        parts.append("1 training seed" if seeds == "1" else f"mean over {seeds} training seeds")
    return "; ".join(parts)


def _plural(count: str, noun: str) -> str:
    return f"{count} {noun}{'' if count == '1' else 's'}"


def _span(values: Sequence[int]) -> str:
    low, high = min(values), max(values)
    return str(low) if low == high else f"{low} to {high}"


def n_test_text(cube: xr.Dataset) -> str:
    """Say how many test images there were."""
    values: NDArray[Any] = cube.n_test.values
    found = np.unique(values[np.isfinite(values)]).astype(int)
    if not len(found):
        raise FigureError("the regression cube holds no score at this reading (n_test is NaN everywhere)")
    return (
        f"n = {found[0]:,} test images"
        if len(found) == 1
        else f"n = {found[0]:,} to {found[-1]:,} test images"
    )


def patches(cube: xr.Dataset) -> list[tuple[int, int]]:
    """List the (patch_size, offset) pairs that have any cell in the grid."""
    there = (cube.status > 0).any([d for d in cube.status.dims if d not in ("patch_size", "offset")])
    return [
        (int(size), int(offset))
        for size in cube.patch_size.values
        for offset in cube.offset.values
        if bool(there.sel(patch_size=size, offset=offset))
    ]


def patch_label(cube: xr.Dataset, size: int, offset: int) -> str:
    """Name a mask patch, such as ``2 x 1 tokens, offset``."""
    at = cube.sel(patch_size=size)
    return f"{int(at.patch_height)}×{int(at.patch_width)} tokens{', offset' if offset else ''}"


def missing_text(cube: xr.Dataset) -> str:
    """Say how many cells of the grid are not there; empty if none."""
    missing, done = (int((cube.status == flag).sum()) for flag in (2, 1))
    return f"{missing} of {missing + done} cells missing" if missing else ""
