"""What figures of worlds and images share: places of nodes over their tokens, and channels as colours."""

from __future__ import annotations

from typing import Any

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from numpy.typing import NDArray

from maestrata.geometry import TokenGrid


def grid_of(world: xr.Dataset) -> TokenGrid:
    """Return the grid of tokens of a world's file."""
    return TokenGrid(int(world.attrs["grid_height"]), int(world.attrs["grid_width"]))


def is_tree(world: xr.Dataset) -> bool:
    """Tell whether no node of a world's graph has two parents."""
    return int(np.bincount(world.edge_child.values).max()) == 1


def node_places(world: xr.Dataset) -> NDArray[np.float64]:
    """Place every node above the middle of its tokens, these in the order in which the tree has them.

    Of a graph that is no tree, that is the tree over the grid.

    Returns
    -------
    ndarray (nodes, 2)
        x in tokens, y the level.
    """
    return _places_in_tree(world) if is_tree(world) else _places_in_grid(world)


def _places_in_tree(world: xr.Dataset) -> NDArray[np.float64]:
    """Lay out a tree from its edges; children stand in the order of their first tokens."""
    level = world.node_level.values
    below: dict[int, list[int]] = {int(at): [int(at)] for at in np.flatnonzero(level == 0)}
    children: dict[int, list[int]] = {}
    for parent, child in np.stack([world.edge_parent.values, world.edge_child.values], 1).tolist():
        children.setdefault(parent, []).append(child)
    for node in np.argsort(level, kind="stable").tolist():
        if node in children:
            parts = sorted((below[child] for child in children[node]), key=min)
            below[node] = [token for part in parts for token in part]
    place = {token: x for x, token in enumerate(below[int(level.argmax())])}
    x = [np.mean([place[token] for token in below[node]]) for node in range(len(level))]
    return np.stack([x, level.astype(np.float64)], 1)


def _places_in_grid(world: xr.Dataset) -> NDArray[np.float64]:
    grid = grid_of(world)
    order = [0]
    for level in range(grid.levels, 0, -1):
        order = [int(child) for node in order for child in grid.children(level)[node]]
    place = np.argsort(order)
    known = {
        f"z{level}.{i}" if level else f"x{i}": (float(place[tokens].mean()), float(level))
        for level in range(grid.levels + 1)
        for i, tokens in enumerate(grid.blocks(level))
    }
    return np.array([known[str(name)] for name in world.node.values])


def colours(images: NDArray[Any], *like: NDArray[Any]) -> list[NDArray[Any]]:
    """Scale images (..., channel) to [0, 1], by the 1st to the 99th percentile of the first ones.

    One channel becomes three: grey.
    """
    low, high = np.percentile(images, [1, 99])
    scaled = [np.clip((values - low) / (high - low), 0, 1) for values in (images, *like)]
    return [np.repeat(values, 3, -1) if values.shape[-1] == 1 else values for values in scaled]


def bare(axes: Axes) -> None:
    """Take away ticks and frame of a panel that shows an image or a graph."""
    axes.set(xticks=[], yticks=[])
    axes.spines[:].set_visible(False)
