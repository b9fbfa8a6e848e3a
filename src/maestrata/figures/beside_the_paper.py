"""The paper's own experiments beside ours: the same axis, its numbers above, ours below."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from maestrata.figures.looks import UNTRAINED, cycle
from maestrata.figures.sheet import Sheet
from maestrata.figures.style import Style
from maestrata.figures.words import absent_text, listed, same_order, scores_text
from maestrata.results import (
    PRIMARY,
    CubeSet,
    Series,
    along_arms,
    along_cells,
    cells,
    levels_with,
    scores,
    worlds_of,
)
from maestrata.results.primary import CLASS

TITLE = "The paper's experiments, and the same here"
CAPTION = (
    "Whether ratios and patches come in the paper's order. Above, numbers of the paper (ImageNet-1K, "
    "ViT-B, one run each, no intervals): linear probe by masking ratio and by mask patch, shape bias, and "
    "the share of accuracy lost on the average of five harder variants. Below, ours: R2 of the root by "
    "the primary features, by ratio and by patch at r = .75; share of answers for the root where root and "
    "a texture disagree; share of accuracy above chance that shifted noise takes. Of composites the root "
    "is the shape, told as a class. Grey: the untrained encoder."
)
NEEDS = ("experiments/cue_conflict",)
USES = ("regression", "experiments/robustness")

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
START = "random_init"
LINE = replace(UNTRAINED, marker=None)


@dataclass(frozen=True)
class Column:
    """One experiment: the paper's points, and by world ours and those of the untrained encoder."""

    title: str
    x_name: str
    theirs_name: str
    ours_name: str
    x: tuple[float, ...]
    theirs: tuple[float, ...]
    ours: dict[str, Series]
    start: dict[str, Series]


def draw(cubes: CubeSet, style: Style) -> Figure:
    """Draw the paper's row and ours, of the experiments that the run has."""
    columns = [column for column in _columns(cubes) if column.ours]
    sheet = Sheet.grid(style, 2, max(len(columns), 1), panel_height=1.6)
    worlds = list(dict.fromkeys(world for column in columns for world in column.ours))
    told = []
    for column, (above, below) in zip(columns, sheet.axes.T, strict=False):
        above.plot(column.x, column.theirs, color="#000000", marker="o", markersize=3, linewidth=1.0)
        above.set_title(column.title)
        above.set_ylabel(column.theirs_name)
        _axis(above, column.x)
        told += _ours(sheet, below, column, worlds)
    for ax, name in zip(sheet.axes[:, 0], ("paper", "here"), strict=True):
        ax.set_ylabel(f"{name}\n{ax.get_ylabel()}")
    sentence = f"Pairs of settings in the order of the paper: {listed(told)}." if told else ""
    sweep, unit = cubes.get("regression"), "split" if _given(cubes) else "world"
    return sheet.done(TITLE, sentence, [*(cycle(i, world) for i, world in enumerate(worlds)), LINE], [
        f"R²: {scores_text(sweep, scores(sweep))}" if sweep is not None else "",
        f"{sheet.n_text(unit=unit)}; {sheet.intervals_text('bars and bands', unit)}",
        "paper: one run a point, no intervals published; ratios of ours are those realised",
        absent_text(cubes, USES),
    ])  # fmt: skip


def _columns(cubes: CubeSet) -> list[Column]:
    lost = tuple(1 - float(np.mean(row[1:])) / row[0] for row in PROBE)
    probe = tuple(row[0] for row in PROBE)
    ratio, accuracy = "masking ratio", "accuracy, %"
    root, high = ("class, R²", "answers for shape") if _given(cubes) else ("root, R²", "answers for root")
    patch = "patch (px; here tokens)"
    ours = {along: [_root(cubes, encoder, along) for encoder in ("trained", START)]
            for along in ("mask_ratio", "patch_size")}  # fmt: skip
    cues, shifts = _of_arms(cubes, "cue_conflict", "root_share"), _of_arms(cubes, "robustness", "lost_share")
    return [
        Column("probe, by ratio", ratio, accuracy, root, RATIOS, probe, *ours["mask_ratio"]),
        Column("probe, by patch", patch, accuracy, root, PATCHES, PROBE_BY_PATCH, *ours["patch_size"]),
        Column("shape bias", ratio, "shape bias", high, RATIOS, SHAPE_BIAS, *cues),
        Column("lost under shift", ratio, "share lost", "share lost", RATIOS, lost, *shifts),
    ]


def _given(cubes: CubeSet) -> bool:
    """Whether the images are given: they have a class in place of latents, and worlds are splits of them."""
    cube = cubes.get("regression")
    return (
        cube is not None and CLASS in cube["target"].values and PRIMARY["target"] not in cube["target"].values
    )


def _root(cubes: CubeSet, encoder: str, along: str) -> dict[str, Series]:
    """R2 of the root of every world with several points, along ratios (patches of one token) or patches."""
    cube = cubes.get("regression")
    if cube is None:
        return {}
    taken = scores(cube, encoder).sel(offset=0)
    axis, kept = ("mask_ratio", AT) if along == "patch_size" else ("patch_size", 1)
    at = np.flatnonzero(np.isclose(taken[axis], kept))
    by_world: dict[str, Series] = {}
    for world in map(str, taken.world.values if len(at) else ()):
        here = taken.sel(world=world).isel({axis: at[0]})
        levels = levels_with(here.r2)
        if levels:
            x = here.realised_ratio if along == "mask_ratio" else here.patch_size
            s = along_cells(here.sel(level=levels[0]), along, x)
            by_world |= {world: s} if s is not None and len(s.x) > 1 else {}
    return by_world


def _of_arms(cubes: CubeSet, name: str, quantity: str) -> list[dict[str, Series]]:
    """Take a quantity of the models of an experiment, and of the untrained one, by world."""
    cube = cubes.get(f"experiments/{name}")
    models, start = (
        {world: along_arms(cube, world, quantity, arms(world)) for world in worlds_of(cube)}
        for arms in (lambda world: cells(cube, world), lambda _: {START: 0.0})
    )
    return [{world: s for world, s in part.items() if s is not None} for part in (models, start)]


def _ours(sheet: Sheet, ax: Axes, column: Column, worlds: Sequence[str]) -> list[str]:
    """Draw our points; return in how many pairs of settings each world's order is the paper's."""
    told = []
    x = sorted({float(x) for s in column.ours.values() for x in s.x})
    for world, s in column.ours.items():
        start = column.start.get(world)
        if start is not None:
            ax.axhline(float(start.mean[0]), color=LINE.color, linestyle=LINE.line, linewidth=0.8, zorder=1)
        sheet.plot(ax, s, cycle(worlds.index(world), world))
        if len(s.x) == len(column.theirs):
            same, pairs = same_order(column.theirs, s.mean)
            told.append(f"{same} of {pairs} ({column.title}, {world})")
    ax.set_ylabel(column.ours_name)
    _axis(ax, x if column.x == PATCHES else column.x)
    ax.set_xlabel(column.x_name)
    return told


def _axis(ax: Axes, x: Sequence[float]) -> None:
    """Let the x axis be the masking ratio, or else the sizes of patches that are given."""
    if x == RATIOS:
        ax.set_xlim(0, 1)
        ax.set_xticks([0, 0.25, 0.5, 0.75, 1.0], ["0", "", ".5", "", "1"])
    else:
        ax.set_xscale("log", base=2)
        ax.set_xticks(x, [f"{size:g}" for size in x])
        ax.minorticks_off()
