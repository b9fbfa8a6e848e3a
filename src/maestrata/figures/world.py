"""Worlds: the tree over the tokens, and images of one root whose details are drawn anew, level by level."""

from __future__ import annotations

from typing import Any

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure, SubFigure
from matplotlib.patches import Rectangle
from numpy.typing import NDArray

from maestrata.errors import FigureError
from maestrata.figures.looks import level_look
from maestrata.figures.sheet import Sheet
from maestrata.figures.style import SMALLEST, WIDTH, Style
from maestrata.figures.tokens import bare, colours, grid_of, is_tree, node_places
from maestrata.figures.words import listed
from maestrata.geometry import TokenGrid
from maestrata.masks import MaskPatches, evaluation_masks, mask_matrix, visible_count
from maestrata.results import CubeSet

TITLE = "Worlds: latent graph, token grid, and what each level decides of an image"
CAPTION = (
    "How much of an image each level of causes decides. Above: the graph of the first world, each node "
    "over the tokens that it generates, and the same blocks on the grid of tokens; tokens that the "
    "example mask hides are grey. Below, for up to three worlds of different kinds: one image (channels "
    "as red, green and blue, from the 1st to the 99th percentile), and two in which all is drawn anew "
    "that lies below a level: tokens that stay as they were are pale, so that what is coloured is not "
    "decided by that level and those above. Outlines: the blocks of the level's nodes. The last column is "
    "the share of the variance of each token that such draws change (white: nothing, black: all of it), "
    "with the mean over tokens."
)
NEEDS = ("worlds",)

MASK_RATIO = 0.5
COLUMNS = 4  # three images, and what changes
ACROSS = 3
TILE = 0.62
GIVEN = 8  # images of a set
PALE = 0.85  # how much white is in a token that stays as it was
HIDDEN = "#c8c8c8"


def draw(cubes: CubeSet, style: Style) -> Figure:
    """Draw the tree and the grid of the first world, and rows of images for some worlds."""
    every = _first_seeds(cubes.all("worlds"))
    worlds = _different([world for world in every if "redrawn" in world])
    if every and not worlds:
        return _given(style, every)
    if not worlds:
        raise FigureError("figure 'world': a file of kind 'worlds' is needed; given: none (--cubes)")
    world = worlds[0]
    grid = grid_of(world)
    seen = _mask(world)
    rows = TILE * (1 + max(here.sizes["level"] for here in worlds))
    figure = Figure(figsize=(WIDTH, 1.75 + rows), layout="constrained")
    parts: Any = figure.subfigures(2, 1, height_ratios=[1.75, rows])
    tree, plan = parts[0].subplots(1, 2, width_ratios=[3, 1])
    _tree(tree, world, seen)
    # A node of a graph that is no tree has no block of its own.
    _plan(plan, grid, seen, grid.levels if is_tree(world) else 0)
    axes: list[Axes] = []
    across = max(2, len(worlds))  # one alone does not fill the width
    for here, panel in zip(worlds, np.ravel(parts[1].subfigures(1, across)), strict=False):
        axes += _rows(panel, here)
    for part in figure.findobj(SubFigure):
        part.patch.set_visible(False)  # a background at 0 or -0, as rounding has it: other bytes
    levels = [level_look(level, grid.levels) for level in range(grid.levels, 0, -1)]
    share = [(level, float(world.changed.sel(level=level).mean())) for level in (grid.levels, 1)]
    told = listed(
        f"below {f'level {level}' if level == 1 else 'the root'} decides {s:.0%}" for level, s in share
    )
    return Sheet(style, figure, np.array(axes)).done(
        TITLE, f"{world.attrs['world']}: of the variance of an image, what lies {told}.", levels, [
        f"n = {COLUMNS - 1} display images a row, of world seed {world.attrs['world_seed']}; example mask: "
        f"ratio {MASK_RATIO:g}, {seen.sum()} of {grid.n_tokens} mask patches of 1×1 tokens visible; single "
        "images: no intervals",
    ])  # fmt: skip


def _given(style: Style, worlds: list[xr.Dataset]) -> Figure:
    """Draw images of worlds that are sets of them: of these no level can be drawn anew."""
    sheet = Sheet.grid(style, len(worlds), GIVEN, panel_height=1.1)
    for world, row in zip(worlds, sheet.axes, strict=True):
        (images,) = colours(world.images.transpose("sample", "y", "x", "channel").values)
        for ax, image in zip(row, images, strict=False):
            ax.imshow(image)
            bare(ax)
        row[0].set_title(str(world.attrs["world"]))
    return sheet.done("Given images", "", [], [f"n = {GIVEN} images a world: no intervals"])


def _different(worlds: list[xr.Dataset]) -> list[xr.Dataset]:
    """Keep the first world, the first of other tokens or of another kind, and so on: `ACROSS` at most."""
    kept: dict[tuple[int, str], xr.Dataset] = {}
    for world in worlds:
        kept.setdefault((int(world.attrs["token_pixels"]), str(world.attrs["world_kind"])), world)
    # worlds whose tokens show a pattern before those of plain ones, after the first
    return sorted(kept.values(), key=lambda w: (w is not worlds[0], -int(w.attrs["token_pixels"])))[:ACROSS]


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
            ax.text(x, -0.05, str(token), ha="center", va="center", fontsize=SMALLEST, zorder=3)
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
            ax.text(x + 0.5, y + 0.5, str(token), ha="center", va="center", fontsize=SMALLEST)
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


def _rows(panel: SubFigure, world: xr.Dataset) -> list[Axes]:
    """Show images of a world: a row in which all differs, then one a level, the root's first."""
    grid, pixels = grid_of(world), int(world.attrs["token_pixels"])
    order = ("y", "x", "channel")
    images = world.images.transpose("sample", *order).values
    redrawn = world.redrawn.transpose("level", "redraw", *order)
    parts = {level: redrawn.sel(level=level).values for level in range(grid.levels, 0, -1)}
    shown, *anew = colours(images, *parts.values())
    rows = dict(zip(parts, anew, strict=True))
    axes = panel.subplots(len(rows), COLUMNS, squeeze=False)
    spread = 2 * images.var(0).mean()
    for line, (level, others) in zip(axes, rows.items(), strict=True):
        line[0].imshow(shown[0])
        for ax, tile, values in zip(line[1:-1], others, parts[level], strict=False):
            ax.imshow(_faded(tile, (values - images[0]) ** 2 / spread, grid, pixels))
        _changed(line[-1], world.changed.sel(level=level).values.reshape(grid.height, grid.width), pixels)
        for ax in line:
            _outline(ax, grid, level, pixels)
            bare(ax)
        line[0].set_ylabel(f"level {level}", fontsize="small", rotation=0, ha="right", va="center")
    for ax, name in zip(axes[0], ("image", "anew", "anew", "changes"), strict=True):
        ax.set_title(name, fontsize="small")
    panel.suptitle(str(world.attrs["world"]), fontsize="medium")
    return list(axes.ravel())


def _faded(tile: NDArray[Any], change: NDArray[Any], grid: TokenGrid, pixels: int) -> NDArray[Any]:
    """Make tokens pale by how little they changed: images (y, x, channel)."""
    blocks = change.mean(-1).reshape(grid.height, pixels, grid.width, pixels).mean((1, 3))
    white = PALE * np.kron(1 - np.clip(2 * blocks, 0, 1), np.ones((pixels, pixels)))[..., None]
    return np.asarray(white + (1 - white) * tile)


def _changed(ax: Axes, share: NDArray[np.float64], pixels: int) -> None:
    """Show the share of each token's variance (y, x), and its mean in a word."""
    ax.imshow(np.kron(share, np.ones((pixels, pixels))), cmap="Greys", vmin=0, vmax=1)
    box = {"facecolor": "white", "edgecolor": "none", "pad": 1}
    place = {"ha": "center", "va": "center", "transform": ax.transAxes}
    ax.text(0.5, 0.5, f"{share.mean():.0%}", None, bbox=box, fontsize="small", **place)


def _outline(ax: Axes, grid: TokenGrid, level: int, pixels: int) -> None:
    """Draw the blocks of a level's nodes over an image."""
    height, width = (side * pixels for side in grid.block_shape(level))
    color = level_look(level, grid.levels).color
    for y in range(0, grid.height * pixels, height):
        for x in range(0, grid.width * pixels, width):
            box = Rectangle((x - 0.5, y - 0.5), width, height, fill=False, edgecolor=color, linewidth=0.8)
            box.set_clip_on(False)
            ax.add_patch(box)
