"""Figures by name. Adding one is adding a module to this package.

A figure module has

- ``NAME``: its own module name, also the stem of its files;
- ``TITLE``, ``CAPTION``: plain text;
- ``NEEDS``: kinds of cube without which it cannot be drawn;
- ``USES`` (optional): kinds that it shows where they are there;
- ``draw(cubes, style) -> matplotlib.figure.Figure``, with `cubes` a `CubeSet` and `style` a `style.Style`.
"""

from __future__ import annotations

import pkgutil
from collections.abc import Iterable
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

from maestrata.errors import FigureError, one_of

if TYPE_CHECKING:
    import xarray as xr

__all__ = ["CubeSet", "available", "load"]

# What the figures share; everything else in this package is a figure.
_SHARED = frozenset({"registry", "style", "summary", "panels", "save", "arms"})


def available() -> list[str]:
    """Return the names of all figures, sorted."""
    return sorted(m.name for m in pkgutil.iter_modules([str(Path(__file__).parent)]) if m.name not in _SHARED)


def load(name: str) -> ModuleType:
    """Return the module of a figure.

    Raises
    ------
    FigureError
        If there is no such figure; the message lists those there are.
    """
    if name not in available():
        raise FigureError(f"figure {one_of(name, available())}")
    module = import_module(f"maestrata.figures.{name}")
    for attribute in ("NAME", "TITLE", "CAPTION", "NEEDS", "draw"):
        if not hasattr(module, attribute):
            raise FigureError(
                f"figure {name!r}: its module must define {attribute} (maestrata/figures/{name}.py)"
            )
    return module


class CubeSet:
    """Opened cubes, by kind.

    Parameters
    ----------
    cubes : iterable of xarray.Dataset
        Each with its attribute `kind`; several of one kind only where the figure asks with `all` (worlds).
        An experiment's cube goes by ``experiments/NAME``.
    """

    def __init__(self, cubes: Iterable[xr.Dataset]) -> None:
        self._cubes: dict[str, list[xr.Dataset]] = {}
        for cube in cubes:
            kind = str(cube.attrs["kind"])
            name = f"{kind}/{cube.attrs['experiment']}" if kind == "experiments" else kind
            self._cubes.setdefault(name, []).append(cube)

    def all(self, kind: str) -> list[xr.Dataset]:
        """Return all cubes of a kind, in the order given; may be empty."""
        return self._cubes.get(kind, [])

    def get(self, kind: str) -> xr.Dataset | None:
        """Return the cube of a kind, or None."""
        cubes = self.all(kind)
        if len(cubes) > 1:
            raise FigureError(f"{len(cubes)} cubes of kind {kind!r} are given; allowed: one")
        return cubes[0] if cubes else None

    def one(self, kind: str) -> xr.Dataset:
        """Return the cube of a kind, or raise `FigureError` saying what is there."""
        cube = self.get(kind)
        if cube is None:
            there = ", ".join(sorted(self._cubes)) or "none"
            raise FigureError(f"a cube of kind {kind!r} is needed; given: {there} (--cube)")
        return cube
