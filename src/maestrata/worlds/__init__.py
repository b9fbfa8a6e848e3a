"""Worlds: data-generating processes whose latents are known, one file each, found by name."""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Mapping
from typing import Any

from maestrata import modules
from maestrata.errors import WorldError, one_of
from maestrata.worlds.base import NoiseSpec, Sample, Target, World

__all__ = ["NoiseSpec", "Sample", "Target", "World", "available", "make", "make_of", "world_class"]


def available() -> tuple[str, ...]:
    """Names of the worlds: the modules of this package whose class has a `name`."""
    return modules.available("worlds")


def world_class(name: str) -> type[World]:
    """Return the class of a world: the one subclass of World that its module defines.

    Raises
    ------
    WorldError
        If there is no world of that name.
    """
    module = modules.load("worlds", name)
    for value in vars(module).values():
        if inspect.isclass(value) and issubclass(value, World) and value.__module__ == module.__name__:
            return value
    raise WorldError(f"module {module.__name__} defines no world: it must hold a subclass of World")


def make(name: str, /, seed: int, **settings: Any) -> World:
    """Make a world: its functions are drawn from the stream ``("world", seed)`` and from nothing else.

    Parameters
    ----------
    name : str
        One of `available()`.
    seed : int
        World seed, at least 0.
    **settings
        Settings of that world; see its class.

    Raises
    ------
    WorldError
        If the name is unknown, or a setting is unknown or out of range.
    """
    _check_names(name, settings)
    return world_class(name)(seed, **settings)


def make_of(name: str, seed: int, settings: Mapping[str, Any]) -> World:
    """Make a world of settings from a file or a command line, where `seed` may stand by mistake."""
    _check_names(name, settings)
    return make(name, seed, **settings)


def _check_names(name: str, settings: Iterable[str]) -> None:
    known = [p for p in inspect.signature(world_class(name)).parameters if p != "seed"]
    for key in settings:
        if key not in known:
            raise WorldError(f"{name}: setting {one_of(key, known)}")
