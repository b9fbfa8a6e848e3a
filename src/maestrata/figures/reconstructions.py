"""The same images as models of different masking ratios fill them in."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from maestrata.figures.panels import columns_of, place_label, places, short
from maestrata.figures.registry import CubeSet
from maestrata.figures.style import Style
from maestrata.figures.summary import missing_text

if TYPE_CHECKING:
    import xarray as xr

NAME = "reconstructions"
TITLE = "The same images, filled in by models of different masking ratios"
CAPTION = (
    "Left: display images of a world. Then, for each realised masking ratio, two rows an image: what "
    "the encoder saw (grey: masked), and the masked part as the decoder fills it in, within what was "
    "seen. The three channels are shown as red, green and blue, from the 1st to the 99th percentile of "
    "the world's images. First world seed, first training seed, smallest mask patch."
)
NEEDS = ("reconstructions",)

IMAGES = 2  # of each world
_GREY = 0.78
_STEP = 1.12  # from tile to tile, in tiles


def draw(cubes: CubeSet, style: Style) -> Figure:
    """Draw a panel for each world: two rows an image, one column a ratio."""
    cube = cubes.one("reconstructions")
    blocks = [block for block in map(_Block.of, *_chosen(cube)) if block is not None]
    columns = max((len(block.ratios) for block in blocks), default=4) + 1
    figure, axes = style.flow(
        max(len(blocks), 1), columns=2, panel_width=0.62 * columns, panel_height=0.62 * 2 * IMAGES + 0.5
    )
    for ax, block in zip(axes, blocks, strict=False):
        block.draw(ax, columns)
    for ax in axes:
        ax.set_axis_off()
    if not blocks:
        style.missing(axes[0])
    style.title(figure, TITLE)
    style.footer(figure, [
        f"n = {IMAGES} images a world, one model a column (first world seed and training seed); "
        f"single images: no intervals; {missing_text(cube)}",
        "upper row: what the encoder saw (grey: masked); lower row: masked tokens filled in by the decoder",
    ])  # fmt: skip
    return figure


def _chosen(cube: xr.Dataset) -> tuple[list[xr.Dataset], list[str]]:
    """For each world, its smallest mask patch, at the seeds (the first ones) that have most of its cells."""
    first: dict[str, tuple[str, int, int]] = {}
    for place in places(cube):
        first.setdefault(place[0], place)
    parts, titles = [], []
    for place in first.values():
        world, size, offset = place
        here = cube.sel(world=world, patch_size=size, offset=offset)
        done = (here.status == 1).sum("mask_ratio")
        world_seed, seed = np.unravel_index(int(done.values.argmax()), done.shape)
        parts.append(columns_of(here.isel(world_seed=[world_seed], seed=[seed])).isel(world_seed=0, seed=0))
        titles.append(place_label(cube, *place))
    return parts, titles


class _Block:
    """Images of a world, what was seen of them and how it was filled in: in [0, 1], (y, x, channel)."""

    def __init__(self, title: str, ratios: list[float], original: Any, seen: Any, filled: Any) -> None:
        self.title = title
        self.ratios = ratios
        self.original = original
        self.seen = seen
        self.filled = filled

    @classmethod
    def of(cls, here: xr.Dataset, title: str) -> _Block | None:
        """Prepare what there is of a world; None if nothing is."""
        image = here.image.transpose("mask_ratio", "sample", "y", "x", "channel").values
        there = np.isfinite(image).any((1, 2, 3, 4))
        if not there.any():
            return None
        # Images of a smaller world are padded with NaN.
        size_y, size_x = (int(np.isfinite(image[there][0, 0, ..., 0]).any(axis).sum()) for axis in (1, 0))
        image = image[there][..., :size_y, :size_x, :]
        prediction = here.prediction.transpose("mask_ratio", "sample", "y", "x", "channel").values[there]
        visible = here.visible.transpose("mask_ratio", "sample", "y", "x").values[there]
        visible = visible[..., :size_y, :size_x, None]
        low, high = np.percentile(image, [1, 99])
        prediction = prediction[..., :size_y, :size_x, :]
        shown, predicted = (np.clip((v - low) / (high - low), 0, 1) for v in (image, prediction))
        return cls(
            title,
            [float(r) for r in here.realised_ratio.values[there]],
            shown[0],
            np.where(visible > 0, shown, _GREY),
            np.where(visible > 0, shown, predicted),
        )

    def draw(self, ax: Axes, columns: int) -> None:
        """Draw the tiles, the unit of both axes being one tile."""
        images = min(IMAGES, len(self.original))
        names = ["original"] + [
            f"ratio {short(r)}" if j == 0 else short(r) for j, r in enumerate(self.ratios)
        ]
        for k in range(images):
            top = 2 * k * _STEP
            _tile(ax, self.original[k], 0, top + _STEP / 2)
            for j in range(len(self.ratios)):
                _tile(ax, self.seen[j, k], (j + 1) * _STEP, top)
                _tile(ax, self.filled[j, k], (j + 1) * _STEP, top + _STEP)
        for j, name in enumerate(names):
            ax.text(j * _STEP + 0.5, -0.12, name, ha="center", va="bottom", fontsize="x-small")
        ax.set_title(self.title)
        ax.set(xlim=(0, columns * _STEP), ylim=(2 * images * _STEP, -0.45), aspect="equal", anchor="NW")


def _tile(ax: Axes, image: NDArray[Any], x: float, y: float) -> None:
    """Show an image in the unit square at (x, y), its pixels square."""
    height, width = image.shape[:2]
    half_width, half_height = width / max(height, width) / 2, height / max(height, width) / 2
    x, y = x + 0.5, y + 0.5
    ax.imshow(image, extent=(x - half_width, x + half_width, y + half_height, y - half_height))
