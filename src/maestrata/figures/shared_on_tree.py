"""Shared information drawn on the graph, for a conservative, an ideal and an aggressive mask."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure

from maestrata.errors import FigureError
from maestrata.figures.looks import Look, level_look
from maestrata.figures.sheet import Sheet
from maestrata.figures.style import Style
from maestrata.figures.theorem import VERSIONS, tree_text
from maestrata.figures.tokens import bare, is_tree, node_places
from maestrata.figures.words import listed, span
from maestrata.results import CubeSet

TITLE = "What masked and visible part share, under three fixed masks"
CAPTION = (
    "Which latents masked and visible tokens share, under three masks. The paper's Figure 4 by "
    "computation; masked tokens are filled, visible ones open. A conservative mask hides few tokens, "
    "spread over the image, an ideal one hides one half, an aggressive one leaves few. Rows: the smallest "
    "separating set, of several the highest or the lowest, and the invertible reading of Theorem 1. The "
    "first world whose graph is a tree, and the first whose graph is not (separating set), if there are "
    "such."
)
NEEDS = ("theory", "worlds")

EDGE = "#c4c4c4"
MASKED = "#444444"


def draw(cubes: CubeSet, style: Style) -> Figure:
    """Draw a column for each mask, and a row for each version of c, one block for each kind of graph."""
    theory = cubes.one("theory")
    worlds = _two_kinds(cubes.all("worlds"), theory)
    examples = [str(e) for e in theory.example.values]
    rows = [(world, version) for i, world in enumerate(worlds) for version in VERSIONS[: 1 if i else None]]
    top = max(int(world.node_level.max()) for world in worlds)  # of all: one legend serves every graph
    sheet, drawn = Sheet.grid(style, len(rows), len(examples), panel_height=1.1), set[int]()
    for axes, (world, (reading, tie, name)) in zip(sheet.axes, rows, strict=True):
        label, shown = str(world.attrs["world"]), _of(theory, world)
        stacked = name.replace(", ", ",\n")
        axes[0].set_ylabel(stacked, rotation=0, ha="right", va="center")
        for ax, example in zip(axes, examples, strict=True):
            at = shown.sel(example=example)
            in_c = at.example_in_c.sel(reading=reading, tie=tie)
            _graph(ax, world, at.example_masked, in_c, top)
            drawn |= set(world.node_level.values[in_c.sel(node=world.node.values).values == 1].tolist())
            if (reading, tie, name) == VERSIONS[0]:
                share = float(at.example_masked.mean())
                ax.set_title(f"{label}: {example}, {share:.0%} masked", fontsize="small", pad=2)
    dot: dict[str, Any] = {"linestyle": "", "markersize": 4.5, "markeredgewidth": 0.6}
    tokens = [Look("masked token", MASKED, "s"), Look("visible token", "white", "s")]
    members = [
        replace(level_look(at, top), label=f"in c, level {at}", marker="o")
        for at in sorted(drawn, reverse=True)
    ]
    legend = [token.handle(markeredgecolor=MASKED, **dot) for token in tokens]
    legend += [member.handle(**dot) for member in members]
    return sheet.done(TITLE, _told(theory, worlds[0]), legend, [
        f"n = {len(examples)} fixed masks, computed exactly: no intervals",
        *(text for world in worlds for text in tree_text(_of(theory, world))),
    ])  # fmt: skip


def _of(theory: xr.Dataset, world: xr.Dataset) -> xr.Dataset:
    """Theory of the world and world seed of a file."""
    return theory.sel(world=str(world.attrs["world"]), world_seed=int(world.attrs["world_seed"]))


def _told(theory: xr.Dataset, world: xr.Dataset) -> str:
    """Say at which levels the separating set lies under each mask."""
    reading, tie, _ = VERSIONS[0]
    at = _of(theory, world)
    in_c = at.example_in_c.sel(reading=reading, tie=tie, node=world.node.values).transpose("example", "node")
    levels = world.node_level.values
    told = [
        f"at level {span(levels[row == 1])} under the {example} mask"
        for example, row in zip(theory.example.values, in_c.values, strict=True)
        if (row == 1).any()
    ]
    return f"{world.attrs['world']}: c (separator, highest) lies {listed(told)}." if told else ""


def _two_kinds(worlds: list[xr.Dataset], theory: xr.Dataset) -> list[xr.Dataset]:
    """Return the first world whose graph is a tree and the first whose is not."""
    labels = {str(label) for label in theory.world.values}
    kinds: dict[bool, xr.Dataset] = {}  # whether it is a tree -> the first world
    for world in worlds:
        known = str(world.attrs["world"]) in labels
        if known and int(world.attrs["world_seed"]) in theory.world_seed.values:
            kinds.setdefault(is_tree(world), world)
    if not kinds:
        raise FigureError(
            "figure 'shared_on_tree': a file of kind 'worlds' is needed of one of: "
            f"{', '.join(sorted(labels))}"
        )
    return [kinds[tree] for tree in sorted(kinds, reverse=True)]


def _graph(ax: Axes, world: xr.Dataset, masked: xr.DataArray, in_c: xr.DataArray, most: int) -> None:
    """Draw the graph: tokens as squares, members of c large and in the colour of their level (of `most`)."""
    place = node_places(world)
    lines = place[np.stack([world.edge_parent.values, world.edge_child.values], 1)]
    ax.add_collection(LineCollection(list(lines), colors=EDGE, linewidths=0.6, zorder=1))
    top, n_tokens = int(world.node_level.max()), int((world.node_level == 0).sum())
    size = min(22.0, 420.0 / n_tokens)
    for name, (x, y) in zip(world.node.values, place, strict=True):
        if y == 0:
            color = MASKED if float(masked.sel(node=name)) else "white"
            ax.scatter(x, y, s=size, marker="s", color=color, edgecolors=MASKED, linewidths=0.6, zorder=2)
        elif float(in_c.sel(node=name)):
            ax.scatter(x, y, s=1.8 * size, color=level_look(int(y), most).color, zorder=3)
        else:
            ax.scatter(x, y, s=0.5 * size, color="white", edgecolors="#aaaaaa", linewidths=0.6, zorder=2)
    bare(ax)
    ax.set(xlim=(-0.8, n_tokens - 0.2), ylim=(-0.5, top + 0.5))
