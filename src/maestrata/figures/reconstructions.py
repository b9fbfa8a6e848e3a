"""The same images as models of different masking ratios fill them in."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from maestrata.cubes.sweep import stated
from maestrata.figures.panels import name_of
from maestrata.figures.sheet import Sheet
from maestrata.figures.style import WIDTH, Style
from maestrata.figures.tokens import colours
from maestrata.figures.words import missing_text, short
from maestrata.results import CubeSet
from maestrata.results.places import Place, columns_of, smallest

TITLE = "The same images, filled in by models of different masking ratios"
CAPTION = (
    "What an encoder saw of an image, and how its decoder fills in the rest. Left: the image. Then, for "
    "each realised masking ratio, what the encoder saw (grey: masked), and under it the masked part as "
    "the decoder fills it in, within what was seen. The three channels are shown as red, green and blue, "
    "from the 1st to the 99th percentile of the world's images. The worlds that were run at most ratios; "
    "first world seed, first training seed, smallest mask patch."
)
NEEDS = ("reconstructions",)

MOST = 4  # images, of one world or of more
GREY = 0.78
STEP = 1.12  # from tile to tile, in tiles


class Block(NamedTuple):
    """Images of a world (image, y, x, channel) in [0, 1], and by ratio what was seen and filled in."""

    title: str
    ratios: list[float]
    original: NDArray[Any]
    seen: NDArray[Any]
    filled: NDArray[Any]


def draw(cubes: CubeSet, style: Style) -> Figure:
    """Draw a panel for each image: two rows, one column a ratio."""
    cube = cubes.one("reconstructions")
    blocks = [block for place in smallest(cube) if (block := _block(cube, place)) is not None]
    ratios = max((len(block.ratios) for block in blocks), default=3)
    blocks = [block for block in blocks if len(block.ratios) == ratios][:MOST]
    columns, each = ratios + 1, MOST // max(len(blocks), 1)
    shown = [(block, k) for block in blocks for k in range(min(each, len(block.original)))]
    # two panels share the width
    tile = WIDTH / 2 / (columns * STEP)
    sheet = Sheet.flow(style, max(len(shown), 1), columns=2, panel_height=2 * STEP * tile + 0.45)
    for ax, (block, k) in zip(sheet.axes, shown, strict=False):
        _draw(ax, block, k, columns)
    for ax in sheet.axes:
        ax.set_axis_off()
    sentence = "Upper rows: what the encoder saw; lower rows: what the decoder made of the rest."
    return sheet.done(TITLE, sentence, [], [
        f"n = {each} images a world, one model a column (first world seed and training seed); "
        f"single images: no intervals; {missing_text(cube)}",
        "grey: masked",
        "models predict pixels normalised by token (norm_pixels): each masked token is shown with its true "
        "mean and deviation, which no model knows" if True in stated(cube.attrs, "norm_pixels") else "",
    ])  # fmt: skip


def _block(cube: xr.Dataset, place: Place) -> Block | None:
    """Prepare the images of a place, at the seeds (the first ones) that have most of its cells."""
    here = cube.sel(place._asdict())
    done = (here.status == 1).sum("mask_ratio")
    world_seed, seed = np.unravel_index(int(done.values.argmax()), done.shape)
    here = columns_of(here.isel(world_seed=[world_seed], seed=[seed])).isel(world_seed=0, seed=0)
    images = here.transpose("mask_ratio", "sample", "y", "x", "channel", ...)
    there = np.isfinite(images.image.values).any((1, 2, 3, 4))
    if not there.any():
        return None
    # Images of a smaller world, or of one channel, are padded with NaN.
    one = np.isfinite(images.image.values[there][0, 0])
    sides = {"y": (1, 2), "x": (0, 2), "channel": (0, 1)}
    cut = {name: slice(int(one.any(others).sum())) for name, others in sides.items()} | {"mask_ratio": there}
    images = images.isel(cut)
    shown, predicted = colours(images.image.values, images.prediction.values)
    visible = images.visible.values[..., None] > 0
    ratios = [float(r) for r in images.realised_ratio]
    seen, filled = (np.where(visible, shown, masked) for masked in (GREY, predicted))
    return Block(name_of(cube, place), ratios, shown[0], seen, filled)


def _draw(ax: Axes, block: Block, k: int, columns: int) -> None:
    """Draw the tiles of an image, the unit of both axes being one tile."""
    _tile(ax, block.original[k], 0, STEP / 2)
    names = ["image", *(f"{'r = ' * (j == 0)}{short(r)}" for j, r in enumerate(block.ratios))]
    for j in range(len(block.ratios)):
        _tile(ax, block.seen[j, k], (j + 1) * STEP, 0)
        _tile(ax, block.filled[j, k], (j + 1) * STEP, STEP)
    for j, name in enumerate(names):
        ax.text(j * STEP + 0.5, -0.08, name, ha="center", va="bottom", fontsize="small")
    ax.set_title(block.title)
    ax.set(xlim=(0, columns * STEP), ylim=(2 * STEP, -0.3), aspect="equal", anchor="NW")


def _tile(ax: Axes, image: NDArray[Any], x: float, y: float) -> None:
    """Show an image in the unit square at (x, y), its pixels square."""
    height, width = image.shape[:2]
    half_width, half_height = width / max(height, width) / 2, height / max(height, width) / 2
    x, y = x + 0.5, y + 0.5
    ax.imshow(image, extent=(x - half_width, x + half_width, y + half_height, y - half_height))
