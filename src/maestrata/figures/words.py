"""The words under the panels: how many samples and worlds there are, and what the intervals are."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import combinations

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from maestrata.errors import FigureError
from maestrata.results import LEAST_WORLDS, PRIMARY_TEXT, CubeSet, Series, t_interval
from maestrata.results.primary import CLASS


def short(ratio: float) -> str:
    """A ratio as short text.

    Examples
    --------
    >>> short(0.5), short(0.875), short(0.1), short(0)
    ('.5', '.875', '.1', '0')
    """
    return f"{ratio:.3f}".rstrip("0").rstrip(".").lstrip("0") or "0"


def decimals(value: float, plus: bool = False) -> str:
    """A number with two decimals, without the 0 before the point.

    Examples
    --------
    >>> decimals(0.5), decimals(-0.126), decimals(1.0), decimals(0.126, plus=True), decimals(-0.001)
    ('.50', '−.13', '1.00', '+.13', '.00')
    """
    text = f"{value:{'+' if plus else ''}.2f}"
    if not text.strip("+-.0"):  # nothing is left of its sign
        text = text.lstrip("+-")
    return (text.replace("0.", ".", 1) if text.lstrip("+-").startswith("0.") else text).replace("-", "−")


def estimate(s: Series, point: int, plus: bool = False) -> str:
    """A point of a series with its interval, where there is one.

    Examples
    --------
    >>> one = np.ones(1)
    >>> estimate(Series(["a"], one, one / 2, one / 4, one, *3 * (np.ones((1, 1)),)), 0)
    '.50 [.25, 1.00]'
    """
    mean, low, high = (decimals(float(part[point]), plus=plus) for part in (s.mean, s.low, s.high))
    return f"{mean} [{low}, {high}]" if np.isfinite([s.low[point], s.high[point]]).all() else mean


def best_ratio(s: Series) -> tuple[int, str]:
    """Find the ratio of the highest mean; say which others it is not told apart from, or that it is an end.

    Two ratios are told apart where the 95 % t interval over worlds of their difference leaves 0 out; with too
    few worlds for that, where their own intervals do not meet.

    Examples
    --------
    >>> each = np.array([[0.1, 0.5, 0.5], [0.2, 0.6, 0.5], [0.1, 0.5, 0.6], [0.2, 0.6, 0.5]])
    >>> ends = each.mean(0)
    >>> best_ratio(Series(list("abc"), np.array([0.25, 0.5, 0.75]), ends, ends, ends, each, each, each))
    (1, ', not told apart from .75')
    """
    best, last = int(np.argmax(s.mean)), len(s.x) - 1
    _, low, _ = t_interval(s.each[:, [best]] - s.each, least=LEAST_WORLDS)
    apart = low > 0 if s.over_worlds else s.low[best] > s.high
    alike = [short(float(s.x[i])) for i in range(last + 1) if i != best and not apart[i]]
    if alike:
        return best, f", not told apart from {listed(alike)}"
    if best in (0, last) and last:
        return best, f", the {'highest' if best else 'lowest'} ratio of this run"
    return best, ""


def listed(parts: Iterable[str]) -> str:
    """Join words with commas, the last with "and".

    Examples
    --------
    >>> listed(["a"]), listed(["a", "b", "c"])
    ('a', 'a, b and c')
    """
    *first, last = [*parts]
    return f"{', '.join(first)} and {last}" if first else last


def same_order(theirs: Sequence[float], ours: Sequence[float] | NDArray[np.float64]) -> tuple[int, int]:
    """Count the pairs of settings that both put in the same order, of all pairs that both order.

    Examples
    --------
    >>> same_order([1, 2, 3], [0.1, 0.3, 0.2])
    (2, 3)
    """
    pairs = combinations(range(len(theirs)), 2)
    signs = [(np.sign(theirs[j] - theirs[i]), np.sign(ours[j] - ours[i])) for i, j in pairs]
    ordered = [(a, b) for a, b in signs if a and b and np.isfinite(a + b)]
    return sum(int(a == b) for a, b in ordered), len(ordered)


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


def n_text(shown: Sequence[Series], what: str = "test images", name: str = "", unit: str = "world") -> str:
    """Say how many samples are behind each number of one world or split; empty where that is not known."""
    ends = [n for s in shown for n in s.samples if n]
    return f"{f'{name}: ' if name else ''}n = {span(ends)} {what} a {unit}" if ends else ""


def intervals_text(shown: Sequence[Series], drawn: str = "bars", unit: str = "world") -> str:
    """Say what the intervals are, what shows them, over how many worlds (or splits) and training seeds."""
    counts = {s.n_worlds for s in shown if s.n_worlds}
    if not counts:
        return "nothing measured: no intervals"
    many, few = ({n for n in counts if (n >= LEAST_WORLDS) == over} for over in (True, False))
    parts = []
    if many:
        over = "splits of one set of images" if unit == "split" else f"{unit}s (ci_world)"
        parts.append(f"{drawn}: 95 % t interval over {span(many)} {over}")
    if few:
        sampled = "95 % interval over samples (ci_sample)"
        worlds = f"{span(few)} {unit}{' seed' * (unit == 'world')}{'' if few == {1} else 's'}"
        parts.append(f"{sampled} for points of {worlds}" if many else f"{worlds}; {drawn}: {sampled}")
    seeds = span(s.n_seeds for s in shown if s.n_worlds)
    return "; ".join([*parts, "1 training seed" if seeds == "1" else f"mean over {seeds} training seeds"])


def realised_text(*cubes: xr.Dataset) -> str:
    """Say where the ratio that masks have is not the one asked for: whole patches are masked; else empty."""
    told: dict[float, set[float]] = {}
    for cube in cubes:
        for asked in cube.mask_ratio.values.tolist():
            realised = cube.realised_ratio.sel(mask_ratio=asked).values.ravel()
            told.setdefault(asked, set()).update(realised[np.isfinite(realised)].tolist())
    each = []
    for asked, realised in sorted(told.items()):
        unlike = [r for r in sorted(realised) if abs(r - asked) > 1e-3]
        if unlike:
            some = " for some patches" if len(unlike) < len(realised) else ""
            each.append(f"{short(asked)} as {' or '.join(dict.fromkeys(map(short, unlike)))}{some}")
    return f"asked ratios are realised by whole patches: {listed(each)}" if each else ""


def absent_text(cubes: CubeSet, kinds: Iterable[str]) -> str:
    """Name the cubes that a figure would show and this run does not have; empty if none."""
    absent = [kind.partition("/")[2].replace("_", " ") or kind for kind in kinds if cubes.get(kind) is None]
    return f"not in this run: {listed(absent)}" if absent else ""


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
    if not len(n) and np.all(cube["target"] == CLASS):
        return "images without classes: no scores"
    if not len(n):
        raise FigureError(
            "the regression cube holds no score of the primary features (n_test is NaN everywhere)"
        )
    return "; ".join(filter(None, (PRIMARY_TEXT, f"n = {span(n)} test images", missing_text(cube))))
