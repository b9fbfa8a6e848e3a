"""NetCDF-4 files as they are joined: read with little around it, no xarray, so that thousands stay quick."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import netCDF4
import numpy as np
from numpy.typing import NDArray

from maestrata.cubes.schema import KINDS
from maestrata.cubes.seal import check_seal
from maestrata.cubes.validate import check_attrs, check_layout
from maestrata.errors import CubeError

__all__ = ["Part"]


class Part:
    """An open file of a known kind, read with little around it: for joining thousands. A context manager.

    Version, kind, names and dimensions are checked when it opens; values when they are put into a cube.

    Parameters
    ----------
    path : path-like
    kind : str
        Kind that the file must be of.

    Attributes
    ----------
    attrs : dict
    coords : dict of name to array

    Raises
    ------
    CubeError
        If the file is missing, damaged, or of another kind or version.
    """

    def __init__(self, path: str | os.PathLike[str], kind: str) -> None:
        self.path = Path(path)
        self.where = str(path)
        self.kind = kind

    def __enter__(self) -> Part:
        if not self.path.is_file():
            raise CubeError(
                f"{self.where}: no such file; it must be a {self.kind!r} file that maestrata wrote"
            )
        with self._reading():
            check_seal(self.path)
            self._file = netCDF4.Dataset(self.path, "r")
        try:
            with self._reading():
                self._file.set_auto_maskandscale(False)  # our files have neither; looking takes time
                self.attrs = self._file.__dict__
                check_attrs(self.attrs, self.where)
                if self.attrs["kind"] != self.kind:
                    raise CubeError(f"{self.where}: kind={self.attrs['kind']!r} must be {self.kind!r} here")
                variables, dims = self._file.variables, self._file.dimensions
                self.coords = {n: v[:] for n, v in variables.items() if n in dims}
                self.names = {n: v.dimensions for n, v in variables.items() if n not in dims}
                self.sizes = {n: len(d) for n, d in dims.items()}
            check_layout(KINDS[self.kind], self.names, list(self.coords), self.where)
        except BaseException:
            self._file.close()
            raise
        return self

    def read(self, name: str) -> NDArray[Any]:
        """Read a variable."""
        with self._reading():
            return np.asarray(self._file[name][...])

    def places(self, dims: Sequence[str], coords: Mapping[str, list[Any]]) -> list[NDArray[np.intp]]:
        """Positions of the file's own labels among those of `coords`, for each dimension."""
        return [np.array([coords[dim].index(v) for v in self.coords[dim].tolist()], np.intp) for dim in dims]

    def __exit__(self, *_: object) -> None:
        self._file.close()

    @contextlib.contextmanager
    def _reading(self) -> Iterator[None]:
        try:
            yield
        except CubeError:
            raise
        except (OSError, RuntimeError, IndexError, AttributeError) as error:
            raise CubeError(
                f"{self.where}: cannot be read as NetCDF-4 (truncated, or another format?): {error}"
            ) from error
