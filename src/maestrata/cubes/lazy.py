"""Large variables of a cube, read from its file when they are used.

The file is opened for each read and closed after it. A file that stayed open would be closed by whichever
thread collects garbage, and the NetCDF library is not safe to use from two threads at once.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import netCDF4
import numpy as np
from numpy.typing import NDArray
from xarray.backends import BackendArray
from xarray.core import indexing

from maestrata.errors import CubeError

__all__ = ["read_when_used"]


class _OnDisk(BackendArray):
    """A variable of a NetCDF-4 file.

    Parameters
    ----------
    path : Path
    name : str
        Of the variable.
    shape : tuple of int
    dtype : dtype
        Not text.
    """

    def __init__(self, path: Path, name: str, shape: tuple[int, ...], dtype: np.dtype[Any]) -> None:
        self.path, self.name = path.absolute(), name
        self.shape, self.dtype = shape, dtype
        self._made = _made(self.path)

    def __getitem__(self, key: indexing.ExplicitIndexer) -> Any:
        return indexing.explicit_indexing_adapter(key, self.shape, indexing.IndexingSupport.OUTER, self._read)

    def _read(self, key: tuple[Any, ...]) -> NDArray[Any]:
        try:
            if _made(self.path) != self._made:
                raise CubeError(f"{self.path} was written anew since it was opened: open it again")
            with netCDF4.Dataset(self.path) as file:
                file.set_auto_maskandscale(False)
                return np.asarray(file[self.name][key])
        except (OSError, RuntimeError, IndexError) as error:  # also where the file is gone, or another one
            raise CubeError(f"{self.path}: {self.name} cannot be read: {error}") from error


def _made(path: Path) -> tuple[int, int]:
    """What tells a file from another one that took its place: files of cubes are never written into."""
    about = path.stat()
    return about.st_ino, about.st_mtime_ns


def read_when_used(path: Path, name: str, shape: tuple[int, ...], dtype: np.dtype[Any]) -> Any:
    """Return a variable's values for xarray: read when used, and kept in memory once all are read.

    Parameters
    ----------
    path : Path
        A NetCDF-4 file.
    name : str
        Of the variable.
    shape : tuple of int
    dtype : dtype
        Of a number; text is not read so.
    """
    # as xarray does for what it opens itself
    values: Any = indexing.LazilyIndexedArray(_OnDisk(path, name, shape, dtype))
    return indexing.MemoryCachedArray(indexing.CopyOnWriteArray(values))
