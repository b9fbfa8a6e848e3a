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
from importlib import import_module
from pathlib import Path
from types import ModuleType

from maestrata.errors import FigureError, one_of
from maestrata.results import CubeSet

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
