"""Checks of a file against its kind, on plain arrays: no xarray, no netCDF4.

Every function takes `where`, the path that its error names first.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from maestrata.cubes.fields import Axis, Kind, Variable
from maestrata.cubes.schema import AXES, KINDS, SCHEMA_VERSION
from maestrata.errors import CubeError, one_of

__all__ = [
    "as_stored",
    "check_attrs",
    "check_axis",
    "check_layout",
    "check_order",
    "check_values",
    "find_kind",
]


RENAMED = {"interventions": "experiments"}
"""Kinds of the first edition, by what they are called now."""


def find_kind(name: object, where: str) -> Kind:
    """Return the declaration of the kind called `name`, or raise `CubeError` listing the kinds."""
    if isinstance(name, str) and name in RENAMED:
        raise CubeError(f"{where}: kind={name!r} is called {RENAMED[name]!r} now; make the file again")
    if not isinstance(name, str) or name not in KINDS:
        raise CubeError(f"{where}: kind={one_of(name, KINDS)} (attribute `kind`)")
    return KINDS[name]


def check_attrs(attrs: Mapping[str, Any], where: str) -> Kind:
    """Check version, kind and the attributes that the kind requires; return the kind."""
    kind = find_kind(attrs.get("kind"), where)
    version = attrs.get("schema_version")
    if not isinstance(version, int | np.integer):
        raise CubeError(f"{where}: schema_version={version!r} must be the integer {SCHEMA_VERSION}")
    if version > SCHEMA_VERSION:
        raise CubeError(
            f"{where}: schema_version={version} is newer than {SCHEMA_VERSION}, the newest read here: "
            "use a newer maestrata"
        )
    if version < SCHEMA_VERSION:
        raise CubeError(
            f"{where}: schema_version={version} is older than {SCHEMA_VERSION} and no longer read: "
            "make the file again"
        )
    for name, type_ in kind.attrs.items():
        allowed = (int, np.integer) if type_ is int else (type_,)
        if not isinstance(attrs.get(name), allowed):
            raise CubeError(f"{where}: attribute {name}={attrs.get(name)!r} must be of type {type_.__name__}")
    return kind


def check_layout(kind: Kind, layout: Mapping[str, Sequence[str]], coords: Sequence[str], where: str) -> None:
    """Check names and dimensions.

    Parameters
    ----------
    kind : Kind
    layout : mapping
        Data variable -> its dimensions.
    coords : sequence of str
        Dimensions that have a coordinate.
    where : str
    """
    for name, dims in layout.items():
        if name not in kind.variables:
            raise CubeError(f"{where}: variable {one_of(name, kind.variables)}")
        expected = kind.variables[name].dims
        if tuple(dims) != expected:
            raise CubeError(
                f"{where}: variable {name} has dimensions {tuple(dims)}; allowed: {expected}, in this order"
            )
    for name, variable in kind.variables.items():
        if not variable.optional and name not in layout:
            raise CubeError(
                f"{where}: variable {name} is missing; it must be there with dimensions {variable.dims}"
            )
    used = {dim for dims in layout.values() for dim in dims}
    for dim in sorted(used & set(AXES)):
        if dim not in coords:
            raise CubeError(
                f"{where}: dimension {dim} has no coordinate; it must carry values ({AXES[dim].long_name})"
            )
    for name in coords:
        if name not in used or name not in AXES:
            raise CubeError(f"{where}: coordinate {one_of(name, used & set(AXES))}")


def as_stored(values: Any, dtype: str, name: str, where: str) -> NDArray[Any]:
    """Convert to the declared type where nothing but precision is lost; refuse anything else."""
    array = np.asarray(values)
    if dtype == "str":
        for value in array.ravel().tolist():
            if not isinstance(value, str):
                raise CubeError(f"{where}: {name} holds {value!r}; only strings are allowed")
        return array.astype(object)
    wanted = np.dtype(dtype)
    number = array.dtype.kind in "iuf" or (array.dtype.kind == "b" and wanted.kind == "i")
    if not number or (wanted.kind == "i" and array.dtype.kind == "f"):
        raise CubeError(f"{where}: {name} is of type {array.dtype}; allowed: {dtype}")
    stored = array.astype(wanted)
    if wanted.kind == "i" and not np.array_equal(stored, array):
        raise CubeError(f"{where}: {name} holds integers beyond {dtype}")
    return stored


def check_axis(name: str, values: NDArray[Any], where: str) -> None:
    """Check the coordinate of a dimension: not empty, unique, in order, of allowed values."""
    axis = AXES[name]
    if values.ndim != 1 or len(values) == 0:
        raise CubeError(
            f"{where}: coordinate {name} has shape {values.shape}; it must be a list of at least one value"
        )
    items = values.tolist()
    for value in items:
        _check_item(name, axis, value, where)
    if len(set(items)) < len(items):
        twice = next(v for v in items if items.count(v) > 1)
        raise CubeError(f"{where}: coordinate {name} holds {twice!r} more than once; values must be unique")
    if axis.dtype != "str" and items != sorted(items):
        raise CubeError(f"{where}: coordinate {name} is {items}; values must rise")


def _check_item(name: str, axis: Axis, value: Any, where: str) -> None:
    if axis.allowed is not None and value not in axis.allowed:
        raise CubeError(f"{where}: coordinate {name}={one_of(value, axis.allowed)}")
    if axis.pattern is not None and not re.fullmatch(axis.pattern, value):
        raise CubeError(f"{where}: coordinate {name}={value!r} must match {axis.pattern}")
    if axis.low is None and axis.high is None:
        return
    low = -np.inf if axis.low is None else axis.low
    high = np.inf if axis.high is None else axis.high
    inside = low < value < high if axis.open_range else low <= value <= high
    if not inside:  # NaN is caught here too
        raise CubeError(
            f"{where}: coordinate {name}={value!r} must lie in {_range(axis.low, axis.high, axis.open_range)}"
        )


def check_values(name: str, variable: Variable, values: NDArray[Any], where: str) -> None:
    """Check the values of (a slab of) a variable: type, range, flags, NaN only where allowed."""
    if variable.dtype == "str" or values.size == 0:
        return
    if variable.flags is not None:
        wrong = ~np.isin(values, list(variable.flags))
        if wrong.any():
            meaning = ", ".join(f"{v} ({m})" for v, m in variable.flags.items())
            raise CubeError(f"{where}: variable {name} holds {values[wrong].flat[0]}; allowed: {meaning}")
        return
    # fmin and fmax skip NaN but not infinities, so the usual case needs no mask.
    low, high = np.fmin.reduce(values, axis=None), np.fmax.reduce(values, axis=None)
    least, most = variable.within
    allowed = _range(least, most)
    if np.isinf(low) or np.isinf(high):
        raise CubeError(f"{where}: variable {name} holds an infinity; allowed: finite values in {allowed}")
    if not variable.nan and np.isnan(values).any():
        raise CubeError(f"{where}: variable {name} holds NaN, which is not allowed there")
    for outside, value in (
        (least is not None and low < least, low),
        (most is not None and high > most, high),
    ):
        if outside:
            raise CubeError(f"{where}: variable {name} holds {value} {variable.units}; allowed: {allowed}")


def check_order(lower: str, upper: str, low: NDArray[Any], high: NDArray[Any], where: str) -> None:
    """Check that an interval's ends do not cross."""
    crossed = low > high  # False where either is NaN
    if crossed.any():
        raise CubeError(
            f"{where}: {lower}={low[crossed].flat[0]} lies above {upper}={high[crossed].flat[0]}; "
            "the ends of an interval must not cross"
        )


def _range(low: float | None, high: float | None, open_range: bool = False) -> str:
    left = "(-inf" if low is None else f"{'(' if open_range else '['}{low:g}"
    right = "inf)" if high is None else f"{high:g}{')' if open_range else ']'}"
    return f"{left}, {right}"
