"""Shared information drawn on the graph, for a conservative, an ideal and an aggressive mask."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from maestrata.errors import FigureError
from maestrata.figures.registry import CubeSet
from maestrata.figures.style import Style, level_color
from maestrata.geometry import TokenGrid

if TYPE_CHECKING:
    import xarray as xr

NAME = "shared_on_tree"
TITLE = "What masked and visible part share, under three fixed masks"
CAPTION = (
    "The paper's Figure 4 by computation: the set c of latents that masked (filled) and visible (open) "
    "tokens share, for a conservative mask (few tokens hidden, spread over the image), an ideal one (one "
    "half of the image) and an aggressive one (few visible). Rows: the smallest separating set, of several "
    "the highest or the lowest, and the invertible reading of Theorem 1. The first world whose graph is a "
    "tree, and the first whose graph is not, if there are such."
)
NEEDS = ("theory", "worlds")

_ROWS = (
    ("separator", "highest", "separator,\nhighest"),
    ("separator", "lowest", "separator,\nlowest"),
    ("invertible", "highest", "invertible"),
)
_EDGE = "#c4c4c4"
_MASKED = "#444444"


def draw(cubes: CubeSet, style: Style) -> Figure:
    """Draw a column for each mask, and a row for each reading and tie, one block for each kind of graph."""
    theory = cubes.one("theory")
    worlds = _two_kinds(cubes.all("worlds"), theory)
    examples = [str(e) for e in theory.example.values]
    figure, axes = style.figure(len(_ROWS) * len(worlds), len(examples), panel_height=1.15)
    tops = []
    for block, world in enumerate(worlds):
        label = str(world.attrs["world"])
        shown = theory.sel(world=label, world_seed=int(world.attrs["world_seed"]))
        tops.append(int(world.node_level.max()))
        for row, (reading, tie, name) in enumerate(_ROWS):
            here = axes[block * len(_ROWS) + row]
            here[0].set_ylabel(name, rotation=0, ha="right", va="center", fontsize="small")
            for ax, example in zip(here, examples, strict=True):
                at = shown.sel(example=example)
                in_c = at.example_in_c.sel(reading=reading, tie=tie)
                _graph(ax, world, at.example_masked, in_c)
                if not row:
                    share = float(at.example_masked.mean())
                    ax.set_title(f"{label}: {example}, {share:.0%} masked", fontsize="small")
    handles = [_dot(_MASKED, "masked token"), _dot("white", "visible token")]
    handles += [_dot(level_color(at, max(tops)), f"in c, level {at}") for at in range(max(tops), 0, -1)]
    style.title(figure, TITLE, handles)
    style.footer(figure, f"n = {len(examples)} fixed masks, computed exactly: no intervals")
    return figure


def _two_kinds(worlds: list[xr.Dataset], theory: xr.Dataset) -> list[xr.Dataset]:
    """Return the first world whose graph is a tree and the first whose is not."""
    labels = {str(label) for label in theory.world.values}
    found: dict[bool, xr.Dataset] = {}
    for world in worlds:
        several = np.unique(world.edge_child.values, return_counts=True)[1].max() > 1
        known = str(world.attrs["world"]) in labels
        if known and int(world.attrs["world_seed"]) in theory.world_seed.values:
            found.setdefault(bool(several), world)
    if not found:
        raise FigureError(
            f"figure {NAME!r}: a file of kind 'worlds' is needed of one of: {', '.join(sorted(labels))}"
        )
    return [found[kind] for kind in sorted(found)]


def _positions(world: xr.Dataset) -> dict[str, tuple[float, float]]:
    """Place every node above the middle of its tokens, tokens in the order in which the tree has them."""
    grid = TokenGrid(int(world.attrs["grid_height"]), int(world.attrs["grid_width"]))
    order = [0]
    for level in range(grid.levels, 0, -1):
        order = [int(child) for node in order for child in grid.children(level)[node]]
    place = np.argsort(order)
    found = {}
    for level in range(grid.levels + 1):
        for i, tokens in enumerate(grid.blocks(level)):
            found[f"z{level}.{i}" if level else f"x{i}"] = (float(place[tokens].mean()), float(level))
    return found


def _graph(ax: Axes, world: xr.Dataset, masked: xr.DataArray, in_c: xr.DataArray) -> None:
    place = _positions(world)
    names = [str(n) for n in world.node.values]
    ends: Any = zip(world.edge_parent.values, world.edge_child.values, strict=True)
    lines = [(place[names[p]], place[names[c]]) for p, c in ends]
    ax.add_collection(LineCollection(lines, colors=_EDGE, linewidths=0.6, zorder=1))
    top = int(world.node_level.max())
    size = min(22.0, 420.0 / 2**top)
    for name, level in zip(names, world.node_level.values, strict=True):
        x, y = place[name]
        if level == 0:
            color = _MASKED if float(masked.sel(node=name)) else "white"
            ax.scatter(x, y, s=size, marker="s", color=color, edgecolors=_MASKED, linewidths=0.6, zorder=2)
        elif float(in_c.sel(node=name)):
            ax.scatter(x, y, s=1.8 * size, color=level_color(int(level), top), zorder=3)
        else:
            ax.scatter(x, y, s=0.5 * size, color="white", edgecolors="#aaaaaa", linewidths=0.6, zorder=2)
    ax.set(xlim=(-0.8, 2**top - 0.2), ylim=(-0.5, top + 0.5), xticks=[], yticks=[])
    ax.spines[["left", "bottom"]].set_visible(False)


def _dot(color: Any, label: str) -> Line2D:
    square = "token" in label
    edge = _MASKED if square else color
    return Line2D(
        [],
        [],
        linestyle="",
        marker="s" if square else "o",
        markersize=4.5,
        color=color,
        markeredgecolor=edge,
        markeredgewidth=0.6,
        label=label,
    )
