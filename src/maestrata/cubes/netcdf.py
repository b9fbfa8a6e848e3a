"""NetCDF-4 files as they are written: whole from arrays, or slab by slab. `part` reads them.

A file appears under its name only when it is whole: it is written beside it and renamed. The same data
give the same bytes. No xarray here, so that joining thousands of files stays quick and small.
"""

from __future__ import annotations

import contextlib
import math
import os
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any

import netCDF4
import numpy as np
from numpy.typing import ArrayLike

from maestrata.cubes.fields import Kind, Variable
from maestrata.cubes.schema import AXES, CELL, SCHEMA_VERSION
from maestrata.cubes.seal import seal
from maestrata.cubes.validate import (
    as_stored,
    check_attrs,
    check_axis,
    check_layout,
    check_order,
    check_values,
    find_kind,
)
from maestrata.errors import CubeError, one_of
from maestrata.writing import whole

__all__ = ["OWN_ATTRS", "CubeFile", "write"]

OWN_ATTRS = ("kind", "schema_version", "title", "coordinates")
_CHUNK = 1 << 18  # values in a chunk of the file, at most


def write(
    path: str | os.PathLike[str],
    kind: str,
    coords: Mapping[str, ArrayLike],
    data: Mapping[str, ArrayLike],
    attrs: Mapping[str, Any] | None = None,
    provenance: Mapping[str, str] | None = None,
) -> None:
    """Check arrays against their kind and write them, whole or not at all.

    Parameters
    ----------
    path, kind, coords, attrs, provenance
        As of `CubeFile`.
    data : mapping
        Variable -> array, dimensions in the order of the schema.

    Raises
    ------
    CubeError
        If anything does not fit the kind, or the file cannot be written.
    """
    declared = find_kind(kind, str(path))
    sizes = {
        dim: size
        for name in declared.variables
        if name in data
        for dim, size in zip(declared.variables[name].dims, np.shape(data[name]), strict=False)
        if dim not in coords
    }
    with CubeFile(path, kind, coords, sizes, data, attrs, provenance) as file:
        for lower, upper in (pair for pair in declared.ordered if set(pair) <= set(data)):
            check_order(lower, upper, np.asarray(data[lower]), np.asarray(data[upper]), file.where)
        for name in file.variables:
            file.put(name, data[name])


class CubeFile:
    """A cube being written, slab by slab; a context manager.

    Leaving the block normally puts the file in its place; leaving it by an exception leaves nothing
    behind, and whatever was at `path` before stays as it was. What is never put is NaN and takes no space.

    Parameters
    ----------
    path : path-like
    kind : str
        One of `schema.KINDS`.
    coords : mapping
        Axis -> its values; every axis of the kind's variables that `schema.AXES` knows.
    sizes : mapping, optional
        Lengths of the dimensions without a coordinate.
    variables : iterable of str, optional
        Variables to make; by default all that are not optional.
    attrs : mapping, optional
        Attributes of the data (str, int or float).
    provenance : mapping of str to str, optional
        Where the data come from: config, seeds, versions, code fingerprint. No time stamps, or equal
        data would make unequal files.

    Raises
    ------
    CubeError
        If anything does not fit the kind, or the file cannot be written.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        kind: str,
        coords: Mapping[str, ArrayLike],
        sizes: Mapping[str, int] | None = None,
        variables: Iterable[str] | None = None,
        attrs: Mapping[str, Any] | None = None,
        provenance: Mapping[str, str] | None = None,
    ) -> None:
        self.path = Path(path)
        self.where = str(path)
        self.kind: Kind = find_kind(kind, self.where)
        unknown = sorted(set(variables or ()) - set(self.kind.variables))
        if unknown:
            raise CubeError(f"{self.where}: variable {one_of(unknown[0], self.kind.variables)}")
        self.variables = {
            name: variable
            for name, variable in self.kind.variables.items()
            if (not variable.optional if variables is None else name in variables)
        }
        self.coords = {
            name: as_stored(values, AXES[name].dtype, f"coordinate {name}", self.where)
            for name, values in coords.items()
            if name in AXES
        }
        check_layout(self.kind, {n: v.dims for n, v in self.variables.items()}, list(coords), self.where)
        for name, values in self.coords.items():
            check_axis(name, values, self.where)
        self.sizes = {**{n: len(v) for n, v in self.coords.items()}, **(sizes or {})}
        for dim in (d for v in self.variables.values() for d in v.dims):
            if dim not in self.sizes:
                raise CubeError(f"{self.where}: length of dimension {dim} is not given")
        self.attrs = self._collect_attrs(kind, dict(attrs or {}), dict(provenance or {}))
        check_attrs(self.attrs, self.where)
        self._file: Any = None
        self._open: contextlib.ExitStack  # what is undone, or finished, at the end of the block

    def _collect_attrs(self, kind: str, attrs: dict[str, Any], provenance: dict[str, str]) -> dict[str, Any]:
        for name, value in provenance.items():
            if name in OWN_ATTRS or name in attrs:
                raise CubeError(
                    f"{self.where}: provenance {name!r} would overwrite an attribute of that name"
                )
            if not isinstance(value, str):
                raise CubeError(f"{self.where}: provenance {name}={value!r} must be a string")
        for name, value in attrs.items():
            if name in OWN_ATTRS or not isinstance(value, str | int | float | np.integer | np.floating):
                raise CubeError(
                    f"{self.where}: attribute {name}={value!r} must be text or a number, not {OWN_ATTRS}"
                )
        own: dict[str, Any] = {"title": self.kind.summary, "kind": kind, "schema_version": SCHEMA_VERSION}
        aside = [n for n, v in self.variables.items() if v.beside]
        if aside:
            own["coordinates"] = " ".join(aside)
        return own | attrs | dict(sorted(provenance.items()))

    def __enter__(self) -> CubeFile:
        with contextlib.ExitStack() as stack, self._failing_clearly():
            temporary = stack.enter_context(whole(self.path, raised=CubeError))
            self._file = netCDF4.Dataset(temporary, "w", format="NETCDF4")
            stack.enter_context(self._closed(temporary))
            # Integers have one width, so that equal attributes are equal bytes on every platform.
            self._file.setncatts(
                {k: np.int64(v) if isinstance(v, int | np.integer) else v for k, v in self.attrs.items()}
            )
            used = [d for d in self.kind.dims if any(d in v.dims for v in self.variables.values())]
            for dim in used:
                self._file.createDimension(dim, self.sizes[dim])
            for dim in (d for d in used if d in self.coords):
                self._create(
                    dim, Variable((dim,), AXES[dim].long_name, AXES[dim].units, AXES[dim].dtype, nan=False)
                )
                self._file[dim][:] = self.coords[dim]
            for name, variable in self.variables.items():
                self._create(name, variable)
            self._file.set_auto_maskandscale(False)  # nothing here is packed, and looking for it takes time
            self._open = stack.pop_all()
        return self

    def _create(self, name: str, variable: Variable) -> None:
        shape = [self.sizes[d] for d in variable.dims]
        kind = str if variable.dtype == "str" else np.dtype(variable.dtype)
        options: dict[str, Any] = {}
        if shape and kind is not str:
            # A chunk is written once and whole: a cache would only hold memory.
            options = {"chunksizes": _chunks(variable, shape), "chunk_cache": 1 << 20}
            if not variable.sparse:
                options |= {"compression": "zlib", "complevel": 4, "shuffle": True}
        fill = np.nan if kind is not str and np.dtype(kind).kind == "f" and variable.nan else None
        made = self._file.createVariable(name, kind, variable.dims, fill_value=fill, **options)
        made.setncatts(variable.attrs)

    def put(self, name: str, values: ArrayLike, index: tuple[Any, ...] = ()) -> None:
        """Write `values` into variable `name` at `index` (integers and slices of the leading dimensions)."""
        if name not in self.variables:
            raise CubeError(f"{self.where}: variable {one_of(name, self.variables)}")
        variable = self.variables[name]
        stored = as_stored(values, variable.dtype, f"variable {name}", self.where)
        check_values(name, variable, stored, self.where)
        target = self._file[name]
        if not index:
            shape = tuple(self.sizes[d] for d in variable.dims)
            if stored.shape != shape:
                raise CubeError(f"{self.where}: variable {name} has shape {stored.shape}; allowed: {shape}")
        lead = max(0, _lead(variable) - len(index))
        with self._failing_clearly():
            if not lead or stored.dtype.kind != "f":
                target[index if index else ...] = stored
                return
            # what is NaN throughout is not written: the chunk is not there, and is read as NaN
            for at in np.argwhere(np.isfinite(stored).any(axis=tuple(range(lead, stored.ndim)))):
                target[(*index, *at)] = stored[tuple(at)]

    def annotate(self, provenance: Mapping[str, str]) -> None:
        """Add provenance that is known only when the parts have been read."""
        with self._failing_clearly():
            self._file.setncatts(dict(sorted(provenance.items())))

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._open.__exit__(kind, error, trace)

    @contextlib.contextmanager
    def _closed(self, temporary: Path) -> Iterator[None]:
        """Close the file at the end of the block, and seal it where all has gone well."""
        try:
            yield
        except BaseException:
            with contextlib.suppress(Exception):
                self._file.close()
            raise
        with self._failing_clearly():
            self._file.close()
            seal(temporary)

    @contextlib.contextmanager
    def _failing_clearly(self) -> Iterator[None]:
        try:
            yield
        except CubeError:
            raise
        except (OSError, RuntimeError) as error:  # a full disk is RuntimeError("NetCDF: HDF error")
            raise CubeError(f"{self.where}: cannot be written: {error}{_space(self.path.parent)}") from error


def _space(folder: Path) -> str:
    try:
        room = os.statvfs(folder)
    except OSError:
        return ""
    return f" ({room.f_bavail * room.f_frsize / 2**20:.0f} MB free in {folder})"


def _lead(variable: Variable) -> int:
    """Number of leading axes along which every index has chunks of its own: those of cells, as a rule."""
    if variable.sparse:
        return len(variable.dims) - 3
    cells = [dim in CELL for dim in variable.dims]
    return 0 if all(cells) else cells.index(False)


def _chunks(variable: Variable, shape: list[int]) -> list[int]:
    """One cell to a chunk, so that cells that are not there take no space and one cell is read at once."""
    lead = _lead(variable)
    chunks = [1] * lead + shape[lead:]
    if variable.sparse:
        return [max(1, n) for n in chunks]
    for axis in range(len(chunks)):
        if math.prod(chunks) > _CHUNK:
            chunks[axis] = max(1, chunks[axis] * _CHUNK // math.prod(chunks))
    return [max(1, n) for n in chunks]
