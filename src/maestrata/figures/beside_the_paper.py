"""The paper's own experiments beside ours: the same axis, its numbers above, known worlds below."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import TYPE_CHECKING

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from numpy.typing import ArrayLike, NDArray

from maestrata.figures.arms import Series, interval_text, series
from maestrata.figures.panels import short
from maestrata.figures.registry import CubeSet
from maestrata.figures.style import MARKERS, WORLD_COLORS, Style
from maestrata.figures.summary import READING_TEXT, missing_text, n_test_text, reading, summarise

if TYPE_CHECKING:
    import xarray as xr

NAME = "beside_the_paper"
TITLE = "The paper's experiments, and the same on known worlds"
CAPTION = (
    "Above, numbers of the paper (ImageNet-1K, ViT-B, one run each, no intervals): linear probe by masking "
    "ratio and by mask patch, shape bias, and the share of accuracy lost on the average of five harder "
    "variants. Below, ours: R2 of the root in the primary reading, by ratio and by patch at r = .75; share "
    "of answers for the root where root and texture disagree; share of accuracy above chance that shifted "
    "noise takes. Under each: in how many of all pairs of settings the order is that of the paper."
)
NEEDS = ("regression",)
USES = ("experiments/cue_conflict", "experiments/robustness")

RATIOS = (0.1, 0.25, 0.5, 0.75, 0.9)
# Table of the linear probe, in percent: ImageNet-1K, then -v2, ObjectNet, -R, -A, -S.
PROBE = (
    (47.45, 34.72, 9.42, 14.63, 2.00, 7.25),
    (53.58, 40.34, 11.54, 18.68, 2.49, 10.27),
    (60.07, 46.71, 13.94, 22.44, 2.89, 12.58),
    (67.41, 54.23, 18.24, 25.20, 3.76, 15.51),
    (62.97, 49.52, 15.87, 19.11, 2.76, 10.46),
)
PATCHES = (8.0, 16.0, 32.0)
PROBE_BY_PATCH = (62.57, 68.96, 73.31)  # r = .75; the second set of the paper's table
SHAPE_BIAS = (0.1352, 0.2545, 0.2458, 0.2563, 0.2014)
AT = 0.75


@dataclass(frozen=True)
class Column:
    """One experiment: the paper's points, and ours by world."""

    title: str
    x_name: str
    theirs_name: str
    ours_name: str
    x: tuple[float, ...]
    theirs: tuple[float, ...]
    ours: dict[str, Series]


def draw(cubes: CubeSet, style: Style) -> Figure:
    """Draw the paper's row and ours."""
    columns = _columns(cubes)
    figure, axes = style.figure(2, len(columns), panel_height=1.55, more_height=0.25)
    worlds = list(dict.fromkeys(world for column in columns for world in column.ours))
    for column, (above, below) in zip(columns, axes.T, strict=True):
        _theirs(above, column)
        _ours(style, below, column, worlds)
    axes[0, 0].set_ylabel(f"paper\n{columns[0].theirs_name}")
    axes[1, 0].set_ylabel(f"here\n{columns[0].ours_name}")
    handles = [
        Line2D([], [], color=WORLD_COLORS[i], marker=MARKERS[i], markersize=4, linewidth=1.2, label=world)
        for i, world in enumerate(worlds)
    ]
    style.title(figure, TITLE, handles)
    found = [s for column in columns for s in column.ours.values()]
    cube = cubes.one("regression")
    style.footer(
        figure,
        [
            f"R2: {READING_TEXT}; {n_test_text(reading(cube))}; {missing_text(cube)}",
            interval_text(found),
            "paper: one run a point, no intervals published; ratios of ours are those realised",
        ],
    )
    return figure


def _columns(cubes: CubeSet) -> list[Column]:
    lost = tuple(1 - float(np.mean(row[1:])) / row[0] for row in PROBE)
    probe = tuple(row[0] for row in PROBE)
    share = r"1x1/v\d+"
    return [
        Column(
            "probe, by ratio", "masking ratio", "accuracy, %", "root, $R^2$", RATIOS, probe, _by_ratio(cubes)
        ),
        Column(
            "probe, by patch, r = .75",
            "mask patch (px; here tokens)",
            "accuracy, %",
            "root, $R^2$",
            PATCHES,
            PROBE_BY_PATCH,
            _by_patch(cubes),
        ),
        Column(
            "shape bias",
            "masking ratio",
            "shape bias",
            "answers for the root",
            RATIOS,
            SHAPE_BIAS,
            _of_arms(cubes, "cue_conflict", share, "root_share"),
        ),
        Column(
            "share lost under shift",
            "masking ratio",
            "share lost",
            "share lost",
            RATIOS,
            lost,
            _of_arms(cubes, "robustness", share, "lost_share"),
        ),
    ]


def _by_ratio(cubes: CubeSet) -> dict[str, Series]:
    cube = reading(cubes.one("regression")).sel(offset=0)
    found: dict[str, Series] = {}
    for world in map(str, cube.world.values):
        here = cube.sel(world=world)
        if 1 in here.patch_size.values:
            here = here.sel(patch_size=1)
            made = _series(here, here.realised_ratio.values, "mask_ratio")
            found |= {world: made} if made and len(made.x) > 1 else {}
    return found


def _by_patch(cubes: CubeSet) -> dict[str, Series]:
    cube = reading(cubes.one("regression")).sel(offset=0)
    if not np.isclose(cube.mask_ratio, AT).any():
        return {}
    cube = cube.sel(mask_ratio=AT, method="nearest")
    found: dict[str, Series] = {}
    for world in map(str, cube.world.values):
        made = _series(cube.sel(world=world), cube.patch_size.values, "patch_size")
        found |= {world: made} if made and len(made.x) > 1 else {}
    return found


def _series(cube: xr.Dataset, places: ArrayLike, dim: str) -> Series | None:
    """Root R2 along a dimension of a regression cube."""
    there = cube.r2.notnull().any([d for d in cube.r2.dims if d != "level"])
    if not bool(there.any()):
        return None
    root = max(int(level) for level in cube.level.values[there.values])
    summary = summarise(cube.sel(level=root))
    each = summary.each.transpose("world_seed", dim).values
    kept = np.isfinite(each).any(0)
    if not kept.any():
        return None
    if summary.over_worlds:
        low, high = summary.low, summary.high
    else:
        low, high = (part.mean("world_seed") for part in (summary.each_low, summary.each_high))
    x = np.asarray(places, np.float64)[kept]
    names = [short(float(v)) for v in x]
    return Series(names, x, summary.mean.values[kept], low.values[kept], high.values[kept], each[:, kept])


def _of_arms(cubes: CubeSet, name: str, pattern: str, quantity: str) -> dict[str, Series]:
    cube = cubes.get(f"experiments/{name}")
    if cube is None:
        return {}
    found = {str(w): series(cube, str(w), pattern, quantity) for w in cube.world.values}
    return {world: s for world, s in found.items() if s is not None}


def _theirs(ax: Axes, column: Column) -> None:
    ax.plot(column.x, column.theirs, color="#000000", marker="o", markersize=3, linewidth=1.0)
    ax.set_title(column.title, fontsize="small")
    ax.set_ylabel(column.theirs_name)
    _axis(ax, column)


def _ours(style: Style, ax: Axes, column: Column, worlds: Sequence[str]) -> None:
    told = []
    for world, s in column.ours.items():
        i = worlds.index(world)
        color, marker = WORLD_COLORS[i % len(WORLD_COLORS)], MARKERS[i % len(MARKERS)]
        style.curve(ax, s.x, s.mean, s.low, s.high, color=color, marker=marker)
        if len(s.x) == len(column.theirs):
            same, pairs = agreement(column.theirs, s.mean)
            told.append(f"{world}: {same} of {pairs}")
    if not column.ours:
        style.missing(ax)
    ax.set_ylabel(column.ours_name)
    _axis(ax, column, ours=True)
    ax.set_xlabel(column.x_name)
    text = "order as in the paper:\n" + "\n".join(told) if told else ""
    ax.annotate(
        text,
        (0, 0),
        (0, -30),
        xycoords="axes fraction",
        textcoords="offset points",
        va="top",
        fontsize="x-small",
        color="#333333",
    )


def _axis(ax: Axes, column: Column, ours: bool = False) -> None:
    if column.x == PATCHES:
        ax.set_xscale("log", base=2)
        ticks = sorted({float(v) for s in column.ours.values() for v in s.x}) if ours else list(PATCHES)
        ax.set_xticks(ticks, [f"{t:g}" for t in ticks])
        ax.minorticks_off()
    else:
        ax.set_xlim(0, 1)
        ax.set_xticks([0, 0.25, 0.5, 0.75, 1.0], ["0", "", ".5", "", "1"])


def agreement(theirs: Sequence[float], ours: Sequence[float] | NDArray[np.float64]) -> tuple[int, int]:
    """Count the pairs of settings that both put in the same order, of all pairs that both order.

    Examples
    --------
    >>> agreement([1, 2, 3], [0.1, 0.3, 0.2])
    (2, 3)
    """
    pairs = list(combinations(range(len(theirs)), 2))
    signs = [(np.sign(theirs[j] - theirs[i]), np.sign(ours[j] - ours[i])) for i, j in pairs]
    ordered = [(a, b) for a, b in signs if a and b]
    return sum(int(a == b) for a, b in ordered), len(ordered)
