"""Where the shared information sits, by masking ratio and mask patch: level, profile, uniqueness, size."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from maestrata.figures.looks import BLUE, VERMILION, Look, cycle, level_look
from maestrata.figures.sheet import Sheet, missing, ratio_axis
from maestrata.figures.style import Style, curve
from maestrata.figures.theorem import INTERVALS, VERSIONS, masks_text, points, realised, there
from maestrata.figures.words import patch_text
from maestrata.results import CubeSet, levels_with

NAME = "level_profiles"
TITLE = "Where the shared information sits, by masking ratio and mask patch"
CAPTION = (
    "Computed, not trained. First row: mean level of a member of c against the masking ratio, one curve a "
    "mask patch, under the two readings of Theorem 1, the separator with the highest and with the lowest of "
    "the smallest sets. Filled: a fixed number of visible patches, as in training; open: every patch masked "
    "on its own; lines (solid: fixed, dotted: independent) join the closed forms where there are any. Second "
    "row: probability that a node of each level is in c, for the smallest patch. Third row: share of masks "
    "with only one smallest set; dimension and intrinsic dimension of c; the first row for a world whose "
    "graph is no tree, where there is one. Shown is the world with the most patches and ratios. Intervals "
    "are 95 % Monte Carlo ones."
)
NEEDS = ("theory",)

# how masks are drawn -> line that joins the points
DRAWINGS = {"fixed": "-", "independent": ":"}
LEVEL = "mean level of c"

Patches = Mapping[tuple[int, int], Look]


def draw(cubes: CubeSet, style: Style) -> Figure:
    """Draw three rows of three panels."""
    cube = cubes.one("theory")
    shown = _fullest(cube)
    patches = _patches(shown)
    levels = levels_with(shown.p_in_c)
    looks = {level: replace(level_look(level, levels[0]), label=f"level {level}") for level in levels}
    size, offset = first = next(iter(patches))
    smallest = shown.sel(patch_size=size, offset=offset)
    sheet = Sheet.grid(style, 3, 3, sharex=True, panel_height=1.75)
    for axes, (reading, tie, name) in zip(sheet.axes.T, VERSIONS, strict=True):
        for (size, offset), look in patches.items():
            at = shown.sel(reading=reading, tie=tie, patch_size=size, offset=offset)
            _both(axes[0], at, "mean_level", look, closed=tie == "highest")
        for level, look in looks.items():
            at = smallest.sel(reading=reading, tie=tie, level=level)
            _both(axes[1], at, "p_in_c", look, closed=tie == "highest")
        axes[0].set_title(name)
    for row in sheet.axes[:2]:
        low, high = (pick(ax.get_ylim()[i] for ax in row) for i, pick in enumerate((min, max)))
        for ax in row:
            ax.set_ylim(low, high)
    sheet.axes[0, 0].set_ylabel(LEVEL)
    sheet.axes[1, 0].set_ylabel(f"P(node in c), {patches[first].label}")
    _unique(sheet.axes[2, 0], shown.sel(reading="separator"), patches)
    _dimension(sheet.axes[2, 1], smallest)
    _other(sheet.axes[2, 2], cube, str(shown.world.values))
    for ax in sheet.axes[-1]:
        ratio_axis(ax, "masking ratio")
    counts = {drawing: masks_text(shown.n_masks.sel(drawing=drawing)) for drawing in DRAWINGS}
    return sheet.done(TITLE, [*patches.values(), *looks.values()], [
        "filled: a fixed number of patches visible, as in training; open, dotted: each masked by itself",
        f"world {shown.world.values}, world seed {int(shown.world_seed)}; n = {counts['fixed']} masks of a "
        f"fixed count, {counts['independent']} independent ones at each point",
        INTERVALS,
    ])  # fmt: skip


def _fullest(cube: xr.Dataset) -> xr.Dataset:
    """Return the world and world seed with the most mask distributions; of equals, the first."""
    known = np.isfinite(cube.n_masks).sum(["patch_size", "offset", "mask_ratio", "drawing"])
    world, seed = np.unravel_index(int(known.values.argmax()), known.shape)
    return cube.isel(world=int(world), world_seed=int(seed))


def _patches(shown: xr.Dataset) -> dict[tuple[int, int], Look]:
    """List the mask patches (size, offset) of a world that there are, the smallest first."""
    known = there(shown.n_masks, "patch_size", "offset").transpose("patch_size", "offset")
    pairs = [(int(known.patch_size[i]), int(known.offset[j])) for i, j in np.argwhere(known.values)]
    names = [patch_text(shown.sel(patch_size=size, offset=offset)) for size, offset in pairs]
    return {pair: cycle(i, names[i]) for i, pair in enumerate(pairs)}


def _both(ax: Axes, cell: xr.Dataset, name: str, look: Look, closed: bool) -> None:
    """Draw points under both kinds of masks; lines join the closed forms where there are any."""
    for drawing, line in DRAWINGS.items():
        here = cell.sel(drawing=drawing)
        values = here[f"closed_{name}"] if closed else here[name]
        values = values if bool(np.isfinite(values).any()) else here[name]
        if bool(np.isfinite(here[name]).any()):
            _joined(ax, here, name, values, replace(look, line=line, open=drawing != "fixed"), drawing)


def _joined(
    ax: Axes, here: xr.Dataset, name: str, values: xr.DataArray, look: Look, drawing: str = "fixed"
) -> None:
    """Draw points with their intervals, and values that a line joins."""
    x = realised(here, drawing)
    points(ax, x, here[name], here[f"{name}_error"], look, linestyle="", markeredgewidth=0.8)
    curve(ax, x, values, color=look.color, linestyle=look.line, linewidth=1.0)


def _unique(ax: Axes, at: xr.Dataset, patches: Patches) -> None:
    for (size, offset), look in patches.items():
        here = at.sel(patch_size=size, offset=offset, drawing="fixed")
        _joined(ax, here, "unique_share", here.unique_share, look)
    ax.set(ylabel="share of unique masks", ylim=(-0.04, 1.04), title="separator")


def _dimension(ax: Axes, cell: xr.Dataset) -> None:
    """Summed over levels; their errors are not added up, and not shown."""
    at = cell.sel(tie="highest", drawing="fixed")
    for name, reading, look in (
        ("dim", "separator", Look("separator", BLUE)),
        ("dim", "invertible", Look("invertible", VERMILION)),
        ("intrinsic_dim", "invertible", Look("intrinsic", "#444444", "x")),
    ):
        total = at[name].sel(reading=reading).sum("level", skipna=False)
        points(ax, realised(at), total, None, look, label=look.label)
    ax.set(ylabel="dimensions of c", ylim=(0, None), title="dimension")
    ax.legend(fontsize="x-small")


def _other(ax: Axes, cube: xr.Dataset, first: str) -> None:
    """Draw the mean levels of a world without closed forms: its graph is no tree."""
    for world, seed in ((w, s) for w in map(str, cube.world.values) for s in cube.world_seed.values):
        at = cube.sel(world=world, world_seed=seed)
        aligned = at.sel(offset=0) if 0 in at.offset.values else at
        computed, closed = (bool(np.isfinite(v).any()) for v in (at.n_masks, aligned.closed_mean_level))
        if world == first or not computed or closed:
            continue
        (size, offset), patch = next(iter(_patches(at).items()))
        cell = at.sel(patch_size=size, offset=offset, drawing="fixed")
        for i, (reading, tie, name) in enumerate(VERSIONS):
            look, here = cycle(i, name, shift=3), cell.sel(reading=reading, tie=tie)
            _joined(ax, here, "mean_level", here.mean_level, look)
        handles: list[Any] = [
            cycle(i, v[-1], shift=3).handle(markersize=3.5, linestyle="") for i, v in enumerate(VERSIONS)
        ]
        ax.set(ylabel=LEVEL, title=f"{world}, {patch.label}")
        ax.legend(handles=handles, fontsize="x-small")
        return
    ax.set_title("graph with several parents")
    missing(ax)
