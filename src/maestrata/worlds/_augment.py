"""Images brought to a grid of tokens, and augmented: shifted, mirrored, cropped and enlarged again."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from maestrata.errors import WorldError, one_of
from maestrata.worlds.checks import check_bool, check_number

FITS = ("exact", "crop", "pad")
Images = NDArray[np.float32]


@dataclass(frozen=True)
class Augmentation:
    """How training images vary from one time to the next.

    Attributes
    ----------
    shift : int
        Pixels by which an image is moved at most, in each direction; the outer pixels are repeated.
    flip : bool
        Mirror every other image, left to right.
    crop : float
        Least side of the part that is taken, as a share of the side, and enlarged to the whole; 1: all of it.
    """

    shift: int = 0
    flip: bool = False
    crop: float = 1.0

    def settings(self, world: str, side: int) -> dict[str, Any]:
        """Return the settings, checked for images of a side in pixels."""
        check_number(world, "shift", self.shift, 0, side - 1, integer=True)
        check_number(world, "crop", self.crop, 0.05, 1)
        check_bool(world, "flip", self.flip)
        return asdict(self)


def augment(images: Images, how: Augmentation, rng: np.random.Generator) -> Images:
    """Augment images (n, channel, y, x), each in a way of its own."""
    if how == Augmentation():
        return images
    n = (len(images),)
    part = rng.uniform(how.crop, 1, n)
    rows, columns = (
        _places(side, part, rng.random(n), rng.integers(-how.shift, how.shift + 1, n))
        for side in images.shape[2:]
    )
    mirrored = how.flip & (rng.random(n) < 0.5)
    columns = np.where(mirrored[:, None], columns[:, ::-1], columns)
    return _taken(_taken(images, rows, 2), columns, 3)


def _places(side: int, part: NDArray[Any], start: NDArray[Any], shift: NDArray[Any]) -> NDArray[np.float64]:
    """Where in an image each pixel of a row, or column, is taken from: (n, side)."""
    pixel = (np.arange(side) + 0.5) * part[:, None] + (start * (1 - part) * side)[:, None] - 0.5
    return np.clip(pixel + shift[:, None], 0, side - 1)


def _taken(images: Images, places: NDArray[np.float64], axis: int) -> Images:
    """Take rows (axis 2) or columns (axis 3) of images at places (n, side), between pixels linearly."""
    shape = (len(images), 1, -1, 1) if axis == 2 else (len(images), 1, 1, -1)
    below = np.floor(places).astype(np.int64)
    share = (places - below).astype(np.float32).reshape(shape)
    last = images.shape[axis] - 1
    one, two = (
        np.take_along_axis(images, np.minimum(at, last).reshape(shape), axis) for at in (below, below + 1)
    )
    return one + share * (two - one)


def fitted_shape(where: str, shape: tuple[int, ...], token_pixels: int, fit: str) -> tuple[int, int]:
    """Return the (y, x) that images of a shape are brought to: whole tokens that a binary tree halves.

    Raises
    ------
    WorldError
        If there is none; the message offers what there is.
    """
    if fit not in FITS:
        raise WorldError(f"{where}: fit={one_of(fit, FITS)}")
    height, width = shape
    grids = [(token_pixels << (level + 1) // 2, token_pixels << level // 2) for level in range(1, 24)]
    if (height, width) in grids:
        return height, width
    within = [grid for grid in grids if grid[0] <= height and grid[1] <= width]
    around = next(grid for grid in grids if grid[0] >= height and grid[1] >= width)
    if fit == "pad":
        return around
    if fit == "crop" and within:
        return within[-1]
    offers = [f"fit: pad (to {around[0]} x {around[1]})"]
    offers += [f"fit: crop (to {within[-1][0]} x {within[-1][1]})"] * bool(within)
    raise WorldError(
        f"{where}: images of {height} x {width} pixels are no grid of {token_pixels}-pixel tokens that a "
        f"binary tree halves (2x1, 2x2, 4x2, 4x4, 8x4, ... tokens): set {' or '.join(offers)}, or another "
        "token_pixels"
    )


def refit(images: Images, shape: tuple[int, ...]) -> Images:
    """Crop images (n, channel, y, x) to the middle, or repeat their outer pixels, up to a shape (y, x)."""
    for axis, side in zip((2, 3), shape, strict=True):
        more = side - images.shape[axis]
        if more > 0:
            before = [(0, 0)] * 4
            before[axis] = (more // 2, more - more // 2)
            images = np.pad(images, before, mode="edge")
        elif more < 0:
            images = np.take(images, np.arange(-more // 2, -more // 2 + side), axis)
    return images
