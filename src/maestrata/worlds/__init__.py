"""Worlds: data-generating processes whose latents are known, one file each, found by name."""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Mapping
from typing import Any

from maestrata import modules
from maestrata.errors import WorldError, one_of
from maestrata.worlds.base import NoiseSpec, Sample, Target, World

__all__ = ["NoiseSpec", "Sample", "Target", "World", "available", "make", "make_of", "world_class"]

_GIVEN = ("path", "data")
"""Arguments of worlds that read images, which are no settings."""


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
    _check_names(name, settings, [key for key in _GIVEN if key in _arguments(name)])
    return world_class(name)(seed, **settings)


def make_of(
    name: str,
    seed: int,
    settings: Mapping[str, Any],
    path: str | None = None,
    data: Mapping[str, Any] | None = None,
) -> World:
    """Make a world of settings from a file or a command line, where `seed` may stand by mistake.

    Parameters
    ----------
    name, seed, settings
        As of `make`.
    path : str, optional
        Where the images of a world are that reads them.
    data : mapping, optional
        What is known of these images (`maestrata.worlds.images.ImageWorld`).
    """
    if "path" in settings:
        raise WorldError(f"{name}: path must stand beside kind, not among the settings")
    _check_names(name, settings)
    where: dict[str, Any] = {
        key: value for key, value in (("path", path), ("data", data)) if value is not None
    }
    if path is not None and "path" not in _arguments(name):
        raise WorldError(f"{name}: path={path!r} must not be given: this world reads no file")
    return world_class(name)(seed, **settings, **where)


def _check_names(name: str, settings: Iterable[str], more: Iterable[str] = ()) -> None:
    known = [key for key in _arguments(name) if key not in _GIVEN]
    for key in settings:
        if key not in (*known, *more):
            raise WorldError(f"{name}: setting {one_of(key, known)}")


def _arguments(name: str) -> list[str]:
    """Arguments of a world but its seed; ``**shared`` stands for the keywords of its base class."""
    cls = world_class(name)
    own = inspect.signature(cls).parameters.values()
    known = [one.name for one in own if one.name != "seed" and one.kind is not one.VAR_KEYWORD]
    if any(one.kind is one.VAR_KEYWORD for one in own):
        shared = inspect.signature(cls.__bases__[0]).parameters.values()
        known += [one.name for one in shared if one.kind is one.KEYWORD_ONLY and one.name not in known]
    return known
