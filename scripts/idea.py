"""Draw the idea in one picture: ``python scripts/idea.py`` writes docs/images/idea.png.

The image is one of a world of the package, and what is shared is computed, not drawn by hand.
"""

from __future__ import annotations

import sys
from collections.abc import Collection
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection

from maestrata import worlds
from maestrata.figures.looks import level_look
from maestrata.figures.save import save
from maestrata.figures.style import Style
from maestrata.figures.tokens import bare, colours, node_places
from maestrata.theory import shared_information

TARGET = Path(__file__).resolve().parent.parent / "docs" / "images" / "idea.png"
HIDDEN = "#d9d9d9"
LEVELS = {3: "the root:\ncause of the whole", 2: "causes of halves", 1: "causes of quarters", 0: "the image"}
PANELS = {
    "1. An image is made from the top down": None,
    "2. Half is hidden: both sides share the root": ("x0", "x1", "x2", "x3"),
    "3. Every other part is hidden: low causes": ("x0", "x1", "x4", "x5"),
}
"""Title -> hidden tokens (rows of two): the upper half; one of every pair."""


def draw(path: Path) -> None:
    """Draw the three panels and save them."""
    world = worlds.make("symbol_tree", 4, leaves=8, root=2, token_pixels=8, patterns="oriented")
    image = world.sample(64, "display").images[7]
    graph, grid = world.graph, world.grid
    attrs = {"grid_height": grid.height, "grid_width": grid.width}
    nodes = list(graph.nodes)
    places = node_places(xr.Dataset(coords={"node": nodes}, attrs=attrs))
    place = dict(zip(nodes, map(tuple, places), strict=True))
    (shown,) = colours(np.moveaxis(image, 0, -1))
    tokens = shown.reshape(grid.height, 8, grid.width, 8, 3).swapaxes(1, 2).reshape(-1, 8, 8, 3)
    style = Style()
    with style.context():
        from matplotlib.figure import Figure

        figure = Figure(figsize=(9.6, 2.4), dpi=200, layout="constrained")
        for ax, (title, hidden) in zip(
            figure.subplots(1, 3, width_ratios=[1.3, 1, 1]), PANELS.items(), strict=True
        ):
            shared = shared_information(graph, hidden).nodes if hidden else ()
            _tree(ax, graph, place, shared, all_bright=hidden is None)
            _tokens(ax, place, tokens, hidden or ())
            ax.set_title(title, fontsize=8.2)
            bare(ax)
            ax.set(xlim=(-3.3 if hidden is None else -0.7, 7.7), ylim=(-0.75, 3.45))
            if hidden is None:
                for level, text in LEVELS.items():
                    ax.text(-0.75, level, text, ha="right", va="center", fontsize=6.5)
        save(figure, path, style)


def _tree(ax: Axes, graph: Any, place: dict[str, Any], shared: Collection[str], all_bright: bool) -> None:
    edges = [(place[parent], place[node]) for node in place for parent in graph.parents(node)]
    ax.add_collection(LineCollection(edges, colors="#c4c4c4", linewidths=0.8, zorder=1))
    for node, (x, y) in place.items():
        if y > 0:
            bright = all_bright or node in shared
            look = (
                {"color": level_look(int(y), 3).color}
                if bright
                else {"color": "white", "edgecolors": "#aaaaaa"}
            )
            ax.scatter(x, y, s=110 if node in shared else 45, linewidths=0.8, zorder=3, **look)


def _tokens(ax: Axes, place: dict[str, Any], tokens: Any, hidden: Collection[str]) -> None:
    for i, token in enumerate(tokens):
        x, y = place[f"x{i}"]
        box = (x - 0.42, x + 0.42, y - 0.55, y + 0.29)
        if f"x{i}" in hidden:
            token = np.full((1, 1, 3), int(HIDDEN[1:3], 16) / 255)
            ax.text(x, y - 0.13, "?", ha="center", va="center", fontsize=8, zorder=4)
        ax.imshow(token, extent=box, zorder=2, aspect="auto", interpolation="nearest")


if __name__ == "__main__":
    draw(Path(sys.argv[1]) if len(sys.argv) > 1 else TARGET)
