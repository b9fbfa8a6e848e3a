"""The paper's own experiments beside ours: the same axis, its numbers above, known worlds below."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from maestrata.figures.looks import cycle
from maestrata.figures.sheet import Sheet
from maestrata.figures.style import Style
from maestrata.figures.words import scores_text
from maestrata.results import CubeSet, Series, along_arms, along_cells, cells, levels_with, scores, worlds_of

NAME = "beside_the_paper"
TITLE = "The paper's experiments, and the same on known worlds"
CAPTION = (
    "Above, numbers of the paper (ImageNet-1K, ViT-B, one run each, no intervals): linear probe by masking "
    "ratio and by mask patch, shape bias, and the share of accuracy lost on the average of five harder "
    "variants. Below, ours: R2 of the root by the primary features, by ratio and by patch at r = .75; share "
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
    cube = cubes.one("regression")
    columns = _columns(cubes)
    sheet = Sheet.grid(style, 2, len(columns), panel_height=1.55, more_height=0.25)
    worlds = list(dict.fromkeys(world for column in columns for world in column.ours))
    for column, (above, below) in zip(columns, sheet.axes.T, strict=True):
        above.plot(column.x, column.theirs, color="#000000", marker="o", markersize=3, linewidth=1.0)
        above.set_title(column.title, fontsize="small")
        above.set_ylabel(column.theirs_name)
        _axis(above, column.x)
        _ours(sheet, below, column, worlds)
    sheet.axes[0, 0].set_ylabel(f"paper\n{columns[0].theirs_name}")
    sheet.axes[1, 0].set_ylabel(f"here\n{columns[0].ours_name}")
    return sheet.done(TITLE, [cycle(i, world) for i, world in enumerate(worlds)], [
        f"R2: {scores_text(cube, scores(cube))}",
        sheet.intervals_text("bars and bands"),
        "paper: one run a point, no intervals published; ratios of ours are those realised",
    ])  # fmt: skip


def _columns(cubes: CubeSet) -> list[Column]:
    lost = tuple(1 - float(np.mean(row[1:])) / row[0] for row in PROBE)
    probe = tuple(row[0] for row in PROBE)
    ratio, accuracy, root = "masking ratio", "accuracy, %", "root, $R^2$"
    by_patch, patch = "probe, by patch, r = .75", "mask patch (px; here tokens)"
    cues, shifts = _of_arms(cubes, "cue_conflict", "root_share"), _of_arms(cubes, "robustness", "lost_share")
    return [
        Column("probe, by ratio", ratio, accuracy, root, RATIOS, probe, _root(cubes, "mask_ratio")),
        Column(by_patch, patch, accuracy, root, PATCHES, PROBE_BY_PATCH, _root(cubes, "patch_size")),
        Column("shape bias", ratio, "shape bias", "answers for the root", RATIOS, SHAPE_BIAS, cues),
        Column("share lost under shift", ratio, "share lost", "share lost", RATIOS, lost, shifts),
    ]


def _root(cubes: CubeSet, along: str) -> dict[str, Series]:
    """R2 of the root of every world with several points, along ratios (patches of one token) or patches."""
    trained = scores(cubes.one("regression")).sel(offset=0)
    axis, kept = ("mask_ratio", AT) if along == "patch_size" else ("patch_size", 1)
    at = np.flatnonzero(np.isclose(trained[axis], kept))
    by_world: dict[str, Series] = {}
    for world in map(str, trained.world.values if len(at) else ()):
        here = trained.sel(world=world).isel({axis: at[0]})
        levels = levels_with(here.r2)
        if levels:
            x = here.realised_ratio if along == "mask_ratio" else here.patch_size
            s = along_cells(here.sel(level=levels[0]), along, x)
            by_world |= {world: s} if s is not None and len(s.x) > 1 else {}
    return by_world


def _of_arms(cubes: CubeSet, name: str, quantity: str) -> dict[str, Series]:
    """Take a quantity of the models of an experiment, by ratio, of every world that has it."""
    cube = cubes.get(f"experiments/{name}")
    by_world = {world: along_arms(cube, world, quantity, cells(cube, world)) for world in worlds_of(cube)}
    return {world: s for world, s in by_world.items() if s is not None}


def _ours(sheet: Sheet, ax: Axes, column: Column, worlds: Sequence[str]) -> None:
    told = []
    for world, s in column.ours.items():
        sheet.plot(ax, s, cycle(worlds.index(world), world))
        if len(s.x) == len(column.theirs):
            same, pairs = agreement(column.theirs, s.mean)
            told.append(f"{world}: {same} of {pairs}")
    ax.set_ylabel(column.ours_name)
    _axis(
        ax, sorted({float(x) for s in column.ours.values() for x in s.x}) if column.x == PATCHES else column.x
    )
    ax.set_xlabel(column.x_name)
    if told:
        ax.annotate("\n".join(["order as in the paper:", *told]), (0, 0), (0, -30), xycoords="axes fraction",
                    textcoords="offset points", va="top", fontsize="x-small", color="#333333")  # fmt: skip


def _axis(ax: Axes, x: Sequence[float]) -> None:
    """Let the x axis be the masking ratio, or else the sizes of patches that are given."""
    if x == RATIOS:
        ax.set_xlim(0, 1)
        ax.set_xticks([0, 0.25, 0.5, 0.75, 1.0], ["0", "", ".5", "", "1"])
    else:
        ax.set_xscale("log", base=2)
        ax.set_xticks(x, [f"{size:g}" for size in x])
        ax.minorticks_off()


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
