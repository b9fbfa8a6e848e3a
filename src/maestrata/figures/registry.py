"""Figures by name. Adding one is adding a module to this package.

A figure module has

- ``TITLE``, ``CAPTION``: plain text;
- ``NEEDS``: kinds of cube without which it cannot be drawn;
- ``USES`` (optional): kinds that it shows where they are there;
- ``draw(cubes, style) -> Figure`` of Matplotlib, of a `results.CubeSet` and a `style.Style`.

Other modules of the package are what the figures share.
"""

from __future__ import annotations

from types import ModuleType

from maestrata import modules

_DEFINES = ("TITLE", "CAPTION", "NEEDS", "draw")


def available() -> tuple[str, ...]:
    """Return the names of all figures, sorted: the modules of this package that define `draw`."""
    return modules.available("figures")


def load(name: str) -> ModuleType:
    """Return the module of a figure.

    Raises
    ------
    FigureError
        If there is no such figure (the message lists those there are), or it lacks a definition.
    """
    return modules.load("figures", name, _DEFINES)
