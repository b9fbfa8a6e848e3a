"""Where the shared information sits, by masking ratio and mask patch: level, profile, uniqueness, size."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from maestrata.figures.panels import short
from maestrata.figures.registry import CubeSet
from maestrata.figures.style import Style, level_color, level_marker

if TYPE_CHECKING:
    import xarray as xr

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

_COLUMNS = (
    ("separator", "highest", "separator, highest"),
    ("separator", "lowest", "separator, lowest"),
    ("invertible", "highest", "invertible"),
)
_PATCH_COLORS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9")
_DRAWINGS = (("fixed", "-"), ("independent", ":"))
_LEVEL = "mean level of c"
_RATIO = "masking ratio"


def draw(cubes: CubeSet, style: Style) -> Figure:
    """Draw three rows of three panels."""
    cube = cubes.one("theory")
    shown = _fullest(cube)
    patches = _patches(shown)
    figure, axes = style.figure(3, 3, sharex=True, panel_height=1.75)
    for column, (reading, tie, name) in enumerate(_COLUMNS):
        at = shown.sel(reading=reading, tie=tie)
        _mean_levels(style, axes[0, column], at, patches, tie)
        axes[0, column].set_title(name)
        _profile(style, axes[1, column], at.sel(patch_size=patches[0][0], offset=patches[0][1]), tie)
    for row in axes[:2]:
        low, high = (pick(ax.get_ylim()[i] for ax in row) for i, pick in enumerate((min, max)))
        for ax in row:
            ax.set_ylim(low, high)
    axes[0, 0].set_ylabel(_LEVEL)
    axes[1, 0].set_ylabel(f"P(node in c), {_label(shown, *patches[0])}")
    _unique(style, axes[2, 0], shown, patches)
    _dimension(style, axes[2, 1], shown.sel(patch_size=patches[0][0], offset=patches[0][1]))
    _other(style, axes[2, 2], cube, str(shown.world.values))
    for ax in axes[-1]:
        ax.set(xlabel=_RATIO, xlim=(0, 1), xticks=[0, 0.25, 0.5, 0.75, 1])
        ax.set_xticklabels([short(r) for r in (0, 0.25, 0.5, 0.75, 1)])
    _legends(style, figure, shown, patches)
    drawn = "filled: a fixed number of patches visible, as in training; open, dotted: each masked by itself"
    errors = "intervals: 1.96 Monte Carlo standard errors (none: all masks)"
    style.footer(figure, [drawn, _n_text(shown), errors])
    return figure


def _fullest(cube: xr.Dataset) -> xr.Dataset:
    """Return the world and world seed with the most mask distributions; of equals, the first."""
    there = np.isfinite(cube.n_masks).sum(["patch_size", "offset", "mask_ratio", "drawing"])
    world, seed = np.unravel_index(int(there.values.argmax()), there.shape)
    return cube.isel(world=int(world), world_seed=int(seed))


def _patches(shown: xr.Dataset) -> list[tuple[int, int]]:
    there = np.isfinite(shown.n_masks).any(["mask_ratio", "drawing"])
    return [
        (int(size), int(offset))
        for size in shown.patch_size.values
        for offset in shown.offset.values
        if bool(there.sel(patch_size=size, offset=offset))
    ]


def _label(shown: xr.Dataset, size: int, offset: int) -> str:
    at = shown.sel(patch_size=size)
    return f"{int(at.patch_height)}×{int(at.patch_width)}{' offset' if offset else ''}"


def _ratio(shown: xr.Dataset, drawing: str) -> Any:
    """Ratio that is realised; independent masks realise the one asked for, on average."""
    return (shown.realised_ratio if drawing == "fixed" else shown.mask_ratio).values


def _points(
    style: Style, ax: Axes, at: xr.Dataset, name: str, drawing: str, color: Any, marker: str, **select: Any
) -> None:
    """Draw points with their Monte Carlo intervals, joined where there is no closed form."""
    cell = at.sel(drawing=drawing, **select) if "drawing" in at[name].dims else at.sel(**select)
    values, error = cell[name].values, 1.96 * cell[f"{name}_error"].values
    style.curve(
        ax,
        _ratio(cell, drawing),
        values,
        values - error,
        values + error,
        color=color,
        marker=marker,
        linestyle="",
        markerfacecolor=color if drawing == "fixed" else "white",
        markeredgewidth=0.8,
    )


def _joined(style: Style, ax: Axes, x: Any, y: Any, color: Any, line: str) -> None:
    style.curve(ax, x, y, color=color, marker=None, linestyle=line, linewidth=1.0)


def _mean_levels(style: Style, ax: Axes, at: xr.Dataset, patches: list[tuple[int, int]], tie: str) -> None:
    for i, (size, offset) in enumerate(patches):
        cell = at.sel(patch_size=size, offset=offset)
        color, marker = _PATCH_COLORS[i % len(_PATCH_COLORS)], level_marker(i)
        for drawing, line in _DRAWINGS:
            here = cell.sel(drawing=drawing)
            _points(style, ax, cell, "mean_level", drawing, color, marker)
            y = here.closed_mean_level if tie == "highest" else here.mean_level
            y = y if np.isfinite(y).any() else here.mean_level
            _joined(style, ax, _ratio(here, drawing), y, color, line)


def _profile(style: Style, ax: Axes, cell: xr.Dataset, tie: str) -> None:
    top = int(cell.level.max())
    for level in cell.level.values:
        color, marker = level_color(int(level), top), level_marker(int(level))
        for drawing, line in _DRAWINGS:
            here = cell.sel(drawing=drawing, level=level)
            if not np.isfinite(here.p_in_c).any():
                continue
            _points(style, ax, cell, "p_in_c", drawing, color, marker, level=level)
            y = (
                here.closed_p_in_c
                if tie == "highest" and np.isfinite(here.closed_p_in_c).any()
                else here.p_in_c
            )
            _joined(style, ax, _ratio(here, drawing), y, color, line)


def _unique(style: Style, ax: Axes, shown: xr.Dataset, patches: list[tuple[int, int]]) -> None:
    at = shown.sel(reading="separator")
    for i, (size, offset) in enumerate(patches):
        color, marker = _PATCH_COLORS[i % len(_PATCH_COLORS)], level_marker(i)
        cell = at.sel(patch_size=size, offset=offset)
        _points(style, ax, cell, "unique_share", "fixed", color, marker)
        _joined(style, ax, _ratio(cell, "fixed"), cell.unique_share.sel(drawing="fixed"), color, "-")
    ax.set(ylabel="share of unique masks", ylim=(-0.04, 1.04))
    ax.set_title("separator")


def _dimension(style: Style, ax: Axes, cell: xr.Dataset) -> None:
    """Summed over levels; their errors are not added up, and not shown."""
    for reading, color in (("separator", "#0072B2"), ("invertible", "#D55E00")):
        here = cell.sel(reading=reading, tie="highest", drawing="fixed")
        x = _ratio(here, "fixed")
        style.curve(ax, x, here.dim.sum("level", skipna=False), color=color, marker="o", label=reading)
        if reading == "invertible":
            intrinsic = here.intrinsic_dim.sum("level", skipna=False)
            style.curve(ax, x, intrinsic, color="#444444", marker="x", label="intrinsic")
    ax.set(ylabel="dimensions of c", ylim=(0, None))
    ax.set_title("dimension")
    ax.legend(fontsize="x-small")


def _other(style: Style, ax: Axes, cube: xr.Dataset, first: str) -> None:
    """Draw the mean levels of a world without closed forms: its graph is no tree."""
    for world in map(str, cube.world.values):
        for seed in cube.world_seed.values:
            at = cube.sel(world=world, world_seed=seed)
            aligned = at.sel(offset=0) if 0 in at.offset.values else at
            if (
                world == first
                or not np.isfinite(at.n_masks).any()
                or np.isfinite(aligned.closed_mean_level).any()
            ):
                continue
            size, offset = _patches(at)[0]
            cell = at.sel(patch_size=size, offset=offset)
            for i, (reading, tie, name) in enumerate(_COLUMNS):
                here = cell.sel(reading=reading, tie=tie)
                color, marker = _PATCH_COLORS[i], level_marker(i + 3)
                _points(style, ax, here, "mean_level", "fixed", color, marker)
                _joined(style, ax, _ratio(here, "fixed"), here.mean_level.sel(drawing="fixed"), color, "-")
                ax.plot([], [], color=color, marker=marker, markersize=3.5, linestyle="", label=name)
            ax.set_ylabel(_LEVEL)
            ax.set_title(f"{world}, {_label(at, size, offset)}")
            ax.legend(fontsize="x-small")
            return
    ax.set_title("graph with several parents")
    style.missing(ax)


def _legends(style: Style, figure: Figure, shown: xr.Dataset, patches: list[tuple[int, int]]) -> None:
    handles = [
        Line2D(
            [],
            [],
            color=_PATCH_COLORS[i % len(_PATCH_COLORS)],
            marker=level_marker(i),
            markersize=4,
            label=_label(shown, *patch),
        )
        for i, patch in enumerate(patches)
    ]
    there = np.isfinite(shown.p_in_c).any([d for d in shown.p_in_c.dims if d != "level"])
    levels = [int(level) for level in shown.level.values if bool(there.sel(level=level))]
    handles += [
        Line2D(
            [],
            [],
            color=level_color(n, max(levels)),
            marker=level_marker(n),
            markersize=4,
            label=f"level {n}",
        )
        for n in reversed(levels)
    ]
    style.title(figure, TITLE, handles)


def _n_text(shown: xr.Dataset) -> str:
    counts = {}
    for drawing, _ in _DRAWINGS:
        n = shown.n_masks.sel(drawing=drawing).values
        n = n[np.isfinite(n)]
        least, most = int(n.min()), int(n.max())
        counts[drawing] = f"{least:,}" if least == most else f"{least:,} to {most:,}"
    masks = f"n = {counts['fixed']} masks of a fixed count, {counts['independent']} independent ones"
    return f"world {shown.world.values}, world seed {int(shown.world_seed)}; {masks} at each point"
