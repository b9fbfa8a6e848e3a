"""Images in one array: .npy, .npz or NetCDF, uint8 or floating point, with classes or without."""

from __future__ import annotations

import hashlib
import shutil
import tempfile
import zipfile
import zlib
from pathlib import Path
from typing import Any

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

from maestrata.errors import WorldError
from maestrata.worlds._source import Source
from maestrata.worlds.checks import check_bool
from maestrata.worlds.images import ImageWorld

SUFFIXES = (".npy", ".npz", ".nc")
IMAGES, LABELS = "images", "labels"
"""Names of the arrays in .npz and NetCDF; beside NAME.npy, classes are in NAME_labels.npy."""


class Array(Source):
    """Images of an array that is indexed by image first.

    Parameters
    ----------
    where : str
    images : array (n, y, x), (n, y, x, channel) or (n, channel, y, x)
        Read by slices and lists of positions only, so it may lie on disk.
    labels : array (n,), optional
        Whole numbers or text.
    """

    def __init__(self, where: str, images: Any, labels: NDArray[Any] | None = None) -> None:
        self.where, self._images = where, images
        shape, kind = tuple(map(int, images.shape)), np.dtype(images.dtype)
        if kind != np.uint8 and kind.kind != "f":
            deep = ": divide 16-bit images by 65535 first" if kind == np.uint16 else ""
            raise WorldError(
                f"image_array: {where} is of type {kind}: images must be uint8 or floating point{deep}"
            )
        self._last = len(shape) == 4 and shape[3] in (1, 3)
        if len(shape) == 3:
            shape = (shape[0], 1, *shape[1:])
        elif self._last:
            shape = (shape[0], shape[3], *shape[1:3])
        if len(shape) != 4 or shape[1] not in (1, 3) or not all(shape):
            raise WorldError(
                f"image_array: {where} is of shape {tuple(images.shape)}: images must be (n, y, x), (n, y, "
                "x, channel) or (n, channel, y, x), with 1 or 3 channels"
            )
        self._n, self.shape = shape[0], shape[1:]
        if labels is not None:
            if labels.shape != (self._n,) or labels.dtype.kind not in "iuUS":
                raise WorldError(
                    f"image_array: labels of {where}, of shape {labels.shape} and type {labels.dtype}, must "
                    f"be whole numbers or text of shape ({self._n},), one an image"
                )
            names, positions = np.unique(labels, return_inverse=True)
            self.classes = tuple(map(str, names.tolist()))
            self.labels = positions.astype(np.int64)

    def __len__(self) -> int:
        return self._n

    def digest(self, row: int) -> bytes:
        """Return the digest of an image's values."""
        return hashlib.sha256(self.read(np.array([row])).tobytes()).digest()

    def read(self, rows: NDArray[np.int64]) -> NDArray[Any]:
        """Read images by position."""
        images = np.asarray(self._images[rows])
        if self._last:
            images = np.moveaxis(images, 3, 1)
        return np.ascontiguousarray(images).reshape(len(rows), *self.shape)


class _NetCDF:
    """A variable of a NetCDF file, read some rows at a time."""

    def __init__(self, variable: Any) -> None:
        self._variable = variable
        self.shape, self.dtype = variable.shape, variable.dtype

    def __getitem__(self, rows: NDArray[np.int64]) -> NDArray[Any]:
        return np.asarray(self._variable[{self._variable.dims[0]: rows}].values)


def open_array(path: Path, labels: bool) -> Array:
    """Open a file of images, without reading them.

    Raises
    ------
    WorldError
        If it cannot be read, or lacks images.
    """
    if path.suffix not in SUFFIXES:
        raise WorldError(f"image_array: {path} must be a file of one of: {', '.join(SUFFIXES)}")
    if not path.is_file():
        raise WorldError(f"image_array: {path} must be a file of images; there is none")
    reader = {".npy": _npy, ".npz": _npz, ".nc": _netcdf}[path.suffix]
    try:
        images, classes = reader(path, labels)
    except (OSError, ValueError, EOFError, KeyError, zipfile.BadZipFile, zlib.error) as error:
        if isinstance(error, WorldError):
            raise
        raise WorldError(f"image_array: {path} cannot be read: {' '.join(str(error).split())}") from None
    return Array(str(path), images, classes)


def _npy(path: Path, labels: bool) -> tuple[Any, NDArray[Any] | None]:
    beside = path.with_name(f"{path.stem}_{LABELS}.npy")
    classes = np.load(beside, allow_pickle=False) if labels and beside.is_file() else None
    return np.load(path, mmap_mode="r", allow_pickle=False), classes


def _npz(path: Path, labels: bool) -> tuple[Any, NDArray[Any] | None]:
    """Images are unpacked to a file that has no name, and mapped from there."""
    with (
        zipfile.ZipFile(path) as archive,
        np.load(path, allow_pickle=False) as arrays,
        tempfile.TemporaryFile() as unpacked,
    ):
        _check_names(path, arrays.files)
        with archive.open(f"{IMAGES}.npy") as packed:
            shutil.copyfileobj(packed, unpacked)
        unpacked.seek(0)
        first = npy.read_magic(unpacked) == (1, 0)
        read_header = npy.read_array_header_1_0 if first else npy.read_array_header_2_0
        shape, fortran, dtype = read_header(unpacked)
        order: Any = "F" if fortran else "C"
        images = np.memmap(unpacked, dtype, "r", offset=unpacked.tell(), shape=shape, order=order)
        return images, arrays[LABELS] if labels and LABELS in arrays.files else None


def _netcdf(path: Path, labels: bool) -> tuple[Any, NDArray[Any] | None]:
    import xarray as xr  # only who has such a file needs it

    data = xr.open_dataset(path, mask_and_scale=False, cache=False)
    try:
        _check_names(path, [str(name) for name in data.variables])
        classes = data[LABELS].values if labels and LABELS in data.variables else None
    except BaseException:
        data.close()
        raise
    return _NetCDF(data[IMAGES]), classes


def _check_names(path: Path, names: list[str]) -> None:
    if IMAGES not in names:
        raise WorldError(
            f"image_array: {path} must hold {IMAGES!r}; it holds: {', '.join(names) or 'nothing'}"
        )


class ImageArray(ImageWorld):
    """Images in one array.

    Parameters
    ----------
    seed : int
    path : str
        The file; in a config, the key `path` beside `kind`, relative to the file that it stands in.
    labels : bool
        Whether its classes are read, where it has any.
    **shared
        As of `ImageWorld`.
    """

    name = "image_array"

    def __init__(self, seed: int, path: str = "", labels: bool = True, **shared: Any) -> None:
        if not path:
            raise WorldError("image_array: path must be given, the file that holds the images")
        check_bool(self.name, "labels", labels)
        super().__init__(seed, open_array(Path(path), labels), {"labels": labels}, **shared)
