"""Experiments by name. Adding one is adding a module to this package.

An experiment module has

- ``NAME``: its own module name, also the stem of its cube;
- ``SUMMARY``: what is done and measured, in a sentence;
- ``SETTINGS``: a plain constant, setting -> default; a config may set each anew, within `check_settings`;
- ``WORLDS``: kinds of world that it knows, () for all;
- ``CELLS``: whether it reads the trained models of the sweep (those of its world, world seed and seed);
- ``SEEDS`` (optional): ``"all"`` where it reads the models of all training seeds;
- ``FINDS`` (optional): modules of maestrata that it finds by name, such as ``"worlds.phase_tree"``, so that
  an edit of one is seen;
- ``run(job) -> Table``, with `job` a `base.Job`.

The constants are read by the workflow without importing the module, so they are written out in full.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import ModuleType
from typing import Any

from maestrata import modules
from maestrata.errors import ExperimentError, one_of

__all__ = ["available", "check_settings", "load"]

_DEFINES = ("NAME", "SUMMARY", "SETTINGS", "WORLDS", "CELLS", "run")


def available() -> tuple[str, ...]:
    """Return the names of all experiments, sorted: the modules of this package that define `run`."""
    return modules.available("experiments")


def load(name: str) -> ModuleType:
    """Return the module of an experiment.

    Raises
    ------
    ExperimentError
        If there is none of that name (the message lists those there are), or it lacks a definition.
    """
    return modules.load("experiments", name, _DEFINES)


def check_settings(name: str, given: Mapping[str, Any], defaults: Mapping[str, Any]) -> dict[str, Any]:
    """Return the settings of an experiment: its defaults, with those given in their place.

    Raises
    ------
    ExperimentError
        If a setting is unknown, or of another type than its default (a whole number passes for a number; a
        list must be non-empty and of the default's kind of items).
    """
    for key, value in given.items():
        if key not in defaults:
            raise ExperimentError(f"experiment {name}: setting {one_of(key, defaults)}")
        if not _alike(value, defaults[key]):
            raise ExperimentError(
                f"experiment {name}: {key}={value!r} must be like its default, {defaults[key]!r}"
            )
    return {key: _plain(given.get(key, default)) for key, default in defaults.items()}


def _alike(value: Any, default: Any) -> bool:
    if isinstance(default, list | tuple):
        items = isinstance(value, list | tuple) and len(value) > 0
        return items and all(_alike(item, default[0]) for item in value)
    if isinstance(default, bool) or isinstance(value, bool):
        return isinstance(default, bool) and isinstance(value, bool)
    if isinstance(default, float):
        return isinstance(value, int | float)
    return isinstance(value, type(default))


def _plain(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value
