"""Images for advice: from an array, a file or a world."""

from __future__ import annotations

import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from maestrata import worlds
from maestrata.errors import AdviceError, MaskError
from maestrata.geometry import TokenGrid
from maestrata.random import stream
from maestrata.worlds.base import World

MOST_TOKENS = 64
TOKEN = 8  # pixels of a token's side, of a folder or NetCDF file


@dataclass(frozen=True)
class Images:
    """Images that are looked at.

    Attributes
    ----------
    images : float32 array (n, channel, y, x)
    labels : array (n,), or None
    grid : TokenGrid
    token_pixels : int
    where : str
        Names them in errors.
    """

    images: NDArray[np.float32]
    labels: NDArray[Any] | None
    grid: TokenGrid
    token_pixels: int
    where: str

    @property
    def about(self) -> str:
        """Describe them in a line."""
        n, channels, height, width = self.images.shape
        tokens = f"{self.grid.height}x{self.grid.width} tokens of {self.token_pixels} pixels a side"
        return f"{self.where}: {n} images of {channels}x{height}x{width}, {tokens}"


def read_images(
    source: Any,
    labels: ArrayLike | None,
    token_pixels: int | None,
    most: int,
    seed: int,
    classes: bool = False,
) -> Images:
    """Read images, at most `most` of them.

    A folder or a NetCDF file is a world of given images, whose training images are taken; `classes` says
    whether its classes are wanted.

    Raises
    ------
    AdviceError
        If they cannot be read, or are no images.
    """
    if isinstance(source, str | Path) and (Path(source).is_dir() or Path(source).suffix == ".nc"):
        kind = "image_folder" if Path(source).is_dir() else "image_array"
        settings = {"labels": classes, "token_pixels": token_pixels or TOKEN, "fit": "crop"}
        source = worlds.make(kind, seed, path=str(source), **settings)
    if isinstance(source, World):
        if labels is not None:
            raise AdviceError("labels go with an array, .npy or .npz: a world or a folder has its own")
        # of given images there are only so many, and none may come twice
        sample = source.sample(min(most, source.images or most), "theory")
        images = np.asarray(sample.images, np.float32)
        # a world of given images holds their classes at the root, and nothing else
        held = None if source.latent else sample.latents.get(source.levels)
        return Images(
            images, None if held is None else held[:, 0, 0], source.grid, source.token_pixels, source.name
        )
    where = "images"
    if isinstance(source, str | Path):
        where = str(source)
        source, stored = _read_file(Path(source))
        labels = stored if labels is None else labels
    array, held = np.asarray(source), None if labels is None else np.asarray(labels)
    if array.dtype != np.uint8 and array.dtype.kind != "f":
        raise AdviceError(f"{where}: type {array.dtype} must be uint8 or floating point")
    if array.ndim == 3:
        array = array[:, None]
    elif array.ndim == 4 and array.shape[-1] in (1, 3) and array.shape[1] not in (1, 3):
        array = np.moveaxis(array, -1, 1)
    if array.ndim != 4 or array.shape[1] not in (1, 3):
        raise AdviceError(
            f"{where}: shape {array.shape} must be (n, channel, y, x), (n, y, x, channel) or (n, y, x), with "
            "1 or 3 channels"
        )
    if held is not None and held.shape != (len(array),):
        raise AdviceError(
            f"{where}: labels of shape {held.shape} must be one for each of {len(array)} images"
        )
    if len(array) > most:
        rows = np.sort(stream(seed, "display").choice(len(array), most, replace=False))
        array, held = array[rows], None if held is None else held[rows]
    array = np.ascontiguousarray(array, np.float32)
    if not np.isfinite(array).all():
        raise AdviceError(
            f"{where}: image {int((~np.isfinite(array)).any((1, 2, 3)).argmax())} holds NaN or infinity"
        )
    side, grid = _tokens(where, array.shape[2], array.shape[3], token_pixels)
    return Images(array, held, grid, side, where)


def _tokens(where: str, height: int, width: int, token_pixels: int | None) -> tuple[int, TokenGrid]:
    """Return the side of a token and the grid; by default the finest grid of tokens of 2 pixels or more."""
    sides = range(2, min(height, width) + 1) if token_pixels is None else [token_pixels]
    for side in sides:
        if isinstance(side, bool) or not isinstance(side, int) or side < 1 or height % side or width % side:
            continue
        try:
            grid = TokenGrid(height // side, width // side)
        except MaskError:  # no grid of a tree: the next side may make one, and none at all is told below
            continue
        if grid.n_tokens <= MOST_TOKENS or token_pixels is not None:
            return side, grid
    asked = "no token" if token_pixels is None else f"token_pixels={token_pixels!r}"
    raise AdviceError(
        f"{where}: {asked} cuts images of {height}x{width} pixels into 2**ceil(L/2) by 2**floor(L/2) "
        "tokens, such as 4x4, 8x4 or 8x8: crop or pad them, or give another token_pixels"
    )


def _read_file(path: Path) -> tuple[Any, Any]:
    try:
        with path.open("rb") as file:
            data = np.load(file, allow_pickle=False)
            if isinstance(data, np.ndarray):
                return data, None
            if "images" in data.files:
                return data["images"], data["labels"] if "labels" in data.files else None
            held = ", ".join(data.files) or "nothing"
    except (OSError, ValueError, EOFError, KeyError, zipfile.BadZipFile, zlib.error) as error:
        raise AdviceError(f"{path}: cannot be read as .npy or .npz: {' '.join(str(error).split())}") from None
    raise AdviceError(f"{path}: must hold 'images'; it holds: {held}")
