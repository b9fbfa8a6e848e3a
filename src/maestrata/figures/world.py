"""A world: its tree over the tokens, sample images, and one mask with the visible and the masked part."""

from __future__ import annotations

from typing import Any

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from numpy.typing import NDArray

from maestrata.errors import FigureError
from maestrata.figures.looks import level_look
from maestrata.figures.sheet import Sheet
from maestrata.figures.style import Style
from maestrata.figures.tokens import bare, colours, grid_of, node_places
from maestrata.geometry import TokenGrid
from maestrata.masks import MaskPatches, evaluation_masks, mask_matrix, visible_count
from maestrata.results import CubeSet

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
HIDDEN = "#c8c8c8"
SHADE = 0.78


def draw(cubes: CubeSet, style: Style) -> Figure:
    """Draw the tree and the grid of the first world, and a row of images for every world."""
    worlds = _first_seeds(cubes.all("worlds"))
    if not worlds:
        raise FigureError("figure 'world': a file of kind 'worlds' is needed; given: none (--cubes)")
    world = worlds[0]
    grid = grid_of(world)
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
    visible = visible_count(patches.n_patches, MASK_RATIO)
    levels = [level_look(level, grid.levels) for level in range(grid.levels, 0, -1)]
    return Sheet(style, figure, axes).done(TITLE, levels, [
        f"n = {SAMPLES} of {world.sizes['sample']} display images a world, world seed "
        f"{world.attrs['world_seed']}; example mask: ratio {MASK_RATIO:g}, {visible} of {patches.n_patches} "
        "mask patches of 1×1 tokens visible; single images: no intervals",
    ])  # fmt: skip


def _first_seeds(worlds: list[xr.Dataset]) -> list[xr.Dataset]:
    """Keep each world's lowest seed, worlds in the order given."""
    first: dict[str, xr.Dataset] = {}
    for world in worlds:
        label = str(world.attrs["world"])
        if label not in first or world.attrs["world_seed"] < first[label].attrs["world_seed"]:
            first[label] = world
    return list(first.values())


def _mask(world: xr.Dataset) -> NDArray[np.bool_]:
    """The example mask: (n_tokens,), True where visible."""
    grid = grid_of(world)
    patches = MaskPatches(grid)
    visible = visible_count(patches.n_patches, MASK_RATIO)
    ids, _ = evaluation_masks(int(world.attrs["world_seed"]), patches, visible, 1, split="display")
    return mask_matrix(ids, grid.n_tokens)[0]


def _tree(ax: Axes, world: xr.Dataset, seen: NDArray[np.bool_]) -> None:
    """Draw the graph, nodes over the middle of their children; for any graph."""
    level, top = world.node_level.values, int(world.node_level.max())
    place = node_places(world)
    for edge in zip(world.edge_parent.values, world.edge_child.values, strict=True):
        ax.plot(*place[list(edge)].T, color="#999999", linewidth=0.6, zorder=1)
    for k in range(1, top + 1):
        look = level_look(k, top)
        ax.scatter(
            place[level == k, 0], place[level == k, 1], s=26, color=look.color, marker=look.marker, zorder=2
        )
    tokens = place[level == 0, 0]
    size = 0.34
    for token, x in enumerate(tokens):
        face = "white" if seen[token] else HIDDEN
        box = Rectangle((x - size, -0.3), 2 * size, 0.5, facecolor=face, edgecolor="#444444")
        box.set(zorder=2, linewidth=0.5)
        ax.add_patch(box)
        if len(tokens) <= 32:
            ax.text(x, -0.05, str(token), ha="center", va="center", fontsize=5.5, zorder=3)
    bare(ax)
    ax.set(xlim=(-0.8, len(tokens) - 0.2), ylim=(-0.45, top + 0.35), ylabel="level")
    ax.set_yticks(range(top + 1), ["token", *map(str, range(1, top + 1))])
    ax.set_title(f"{world.attrs['world']}: {world.attrs['world_kind']}")
    ax.tick_params(axis="y", length=0)


def _plan(ax: Axes, grid: TokenGrid, seen: NDArray[np.bool_], top: int) -> None:
    """Draw the blocks of all levels up to `top` on the grid of tokens, the high ones thick."""
    for token in range(grid.n_tokens):
        y, x = divmod(token, grid.width)
        ax.add_patch(Rectangle((x, y), 1, 1, facecolor="white" if seen[token] else HIDDEN, edgecolor="none"))
        if grid.n_tokens <= 32:
            ax.text(x + 0.5, y + 0.5, str(token), ha="center", va="center", fontsize=5.5)
    for level in range(top + 1):
        height, width = grid.block_shape(level)
        # Each level inside the one above it, so that the outlines of all can be seen.
        inset = 0.04 * (top - level)
        color = level_look(level, grid.levels).color if level else "#bbbbbb"
        for y in range(0, grid.height, height):
            for x in range(0, grid.width, width):
                outline = Rectangle((x + inset, y + inset), width - 2 * inset, height - 2 * inset)
                outline.set(fill=False, edgecolor=color, linewidth=0.5 + 0.15 * level)
                ax.add_patch(outline)
    bare(ax)
    ax.set(xlim=(-0.1, grid.width + 0.1), ylim=(grid.height + 0.1, -0.1), aspect="equal")
    ax.set_title("tokens and blocks" if top else "tokens")


def _images(row: NDArray[Any], world: xr.Dataset) -> None:
    """Show images, and of the first the visible and the masked part."""
    images = world.images.transpose("sample", "y", "x", "channel").values
    shown = colours(images)[0][:SAMPLES]
    grid, pixels = grid_of(world), int(world.attrs["token_pixels"])
    seen = np.kron(_mask(world).reshape(grid.height, grid.width), np.ones((pixels, pixels)))[..., None] > 0
    tiles = [*shown, np.where(seen, shown[0], SHADE), np.where(seen, SHADE, shown[0])]
    names = [f"{world.attrs['world']}: images"] + [""] * (len(shown) - 1) + ["visible", "masked"]
    for ax, tile, name in zip(row, tiles, names, strict=True):
        ax.imshow(tile)
        ax.set_title(name, fontsize="small")
        bare(ax)
