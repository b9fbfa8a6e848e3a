"""A world: its tree over the tokens, sample images, and one mask with the visible and the masked part."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from numpy.typing import NDArray

from maestrata.errors import FigureError
from maestrata.figures.panels import level_legend
from maestrata.figures.registry import CubeSet
from maestrata.figures.style import Style, level_color, level_marker
from maestrata.geometry import TokenGrid
from maestrata.masks import MaskPatches, evaluation_masks, mask_matrix, visible_count

if TYPE_CHECKING:
    import xarray as xr

NAME = "world"
TITLE = "A world: latent graph, token grid, images, and one mask"
CAPTION = (
    "Above: the graph of the first world, each node over the tokens that it generates, and the same "
    "blocks on the grid of tokens; tokens that the example mask hides are grey. Below, for each world: "
    "sample images (channels as red, green and blue, from the 1st to the 99th percentile), and the "
    "visible and the masked part of the first under that mask."
)
NEEDS = ("worlds",)

MASK_RATIO = 0.5
SAMPLES = 5
_HIDDEN = "#c8c8c8"
_SHADE = 0.78


def draw(cubes: CubeSet, style: Style) -> Figure:
    """Draw the tree and the grid of the first world, and a row of images for every world."""
    worlds = _first_seeds(cubes.all("worlds"))
    if not worlds:
        raise FigureError("figure 'world': a file of kind 'worlds' is needed; given: none (--cubes)")
    world = worlds[0]
    grid = _grid(world)
    patches = MaskPatches(grid)
    seen = _mask(world)
    heights = [2.2] + [1.0] * len(worlds)
    figure = Figure(figsize=(7.6, sum(heights) + 1.3), layout="constrained")
    parts: Any = figure.subfigures(2, 1, height_ratios=[heights[0], sum(heights[1:])])
    above, below = parts
    tree, plan = above.subplots(1, 2, width_ratios=[3, 1])
    _tree(tree, world, seen)
    # A node of a graph that is no tree has no block of its own.
    tree_like = int(np.bincount(world.edge_child.values).max()) == 1
    _plan(plan, grid, seen, grid.levels if tree_like else 0)
    axes = below.subplots(len(worlds), SAMPLES + 2, squeeze=False)
    for row, here in zip(axes, worlds, strict=True):
        _images(row, here)
    style.title(figure, TITLE, level_legend(range(grid.levels, 0, -1)))
    visible = visible_count(patches.n_patches, MASK_RATIO)
    style.footer(
        figure,
        f"n = {SAMPLES} of {world.sizes['sample']} display images a world, world seed "
        f"{world.attrs['world_seed']}; example mask: ratio {MASK_RATIO:g}, {visible} of {patches.n_patches} "
        "mask patches of 1×1 tokens visible; single images: no intervals",
    )
    return figure


def _first_seeds(worlds: list[xr.Dataset]) -> list[xr.Dataset]:
    """Keep each world's lowest seed, worlds in the order given."""
    first: dict[str, xr.Dataset] = {}
    for world in worlds:
        label = str(world.attrs["world"])
        if label not in first or world.attrs["world_seed"] < first[label].attrs["world_seed"]:
            first[label] = world
    return list(first.values())


def _grid(world: xr.Dataset) -> TokenGrid:
    return TokenGrid(int(world.attrs["grid_height"]), int(world.attrs["grid_width"]))


def _mask(world: xr.Dataset) -> NDArray[np.bool_]:
    """The example mask: (n_tokens,), True where visible."""
    grid = _grid(world)
    patches = MaskPatches(grid)
    visible = visible_count(patches.n_patches, MASK_RATIO)
    ids, _ = evaluation_masks(int(world.attrs["world_seed"]), patches, visible, 1, split="display")
    return mask_matrix(ids, grid.n_tokens)[0]


def _tree(ax: Axes, world: xr.Dataset, seen: NDArray[np.bool_]) -> None:
    """Draw the graph, nodes over the middle of their children; works for any DAG."""
    grid = _grid(world)
    level = world.node_level.values
    parents, children = world.edge_parent.values, world.edge_child.values
    tokens = np.flatnonzero(level == 0)
    # Leaves in the order of the tree, so that no two branches cross.
    order = np.lexsort([grid.node_of_token(k) for k in range(grid.levels + 1)])
    x = np.zeros(len(level))
    x[tokens[order]] = np.arange(len(tokens))
    for k in range(1, int(level.max()) + 1):
        for node in np.flatnonzero(level == k):
            below = children[parents == node]
            x[node] = x[below].mean() if len(below) else 0.0
    for parent, child in zip(parents, children, strict=True):
        ax.plot(x[[parent, child]], level[[parent, child]], color="#999999", linewidth=0.6, zorder=1)
    for k in range(1, int(level.max()) + 1):
        nodes = np.flatnonzero(level == k)
        ax.scatter(
            x[nodes],
            level[nodes],
            s=26,
            color=level_color(k, int(level.max())),
            marker=level_marker(k),
            zorder=2,
        )
    size = 0.34
    for token, place in enumerate(tokens):
        face = "white" if seen[token] else _HIDDEN
        box = Rectangle((x[place] - size, -0.3), 2 * size, 0.5, facecolor=face, edgecolor="#444444")
        box.set(zorder=2, linewidth=0.5)
        ax.add_patch(box)
        if len(tokens) <= 32:
            ax.text(x[place], -0.05, str(token), ha="center", va="center", fontsize=5.5, zorder=3)
    ax.set(xlim=(-0.8, len(tokens) - 0.2), ylim=(-0.45, level.max() + 0.35), xticks=[])
    ax.set_yticks(range(int(level.max()) + 1), ["token", *map(str, range(1, int(level.max()) + 1))])
    ax.set_ylabel("level")
    ax.set_title(f"{world.attrs['world']}: {world.attrs['world_kind']}")
    ax.spines[["bottom", "left"]].set_visible(False)
    ax.tick_params(axis="y", length=0)


def _plan(ax: Axes, grid: TokenGrid, seen: NDArray[np.bool_], top: int) -> None:
    """Draw the blocks of all levels up to `top` on the grid of tokens, the high ones thick."""
    for token in range(grid.n_tokens):
        y, x = divmod(token, grid.width)
        ax.add_patch(Rectangle((x, y), 1, 1, facecolor="white" if seen[token] else _HIDDEN, edgecolor="none"))
        if grid.n_tokens <= 32:
            ax.text(x + 0.5, y + 0.5, str(token), ha="center", va="center", fontsize=5.5)
    for level in range(top + 1):
        height, width = grid.block_shape(level)
        # Each level inside the one above it, so that the outlines of all can be seen.
        inset = 0.04 * (top - level)
        color = level_color(level, grid.levels) if level else "#bbbbbb"
        for y in range(0, grid.height, height):
            for x in range(0, grid.width, width):
                outline = Rectangle((x + inset, y + inset), width - 2 * inset, height - 2 * inset)
                outline.set(fill=False, edgecolor=color, linewidth=0.5 + 0.15 * level)
                ax.add_patch(outline)
    ax.set(
        xlim=(-0.1, grid.width + 0.1), ylim=(grid.height + 0.1, -0.1), aspect="equal", xticks=[], yticks=[]
    )
    ax.set_title("tokens and blocks" if top else "tokens")
    ax.spines[:].set_visible(False)


def _images(row: NDArray[Any], world: xr.Dataset) -> None:
    images = world.images.transpose("sample", "y", "x", "channel").values
    low, high = np.percentile(images, [1, 99])
    shown = np.clip((images[:SAMPLES] - low) / (high - low), 0, 1)
    grid, pixels = _grid(world), int(world.attrs["token_pixels"])
    seen = np.kron(_mask(world).reshape(grid.height, grid.width), np.ones((pixels, pixels)))[..., None] > 0
    tiles = [*shown, np.where(seen, shown[0], _SHADE), np.where(seen, _SHADE, shown[0])]
    names = ["images"] + [""] * (len(shown) - 1) + ["visible", "masked"]
    for ax, tile, name in zip(row, tiles, names, strict=True):
        ax.imshow(tile)
        ax.set(xticks=[], yticks=[])
        ax.spines[:].set_visible(False)
        ax.set_title(f"{world.attrs['world']}: {name}" if name == "images" else name, fontsize="small")
