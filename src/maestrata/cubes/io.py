"""Reading and writing of cubes as xarray Datasets: validated both ways, the same bytes for the same data.

xarray is imported when a Dataset is made, not before; the files themselves are `netcdf`'s.
"""

from __future__ import annotations

import math
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from maestrata.cubes.netcdf import OWN_ATTRS, write
from maestrata.cubes.schema import AXES, SCHEMA_VERSION
from maestrata.cubes.seal import check_seal
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

if TYPE_CHECKING:
    import xarray as xr

__all__ = ["build", "open_cube", "write_cube"]

_SLAB = 1 << 22  # values checked at a time
_LOAD = 1 << 28  # bytes up to which a cube is read into memory when opened
_SMALL = 1 << 22  # the same, of a single variable of a larger cube


def build(
    kind: str,
    coords: Mapping[str, ArrayLike],
    data: Mapping[str, ArrayLike],
    attrs: Mapping[str, Any] | None = None,
) -> xr.Dataset:
    """Make a Dataset of a kind from plain arrays; dimensions, units and long names come from the schema.

    Parameters
    ----------
    kind : str
    coords : mapping
        Axis -> values.
    data : mapping
        Variable -> array, dimensions in the order of the schema.
    attrs : mapping, optional
        Further attributes.

    Raises
    ------
    CubeError
        If the result does not fit the kind.
    """
    import xarray as xr

    declared = find_kind(kind, "<new cube>")
    variables = {}
    for name, values in data.items():
        if name not in declared.variables:
            raise CubeError(f"<new cube>: variable {one_of(name, declared.variables)}")
        variable = declared.variables[name]
        stored = as_stored(values, variable.dtype, f"variable {name}", "<new cube>")
        if stored.ndim != len(variable.dims):
            raise CubeError(
                f"<new cube>: variable {name} has shape {stored.shape}; its dimensions are {variable.dims}"
            )
        variables[name] = (variable.dims, stored, variable.attrs)
    axes = {}
    for name, values in coords.items():
        if name not in AXES:
            raise CubeError(f"<new cube>: coordinate {one_of(name, AXES)}")
        stored = as_stored(values, AXES[name].dtype, f"coordinate {name}", "<new cube>")
        axes[name] = ((name,), stored, {"long_name": AXES[name].long_name, "units": AXES[name].units})
    ordered = {name: variables[name] for name in declared.variables if name in variables}
    try:
        ds = xr.Dataset(ordered, axes)
    except ValueError as error:
        raise CubeError(f"<new cube>: {error}") from error
    ds = ds.set_coords([n for n in ordered if declared.variables[n].beside])
    ds.attrs = {"kind": kind, "schema_version": SCHEMA_VERSION, **(attrs or {})}
    _check_names(ds, "<new cube>")
    _check_values(ds, "<new cube>")
    return ds


def write_cube(
    ds: xr.Dataset, path: str | os.PathLike[str], provenance: Mapping[str, str] | None = None
) -> None:
    """Validate a Dataset against its kind and write it, whole or not at all.

    Parameters
    ----------
    ds : xarray.Dataset
        With attribute `kind`; see `build`. Types are converted to those of the schema; units and
        long names are the schema's.
    path : path-like
        Folders are made.
    provenance : mapping of str to str, optional
        Written as attributes.

    Raises
    ------
    CubeError
        Naming file, variable and what is allowed; or that the disk is full.
    """
    where = str(path)
    kind = find_kind(ds.attrs.get("kind"), where)
    names = [str(n) for n in ds.variables if n not in ds.dims]
    check_layout(kind, {n: tuple(map(str, ds[n].dims)) for n in names}, [str(c) for c in ds.indexes], where)
    attrs = {str(k): v for k, v in ds.attrs.items() if k not in OWN_ATTRS}
    fresh = {k: v for k, v in (provenance or {}).items() if attrs.get(k) != v}
    coords = {str(n): ds[n].values for n in ds.indexes}
    write(path, ds.attrs["kind"], coords, {name: ds[name].values for name in names}, attrs, fresh)


def open_cube(path: str | os.PathLike[str]) -> xr.Dataset:
    """Open a cube and check it against the schema of its kind.

    Values were checked when the file was written: they are not looked at again where it is as it was sealed.

    Parameters
    ----------
    path : path-like
        A NetCDF-4 file that maestrata wrote; ``~`` is the home folder.

    Returns
    -------
    xarray.Dataset
        In memory up to 256 MB; beyond, variables of more than 4 MB are read when used. No file stays open.
        ``ds.r2.sel(mask_ratio=.75, level=4)`` selects by value.

    Raises
    ------
    CubeError
        If the file is missing, truncated, changed since it was written (`maestrata.cubes.seal`), not NetCDF,
        of another schema version, or does not fit its kind: naming file, variable and what is allowed.
    """
    import xarray as xr

    from maestrata.cubes.lazy import read_when_used

    path = Path(path).expanduser()
    where = str(path)
    if not path.is_file():
        raise CubeError(f"{where}: no such file; a cube is a NetCDF-4 file that maestrata wrote")
    try:
        sealed = check_seal(path)
        # The schema has no packed values and no times; NaN is stored as NaN.
        ds = xr.open_dataset(path, engine="netcdf4", mask_and_scale=False, decode_times=False)
    except CubeError:
        raise
    except Exception as error:  # netCDF4 and xarray raise many types for a file they cannot read
        raise CubeError(
            f"{where}: cannot be read as NetCDF-4 (truncated, or another format?): {error}"
        ) from error
    try:
        small = ds.nbytes <= _LOAD
        for name, variable in ds.variables.items():
            variable.attrs.pop("_FillValue", None)
            if small or variable.nbytes <= _SMALL or variable.dtype.kind == "O":
                variable.load()
            else:
                variable.data = read_when_used(path, str(name), variable.shape, variable.dtype)
        _check_names(ds, where)
        if not sealed:
            _check_values(ds, where)
    except CubeError:
        raise
    except Exception as error:  # a damaged chunk shows only when it is read
        raise CubeError(f"{where}: cannot be read: {error}") from error
    finally:
        ds.close()
    return ds


def _check_names(ds: xr.Dataset, where: str) -> None:
    """Check attributes, axes, and the types and units of variables."""
    kind = check_attrs(ds.attrs, where)
    names = [str(n) for n in ds.variables if n not in ds.dims]
    check_layout(kind, {n: tuple(map(str, ds[n].dims)) for n in names}, [str(c) for c in ds.indexes], where)
    for dim in map(str, ds.indexes):
        values = ds[dim].values
        if AXES[dim].dtype != "str" and values.dtype != np.dtype(AXES[dim].dtype):
            raise CubeError(
                f"{where}: coordinate {dim} is of type {values.dtype}; allowed: {AXES[dim].dtype}"
            )
        check_axis(dim, as_stored(values, AXES[dim].dtype, f"coordinate {dim}", where), where)
    for name in names:
        variable = kind.variables[name]
        dtype = ds[name].dtype
        if (dtype.kind not in "OUT") if variable.dtype == "str" else (dtype != np.dtype(variable.dtype)):
            raise CubeError(f"{where}: variable {name} is of type {dtype}; allowed: {variable.dtype}")
        if ds[name].attrs.get("units") != variable.units:
            raise CubeError(
                f"{where}: variable {name} has units={ds[name].attrs.get('units')!r}; allowed: "
                f"{variable.units!r}"
            )


def _check_values(ds: xr.Dataset, where: str) -> None:
    kind = check_attrs(ds.attrs, where)
    for name in (str(n) for n in ds.variables if n not in ds.dims):
        for (slab,) in _slabs(ds, name):
            check_values(name, kind.variables[name], slab, where)
    for lower, upper in (pair for pair in kind.ordered if set(pair) <= set(ds.data_vars)):
        for low, high in _slabs(ds, lower, upper):
            check_order(lower, upper, low, high, where)


def _slabs(ds: xr.Dataset, *names: str) -> Iterator[tuple[NDArray[Any], ...]]:
    """Go through variables of equal shape in pieces of bounded size."""
    shape = ds[names[0]].shape
    depth = 0
    while depth < len(shape) and math.prod(shape[depth:]) > _SLAB:
        depth += 1
    for index in np.ndindex(*shape[:depth]):
        yield tuple(ds[name].variable[index].values for name in names)
