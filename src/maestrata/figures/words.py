"""The words under the panels: how many samples and worlds there are, and what the intervals are."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
import xarray as xr

from maestrata.errors import FigureError
from maestrata.results import MIN_WORLDS, PRIMARY_TEXT, Series


def short(ratio: float) -> str:
    """A ratio as short text.

    Examples
    --------
    >>> short(0.5), short(0.875), short(0.1), short(0)
    ('.5', '.875', '.1', '0')
    """
    return f"{ratio:.3f}".rstrip("0").rstrip(".").lstrip("0") or "0"


def span(counts: Iterable[float]) -> str:
    """The least and the most of some counts, as text.

    Examples
    --------
    >>> span([4096, 512]), span([12, 12])
    ('512 to 4,096', '12')
    """
    ends = [int(n) for n in counts]
    low, high = min(ends), max(ends)
    return f"{low:,}" if low == high else f"{low:,} to {high:,}"


def patch_text(patch: xr.Dataset | str, unit: str = "") -> str:
    """Name a mask patch: that of a cube at one patch size and offset, or of a label such as ``2x1``."""
    if isinstance(patch, str):
        return patch.replace("x", "×") + unit
    offset = ", offset" if int(patch.offset) else ""
    return f"{int(patch.patch_height)}×{int(patch.patch_width)}{unit}{offset}"


def n_text(shown: Sequence[Series], what: str = "test images", name: str = "") -> str:
    """Say how many samples are behind each number of one world; empty where that is not known."""
    ends = [n for s in shown for n in s.samples if n]
    return f"{f'{name}: ' if name else ''}n = {span(ends)} {what} a world" if ends else ""


def intervals_text(shown: Sequence[Series], drawn: str = "bars") -> str:
    """Say what the intervals are, what shows them, and over how many worlds and training seeds."""
    counts = {s.n_worlds for s in shown if s.n_worlds}
    if not counts:
        return "nothing measured: no intervals"
    many, few = ({n for n in counts if (n >= MIN_WORLDS) == over} for over in (True, False))
    parts = []
    if many:
        parts.append(f"{drawn}: 95 % t interval over {span(many)} worlds (ci_world)")
    if few:
        worlds = f"{span(few)} world seed{'' if few == {1} else 's'}"
        sampled = "95 % interval over samples (ci_sample)"
        there = f"there {'is' if few == {1} else 'are'} {worlds}"
        parts.append(f"{sampled} where {there}" if many else f"{worlds}; {drawn}: {sampled}")
    seeds = span(s.n_seeds for s in shown if s.n_worlds)
    return "; ".join([*parts, "1 training seed" if seeds == "1" else f"mean over {seeds} training seeds"])


def missing_text(cube: xr.Dataset) -> str:
    """Say how many cells of the grid are not there; empty if none."""
    missing, done = (int((cube.status == flag).sum()) for flag in (2, 1))
    return f"{missing} of {missing + done} cells missing" if missing else ""


def scores_text(cube: xr.Dataset, taken: xr.Dataset) -> str:
    """Say what the scores taken from a regression cube are of, of how many images, and what is missing.

    Raises
    ------
    FigureError
        If there is no score at all.
    """
    n = taken.n_test.values[np.isfinite(taken.n_test.values)]
    if not len(n):
        raise FigureError(
            "the regression cube holds no score of the primary features (n_test is NaN everywhere)"
        )
    return "; ".join(filter(None, (PRIMARY_TEXT, f"n = {span(n)} test images", missing_text(cube))))
