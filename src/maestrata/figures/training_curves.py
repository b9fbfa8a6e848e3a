"""Progress over training: what is explained of what can be explained, and the gates of the claims."""

from __future__ import annotations

from itertools import chain
from typing import Any, NamedTuple

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from maestrata.cubes.sweep import stated
from maestrata.figures.looks import Look, ratio_looks
from maestrata.figures.panels import name_of
from maestrata.figures.sheet import Sheet, even_columns, missing
from maestrata.figures.style import PANEL_HEIGHT, WIDTH, Style
from maestrata.figures.words import decimals, listed, missing_text, short, span
from maestrata.results import CubeSet
from maestrata.results.places import Place, at, columns_of, places
from maestrata.results.progress import gate_at

TITLE = "Training: share explained of what can be explained"
CAPTION = (
    "How much each model had learnt, and whether it reached its gate. Share explained of what can be "
    "explained of masked tokens, (variance - loss) / (variance - Bayes loss). Panels: worlds and mask "
    "patches of several models; curves of training batches, smoothed, median and range over models; "
    "points at the right: each model at its end, on fresh images; bars: the gates. Last panel: models "
    "that are alone, at their end; open: share of the variance, where inference is not exact. Worlds in "
    "which nothing can be explained of a masked token are left out, and named below."
)
INEXACT = "Training: share of the variance explained"
NEEDS = ("training", "regression")

SMOOTHED = 15
POINTS = 60  # along a curve
SEVERAL = 3  # models, from which on a place has a panel of its own
LITTLE = 0.01  # share of the variance: where less can be explained, there is nothing to learn
_FIRST, _STEP, _SPREAD = 1.1, 0.09, 0.025  # the points at the right, by ratio
GATE: dict[str, Any] = {"color": "#333333", "linewidth": 1.0}


class Group(NamedTuple):
    """Models of a place at one ratio.

    Attributes
    ----------
    place : Place
    ratio : float
        The realised one.
    curves : list of ndarray (POINTS,)
        Share explained along training, of each model.
    ends : ndarray (models,)
        Share explained at the end, on fresh images, in rising order.
    gate : float
        The least that claims take; NaN where what can be explained is not known.
    """

    place: Place
    ratio: float
    curves: list[NDArray[np.float64]]
    ends: NDArray[np.float64]
    gate: float

    @property
    def below(self) -> int:
        """Models below the gate."""
        return int((self.ends < self.gate).sum())


def draw(cubes: CubeSet, style: Style) -> Figure:
    """Draw a panel a place of several models, and one of those that are alone."""
    cube = cubes.one("training")
    normed = True in stated(cube.attrs, "norm_pixels")
    groups, empty = _groups(cube, cubes.one("regression"), normed)
    panels: dict[Place, list[Group]] = {}
    for group in groups:
        panels.setdefault(group.place, []).append(group)
    several = {p: of for p, of in panels.items() if sum(len(g.ends) for g in of) >= SEVERAL}
    alone = [group for p, of in panels.items() if p not in several for group in of]
    looks = ratio_looks(group.ratio for group in groups)
    columns = even_columns(max(len(several), 1), 3)
    rows, rest = -(-len(several) // columns), bool(alone or not several)
    heights = [PANEL_HEIGHT] * rows + [0.6 + 0.15 * len(alone)] * rest
    figure = Figure(figsize=(WIDTH, sum(heights)), layout="constrained")
    grid = figure.add_gridspec(len(heights), columns, height_ratios=heights)
    axes = [figure.add_subplot(grid[i // columns, i % columns]) for i in range(len(several))]
    for ax, (place, of) in zip(axes, several.items(), strict=True):
        for i, group in enumerate(of):
            _curve(ax, group.curves, looks[group.ratio])
            _points(ax, i, group, looks[group.ratio])
        _panel(ax, name_of(cube, place), np.isnan(of[0].gate))
    if rest:
        axes.append(figure.add_subplot(grid[-1, :]))
        _alone(axes[-1], cube, alone, looks)
    n = [len(group.curves) for of in several.values() for group in of]
    many = (
        f"n = {span(n)} models a curve: median and range, smoothed over 1/{SMOOTHED} of the run" if n else ""
    )
    gated = any(np.isfinite(group.gate) for group in groups)
    ends = "right of the line: each model at its end, on fresh images" + "; black: its gate" * gated
    ends = ends if several else ""
    left_out = f"left out, as nothing can be explained there: {listed(empty)}" if empty else ""
    title = TITLE if gated or not groups else INEXACT
    return Sheet(style, figure, np.array(axes)).done(title, _told(cube, several, alone), looks.values(), [
        f"{many or 'n = 1 model a row'}; no intervals; {missing_text(cube)}",
        ends,
        left_out,
        "models predict pixels normalised by token (norm_pixels): no progress is known" if normed else "",
    ])  # fmt: skip


def _groups(cube: xr.Dataset, ends: xr.Dataset, normed: bool) -> tuple[list[Group], list[str]]:
    """Take the models of every place and ratio, and name the places where there is nothing to learn."""
    groups, empty = [], []
    for place in places(cube):
        here = columns_of(at(cube, place))
        known = _aligned(ends, place, here)
        exact = bool(np.isfinite(known.progress).any()) and not normed
        for i, ratio in enumerate(here.realised_ratio.values.tolist()):
            one, end = (each.isel(mask_ratio=i).stack(model=("world_seed", "seed")) for each in (here, known))
            variance = np.ones(end.sizes["model"]) if normed else end.test_variance.values
            least = end.test_bayes_loss.values if exact else np.zeros(1)
            if exact and np.nanmax(1 - least / variance) < LITTLE:
                empty.append(name_of(cube, place))
                continue
            last = end.progress.values if exact else 1 - end.test_loss.values / variance
            curves = _curves(one, variance, least)
            if curves or np.isfinite(last).any():
                gate = gate_at(ratio) if exact else np.nan
                groups.append(Group(place, ratio, curves, np.sort(last[np.isfinite(last)]), gate))
    return groups, list(dict.fromkeys(empty))


def _aligned(ends: xr.Dataset, place: Place, here: xr.Dataset) -> xr.Dataset:
    """Take what the regression cube says of the models of a panel, NaN where it says nothing."""
    names = ("test_loss", "test_variance", "test_bayes_loss", "progress")
    axes = ("mask_ratio", "world_seed", "seed")
    empty = xr.DataArray(np.nan, {axis: here[axis].values for axis in axes}, axes)
    if any(value not in ends[axis].values for axis, value in place._asdict().items()):
        return xr.Dataset(dict.fromkeys(names, empty))
    known = at(ends, place)
    return xr.Dataset({name: known.get(name, empty).reindex_like(empty) for name in names})


def _curves(one: xr.Dataset, variance: NDArray[Any], least: NDArray[Any]) -> list[NDArray[np.float64]]:
    """Share explained of every model, smoothed and taken at the same shares of its own length."""
    loss, seen = (one[name].transpose("model", "record").values for name in ("loss", "images_seen"))
    shares = (variance[:, None] - loss) / (variance - least)[:, None]
    along = np.linspace(0, 1, POINTS + 1)[1:]
    there = [(share[known], done[known]) for share, done in zip(shares, seen, strict=True)
             if (known := np.isfinite(share)).any()]  # fmt: skip
    return [np.interp(along, _smooth(done / done.max()), _smooth(share)) for share, done in there]


def _smooth(values: NDArray[Any]) -> NDArray[Any]:
    """Running mean over a `SMOOTHED` part of the records: a logged loss is that of a single batch."""
    width = max(1, len(values) // SMOOTHED)
    return np.convolve(values, np.full(width, 1 / width), mode="valid")


def _curve(ax: Axes, curves: list[NDArray[np.float64]], look: Look) -> None:
    """Draw the median over models, and their range."""
    if curves:
        along = np.linspace(0, 1, POINTS + 1)[1:]
        ends = np.min(curves, 0), np.max(curves, 0)
        ax.fill_between(along, *ends, color=look.color, alpha=0.12, linewidth=0)
        ax.plot(along, np.median(curves, 0), linewidth=1.3, markersize=3, markevery=POINTS // 4, **look.drawn)


def _points(ax: Axes, column: int, group: Group, look: Look) -> None:
    """Draw the models at their end beside their gate."""
    x = _FIRST + column * _STEP
    places = (
        x + np.linspace(-1, 1, len(group.ends)) * _SPREAD if len(group.ends) > 1 else [x] * len(group.ends)
    )
    ax.plot(places, group.ends, "none", marker=look.marker, markersize=2.2, color=look.color)
    if np.isfinite(group.gate):
        ax.plot([x - 1.6 * _SPREAD, x + 1.6 * _SPREAD], [group.gate] * 2, **GATE)


def _panel(ax: Axes, name: str, inexact: bool) -> None:
    missing(ax)
    ax.set_ylim(-0.05, 1.05)
    ax.set_xticks([0, 0.5, 1], ["0", ".5", "1"])
    ax.axvline(_FIRST - 0.055, color="#bbbbbb", linewidth=0.5)
    explained = "share of the variance" if inexact else "share explained"
    ax.set(title=name, xlabel="share of training done", ylabel=explained)


def _alone(ax: Axes, cube: xr.Dataset, groups: list[Group], looks: dict[float, Look]) -> None:
    """Draw the models that are alone, a row each."""
    for y, group in enumerate(groups):
        look = looks[group.ratio]
        face = look.color if np.isfinite(group.gate) else "white"
        ax.plot(
            group.ends, [y] * len(group.ends), "none", **look.drawn | {"markerfacecolor": face}, markersize=4
        )
        if np.isfinite(group.gate):
            ax.plot([group.gate] * 2, [y - 0.4, y + 0.4], **GATE)
    if groups:
        ax.set_yticks(
            range(len(groups)),
            [f"{name_of(cube, group.place)}, r = {short(group.ratio)}" for group in groups],
        )
        ax.set(xlim=(-0.05, 1.05), ylim=(len(groups) - 0.4, -0.6), title="single models")
        ax.set_xlabel("share explained at the end (open: share of the variance)")
        ax.grid(axis="y", color="#dddddd", linewidth=0.5)


def _told(cube: xr.Dataset, several: dict[Place, list[Group]], alone: list[Group]) -> str:
    """Say how many models reach their gate, and where those are that do not."""
    judged = [group for of in several.values() for group in of if np.isfinite(group.gate)]
    single = [group for group in alone if np.isfinite(group.gate)]
    n, below = (sum(map(count, (*judged, *single))) for count in (lambda g: len(g.ends), lambda g: g.below))
    if not n:
        every = [end for group in (*chain(*several.values()), *alone) for end in group.ends]
        told = f"On fresh images the models explain {decimals(min(every))} to {decimals(max(every))} of the "
        return told + "variance of masked tokens." if every else ""
    parts = [
        f"{g.below} of {len(g.ends)} of {name_of(cube, g.place)} at r = {short(g.ratio)}"
        for g in judged
        if g.below
    ]
    rest = sum(group.below for group in single)
    parts += [f"{rest} of the {len(single)} single ones"] * bool(rest)
    return f"{n - below} of {n} models reach their gate" + (f"; below it: {listed(parts)}." if parts else ".")
