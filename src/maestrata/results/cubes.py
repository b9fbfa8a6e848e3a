"""The cubes of a run, by kind."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping
from copy import copy
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, TypeVar

from maestrata.errors import CubeError
from maestrata.results.primary import PRIMARY

if TYPE_CHECKING:
    import xarray as xr


Read = TypeVar("Read")


class CubeSet:
    """Opened cubes, by kind.

    An experiment's cube goes by ``experiments/NAME``, every other one by its kind.

    Parameters
    ----------
    cubes : iterable of xarray.Dataset
        Each with its attribute `kind`. Several of one kind are allowed only where they are asked for with
        `all` (files of worlds).

    Attributes
    ----------
    features : mapping
        Labels of the features of the regression cube whose scores are read: the primary ones.
    roles : mapping
        Labels of the worlds that claims are judged in, by role.
    """

    features: Mapping[str, str] = PRIMARY
    roles: Mapping[str, str] = MappingProxyType({})

    def __init__(self, cubes: Iterable[xr.Dataset]) -> None:
        self._cubes: dict[str, list[xr.Dataset]] = {}
        self._read: dict[Hashable, Any] = {}
        for cube in cubes:
            kind = str(cube.attrs["kind"])
            name = f"{kind}/{cube.attrs['experiment']}" if kind == "experiments" else kind
            self._cubes.setdefault(name, []).append(cube)

    def __contains__(self, kind: str) -> bool:
        return kind in self._cubes

    def __iter__(self) -> Iterator[str]:
        return iter(self._cubes)

    def at(self, **features: str) -> CubeSet:
        """Return the same cubes, read at other features, such as ``pooling="concat"``."""
        same = copy(self)
        same.features, same._read = {**self.features, **features}, {}
        return same

    def once(self, key: Hashable, read: Callable[[], Read]) -> Read:
        """Return what is read under a key: at the first time asked for, and the same again ever after."""
        if key not in self._read:
            self._read[key] = read()
        there: Read = self._read[key]
        return there

    def judged_in(self, roles: Mapping[str, str]) -> CubeSet:
        """Return the same cubes, with the labels of the worlds of roles."""
        same = copy(self)
        same.roles = roles
        return same

    def all(self, kind: str) -> list[xr.Dataset]:
        """Return all cubes of a kind, in the order given; may be empty."""
        return self._cubes.get(kind, [])

    def get(self, kind: str) -> xr.Dataset | None:
        """Return the cube of a kind, or None.

        Raises
        ------
        CubeError
            If there are several.
        """
        cubes = self.all(kind)
        if len(cubes) > 1:
            raise CubeError(f"{len(cubes)} cubes of kind {kind!r} are given; allowed: one")
        return cubes[0] if cubes else None

    def one(self, kind: str) -> xr.Dataset:
        """Return the cube of a kind.

        Raises
        ------
        CubeError
            If there is none (the message says what is there) or there are several.
        """
        cube = self.get(kind)
        if cube is None:
            there = ", ".join(sorted(self._cubes)) or "none"
            raise CubeError(f"a cube of kind {kind!r} is needed; given: {there} (--cubes)")
        return cube
