"""Images in a folder that holds a folder a class: PNG and JPEG, 8-bit grey or colour."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from maestrata.errors import WorldError
from maestrata.worlds._source import Source
from maestrata.worlds.checks import check_bool, check_number
from maestrata.worlds.images import ImageWorld

if TYPE_CHECKING:
    from PIL import Image

SUFFIXES = (".png", ".jpg", ".jpeg")
MODES = {"L": 1, "RGB": 3}
"""Modes of Pillow that are taken -> channels."""
KEPT = 1 << 26
"""Bytes of decoded images that are kept in memory: the first that are asked for."""


class Folder(Source):
    """Images in a folder, of one size and one mode.

    Parameters
    ----------
    path : Path
    labels : bool
        Whether the folders within it are classes; else all images below it are taken together.
    resize : int
        Side to which images are brought: the smaller side is scaled to it and the middle taken. 0: as they
        are, which must then all be of one size.
    """

    def __init__(self, path: Path, labels: bool, resize: int) -> None:
        self.where, self._resize = str(path), resize
        if not path.is_dir():
            raise WorldError(f"image_folder: {path} must be a folder of images; there is none")
        every = (one for one in path.rglob("*") if one.suffix.lower() in SUFFIXES and one.is_file())
        self._files = sorted((one for one in every if not _hidden(one, path)), key=lambda p: p.as_posix())
        if not self._files:
            raise WorldError(f"image_folder: {path} holds no image ({', '.join(SUFFIXES)})")
        if labels:
            classes = [file.relative_to(path).parts[0] for file in self._files]
            if (alone := next((f for f in self._files if f.parent == path), None)) is not None:
                raise WorldError(
                    f"image_folder: {alone} lies in no class's folder: {path} must hold a folder a class; "
                    "for images without classes set labels: false"
                )
            self.classes = tuple(sorted(set(classes)))
            self.labels = np.searchsorted(self.classes, classes).astype(np.int64)
        self._kept: dict[int, NDArray[np.uint8]] = {}
        first = self._decode(0)
        self.shape = (int(first.shape[0]), int(first.shape[1]), int(first.shape[2]))

    def __len__(self) -> int:
        return len(self._files)

    def named(self, row: int) -> str:
        """Name an image in an error."""
        return str(self._files[row])

    def digest(self, row: int) -> bytes:
        """Return the digest of an image's file."""
        try:
            return hashlib.sha256(self._files[row].read_bytes()).digest()
        except OSError as error:
            raise WorldError(f"image_folder: {self._files[row]} cannot be read: {error.strerror}") from None

    def read(self, rows: NDArray[np.int64]) -> NDArray[np.uint8]:
        """Read images by position."""
        out = np.empty((len(rows), *self.shape), np.uint8)
        for place, row in zip(out, map(int, rows), strict=True):
            image = self._kept.get(row)
            if image is None:
                image = self._decode(row)
                self._check_shape(row, image)
                if len(self._kept) * image.nbytes < KEPT:
                    self._kept[row] = image
            place[:] = image
        return out

    def _check_shape(self, row: int, image: NDArray[np.uint8]) -> None:
        if image.shape == self.shape:
            return
        colours = {1: "grey", 3: "colour"}
        (c, y, x), (channels, height, width) = image.shape, self.shape
        offer = "" if c != channels else "; to bring all to one size set resize: SIDE"
        raise WorldError(
            f"image_folder: {self._files[row]} is {colours[c]}, {y} x {x} pixels; the first image, "
            f"{self._files[0]}, is {colours[channels]}, {height} x {width}: all must be alike{offer}"
        )

    def _decode(self, row: int) -> NDArray[np.uint8]:
        """Decode an image: (channel, y, x)."""
        from PIL import Image, ImageOps, UnidentifiedImageError

        file = self._files[row]
        try:
            with Image.open(file) as image:
                _check_mode(image, file)
                image.load()
                side = (self._resize, self._resize)
                values = np.asarray(ImageOps.fit(image, side) if self._resize else image)
        except UnidentifiedImageError:
            raise WorldError(f"image_folder: {file} cannot be read: it is no PNG or JPEG image") from None
        except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
            if isinstance(error, WorldError):
                raise
            reason = getattr(error, "strerror", None) or str(error)
            raise WorldError(f"image_folder: {file} cannot be read: {reason}") from None
        return np.moveaxis(values.reshape(*values.shape[:2], -1), 2, 0)


def _hidden(file: Path, folder: Path) -> bool:
    return any(part.startswith(".") for part in file.relative_to(folder).parts)


def _check_mode(image: Image.Image, file: Path) -> None:
    """Refuse what is not 8-bit grey or colour; Pillow opens 16-bit colour as if it had 8 bits."""
    deep = any("16" in str(tile[3]) for tile in getattr(image, "tile", ()))
    if image.mode not in MODES or deep:
        what = "16 bit" if deep or image.mode.startswith(("I", "F")) else image.mode
        raise WorldError(
            f"image_folder: {file} is {what}: images must be 8-bit grey (L) or 8-bit colour (RGB); convert it"
        )


class ImageFolder(ImageWorld):
    """Images in a folder.

    Parameters
    ----------
    seed : int
    path : str
        The folder; in a config, the key `path` beside `kind`, relative to the file that it stands in.
    labels : bool
        Whether the folders within it are classes.
    resize : int
        Side in pixels that every image is scaled and cut to; 0: images are taken as they are.
    **shared
        As of `ImageWorld`.
    """

    name = "image_folder"

    def __init__(
        self, seed: int, path: str = "", labels: bool = True, resize: int = 0, **shared: Any
    ) -> None:
        if not path:
            raise WorldError("image_folder: path must be given, the folder that holds the images")
        check_bool(self.name, "labels", labels)
        check_number(self.name, "resize", resize, 0, 4096, integer=True)
        own = {"labels": labels, "resize": resize}
        super().__init__(seed, Folder(Path(path), labels, resize), own, **shared)
