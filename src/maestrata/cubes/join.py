"""Two runs' cubes as one: types kept, no value of one lost under one of another."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from maestrata.cubes.collect import COLLECTED
from maestrata.cubes.fields import DONE, MISSING, Kind, Variable
from maestrata.cubes.io import build, open_cube
from maestrata.cubes.netcdf import OWN_ATTRS
from maestrata.cubes.schema import AXES
from maestrata.cubes.sweep import merge_configs, ordered
from maestrata.cubes.validate import check_attrs, check_layout
from maestrata.errors import CubeError, one_of

if TYPE_CHECKING:
    import xarray as xr

__all__ = ["join"]


def join(*cubes: xr.Dataset | str | os.PathLike[str]) -> xr.Dataset:
    """Join cubes of one kind, such as those of two runs, into one.

    Parameters
    ----------
    *cubes : xarray.Dataset or path-like
        Cubes as `open_cube` gives them, or their files; of one kind, which is one of ``regression``,
        ``training``, ``reconstructions``, ``theory``, ``limits``, ``experiments``.

    Returns
    -------
    xarray.Dataset
        Over all labels of all cubes, NaN where none has a value. It can be written by `write_cube`. What the
        attributes say of their making is kept: one value where the cubes agree, else all values.

    Raises
    ------
    CubeError
        If kinds or experiments differ, if a label stands for two worlds, or if two cubes hold different
        values of one cell: the message names it.
    """
    opened = [open_cube(cube) if isinstance(cube, str | os.PathLike) else cube for cube in cubes]
    kind = _kind_of(opened)
    _check_worlds(opened)
    coords = {dim: _labels(dim, opened) for dim in kind.dims if any(dim in cube.indexes for cube in opened)}
    data = {
        name: _merged(name, variable, opened, coords)
        for name, variable in kind.variables.items()
        if any(name in cube.variables for cube in opened)
    }
    return build(str(opened[0].attrs["kind"]), coords, data, _attributes(opened))


def _kind_of(cubes: Sequence[xr.Dataset]) -> Kind:
    if not cubes:
        raise CubeError("join: at least one cube must be given")
    for number, cube in enumerate(cubes, 1):
        where = f"join: cube {number}"
        kind = check_attrs(cube.attrs, where)
        if cube.attrs["kind"] not in COLLECTED:
            raise CubeError(f"{where}: kind {one_of(cube.attrs['kind'], COLLECTED)}")
        for key in ("kind", *kind.attrs):
            first, here = cubes[0].attrs.get(key), cube.attrs[key]
            if here != first:
                raise CubeError(f"{where}: {key}={here!r} must be {first!r}, as of the first cube")
        names = [str(name) for name in cube.variables if name not in cube.dims]
        layout = {name: tuple(map(str, cube[name].dims)) for name in names}
        check_layout(kind, layout, [str(name) for name in cube.indexes], where)
    return kind


def _check_worlds(cubes: Sequence[xr.Dataset]) -> None:
    """Refuse a label that stands for one world here and for another there."""
    known: dict[str, Any] = {}
    for number, cube in enumerate(cubes, 1):
        for label, world in json.loads(cube.attrs.get("parts_worlds", "{}")).items():
            if known.setdefault(label, world) != world:
                one, other = (json.dumps(each, sort_keys=True) for each in (known[label], world))
                raise CubeError(
                    f"join: cube {number}: world {label!r} is {other}, and {one} in a cube before it; "
                    "rename one of them (cube.assign_coords)"
                )


def _labels(dim: str, cubes: Sequence[xr.Dataset]) -> list[Any]:
    return ordered(
        dim, {label: None for cube in cubes if dim in cube.indexes for label in cube[dim].values.tolist()}
    )


def _merged(
    name: str, variable: Variable, cubes: Sequence[xr.Dataset], coords: dict[str, list[Any]]
) -> NDArray[Any]:
    """Values of a variable over all labels; lengths without labels are those of the longest."""
    having = [(number, cube) for number, cube in enumerate(cubes, 1) if name in cube.variables]
    shape = [
        len(coords[d]) if d in coords else max(cube.sizes[d] for _, cube in having) for d in variable.dims
    ]
    empty = np.nan if variable.dtype.startswith("float") else 0
    merged = np.full(shape, empty, variable.dtype)
    for number, cube in having:
        at = np.ix_(*(_positions(dim, cube, coords) for dim in variable.dims))
        old, new = merged[at], np.asarray(cube[name].values)
        if variable.flags is not None:
            # a cell that one cube lacks may be done in another
            merged[at] = np.where((old == 0) | ((old == MISSING) & (new == DONE)), new, old)
            continue
        there, before = ((~np.isnan(x) if np.isnan(empty) else x != empty) for x in (new, old))
        unlike = np.argwhere(there & before & (old != new))
        if len(unlike):
            _refuse(name, variable, cube, number, unlike[0], old, new)
        merged[at] = np.where(there, new, old)
    return merged


def _positions(dim: str, cube: xr.Dataset, coords: dict[str, list[Any]]) -> list[int]:
    if dim not in coords:
        return list(range(cube.sizes[dim]))
    place = {label: i for i, label in enumerate(coords[dim])}
    return [place[label] for label in cube[dim].values.tolist()]


def _refuse(
    name: str,
    variable: Variable,
    cube: xr.Dataset,
    number: int,
    index: NDArray[np.intp],
    old: NDArray[Any],
    new: NDArray[Any],
) -> None:
    at = tuple(index)
    place = ", ".join(
        f"{dim}={cube[dim].values.tolist()[i] if dim in AXES and dim in cube.indexes else i}"
        for dim, i in zip(variable.dims, at, strict=True)
    )
    raise CubeError(
        f"join: cube {number}: {name} is {new[at]:.6g} at {place}, and {old[at]:.6g} in a cube before it; "
        "of two results of one cell, take one away first (cube.sel)"
    )


def _attributes(cubes: Sequence[xr.Dataset]) -> dict[str, Any]:
    """What the cubes say of their making: one value where they agree, else all."""
    names = dict.fromkeys(str(name) for cube in cubes for name in cube.attrs if name not in OWN_ATTRS)
    merged: dict[str, Any] = {}
    for name in names:
        values = list(dict.fromkeys(cube.attrs[name] for cube in cubes if name in cube.attrs))
        if len(values) == 1:
            merged[name] = values[0]
        elif name == "parts_worlds":
            merged[name] = json.dumps(
                {k: v for text in values for k, v in json.loads(text).items()}, sort_keys=True
            )
        elif name == "parts_config":
            merged[name] = json.dumps(merge_configs([json.loads(text) for text in values]), sort_keys=True)
        else:
            texts = {text for value in values for text in _listed(value)}
            merged[name] = json.dumps(sorted(texts))
    return merged


def _listed(value: Any) -> list[str]:
    """Texts of an attribute that is one text, or a JSON list of several."""
    text = str(value)
    if text.startswith("["):
        return [str(each) for each in json.loads(text)]
    return [text]
