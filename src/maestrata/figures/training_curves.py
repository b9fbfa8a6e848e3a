"""Progress over training: what is explained of what can be explained, and the gates of the claims."""

from __future__ import annotations

from typing import Any

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from maestrata.cubes.sweep import stated
from maestrata.figures.looks import Look, ratio_looks
from maestrata.figures.panels import columns_of, place_label, places
from maestrata.figures.sheet import Sheet, missing
from maestrata.figures.style import Style
from maestrata.figures.words import missing_text, span
from maestrata.results import CubeSet
from maestrata.results.progress import gate_at

NAME = "training_curves"
TITLE = "Training: share explained of what can be explained"
CAPTION = (
    "Share explained of what can be explained of masked tokens, (variance - loss) / (variance - Bayes "
    "loss), against the share of training done, one panel a world and mask patch, one colour and marker a "
    "realised masking ratio. Curves: training batches, smoothed, median and range over models (world seeds "
    "and training seeds). Points at the right: each model at its end, on fresh images; bars: the gate below "
    "which no claim takes it. Where inference is not exact, the share of the variance is drawn in its place."
)
NEEDS = ("training", "regression")

VARIANCE = "share of the variance"
SMOOTHED = 15
POINTS = 60  # along a curve
_FIRST, _STEP, _SPREAD = 1.1, 0.09, 0.025  # the points at the right, by ratio


def draw(cubes: CubeSet, style: Style) -> Figure:
    """Draw one panel a world and mask patch."""
    cube, ends = cubes.one("training"), cubes.one("regression")
    normed = True in stated(cube.attrs, "norm_pixels")
    known = cube.realised_ratio.values
    looks = ratio_looks(known[np.isfinite(known)].tolist(), "plasma")
    sheet = Sheet.flow(style, len(places(cube)))
    counts, below, inexact = [], 0, False
    for ax, place in zip(sheet.axes, places(cube), strict=True):
        here = columns_of(cube.sel(place._asdict()))
        at = _aligned(ends, place._asdict(), here)
        exact = bool(np.isfinite(at.progress).any()) and not normed
        inexact |= not exact
        for i, ratio in enumerate(here.realised_ratio.values.tolist()):
            model = ("world_seed", "seed")
            one, end = (each.isel(mask_ratio=i).stack(model=model) for each in (here, at))
            variance = np.ones(end.sizes["model"]) if normed else end.test_variance.values
            shares = _shares(one, variance, end.test_bayes_loss.values if exact else np.zeros(1))
            _curve(ax, one, shares, looks[ratio])
            last = end.progress.values if exact else 1 - end.test_loss.values / variance
            below += _points(ax, i, last, gate_at(ratio) if exact else np.nan, looks[ratio])
            counts.append(int(np.isfinite(shares).any(1).sum()))
        missing(ax)
        ax.set_ylim(-0.05, 1.05)
        ax.set_xticks([0, 0.5, 1], ["0", ".5", "1"])
        ax.axvline(_FIRST - 0.055, color="#bbbbbb", linewidth=0.5)
        ax.set_title(place_label(cube, place))
        if not exact and ax.has_data():
            look: dict[str, Any] = {"va": "top", "fontsize": "x-small", "style": "italic", "color": "#777777"}
            ax.text(0.02, 0.98, VARIANCE, transform=ax.transAxes, **look)
        sheet.label(ax, "share of training done", "share explained")
    there = [n for n in counts if n]
    return sheet.done(TITLE, looks.values(), [
        f"n = {span(there)} models a curve: median and range (no interval), smoothed over 1/{SMOOTHED} of "
        f"the run; points: each model on fresh images; bars: the gates; {below} models below; "
        f"{missing_text(cube)}",
        f"{VARIANCE}: there is no exact inference, so that what could be explained is not known"
        if inexact and not normed else "",
        "models predict pixels normalised by token (norm_pixels): no progress is known" if normed else "",
    ])  # fmt: skip


def _aligned(ends: xr.Dataset, place: dict[str, Any], here: xr.Dataset) -> xr.Dataset:
    """Take what the regression cube says of the models of a panel, NaN where it says nothing."""
    names = ("test_loss", "test_variance", "test_bayes_loss", "progress")
    axes = ("mask_ratio", "world_seed", "seed")
    empty = xr.DataArray(np.nan, {axis: here[axis].values for axis in axes}, axes)
    if any(value not in ends[axis].values for axis, value in place.items()):
        return xr.Dataset(dict.fromkeys(names, empty))
    at = ends.sel(place)
    return xr.Dataset({name: at.get(name, empty).reindex_like(empty) for name in names})


def _shares(one: xr.Dataset, variance: NDArray[Any], least: NDArray[Any]) -> NDArray[np.float64]:
    """Share explained of every model in every record, (model, record)."""
    loss = one.loss.transpose("model", "record").values
    return np.asarray((variance[:, None] - loss) / (variance - least)[:, None])


def _curve(ax: Axes, one: xr.Dataset, shares: NDArray[np.float64], look: Look) -> None:
    """Draw the median over models, each smoothed and taken at the same shares of its own length."""
    along = np.linspace(0, 1, POINTS + 1)[1:]
    curves = []
    for share, seen in zip(shares, one.images_seen.transpose("model", "record").values, strict=True):
        there = np.isfinite(share)
        if there.any():
            done = seen[there] / seen[there].max()
            curves.append(np.interp(along, _smooth(done), _smooth(share[there])))
    if curves:
        ax.fill_between(
            along, np.min(curves, 0), np.max(curves, 0), color=look.color, alpha=0.12, linewidth=0
        )
        ax.plot(along, np.median(curves, 0), linewidth=1.3, markersize=3, markevery=POINTS // 4, **look.drawn)


def _points(ax: Axes, column: int, last: NDArray[np.float64], gate: float, look: Look) -> int:
    """Draw the models at their end beside their gate; return how many are below it."""
    values = np.sort(last[np.isfinite(last)])
    x = _FIRST + column * _STEP
    ax.plot(x + np.linspace(-1, 1, len(values)) * _SPREAD if len(values) > 1 else [x] * len(values), values,
            linestyle="none", marker=look.marker, markersize=2.2, color=look.color)  # fmt: skip
    if np.isfinite(gate):
        ax.plot([x - 1.6 * _SPREAD, x + 1.6 * _SPREAD], [gate, gate], color="#333333", linewidth=1.0)
    return int((values < gate).sum())


def _smooth(values: NDArray[Any]) -> NDArray[Any]:
    """Running mean over a `SMOOTHED` part of the records: a logged loss is that of a single batch."""
    width = max(1, len(values) // SMOOTHED)
    return np.convolve(values, np.full(width, 1 / width), mode="valid")
