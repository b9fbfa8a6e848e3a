"""Experiments by name. Adding one is adding a module to this package.

An experiment module has

- ``NAME``: its own module name, also the stem of its cube;
- ``SUMMARY``: what is done and measured, in a sentence;
- ``SETTINGS``: a plain constant, setting -> default; a config may set each anew;
- ``RANGES``: a plain constant, setting -> what it may be (`maestrata.experiments.settings`);
- ``WORLDS``: kinds of world that it knows, () for all;
- ``CELLS``: whether it reads the trained models of the sweep (those of its world, world seed and seed);
- ``PATCHES`` (optional): mask patches of the models that it cannot do without;
- ``SEEDS`` (optional): ``"all"`` where it reads the models of all training seeds;
- ``FILLS_IN`` (optional): whether it judges pixels that a model fills in, which `norm_pixels` rules out;
- ``FINDS`` (optional): modules of maestrata that it finds by name, such as ``"worlds.phase_tree"``, so that
  an edit of one is seen;
- ``run(job) -> Table``, with `job` a `base.Job`.

The constants are read by the workflow without importing the module, so they are written out in full.
"""

from __future__ import annotations

from types import ModuleType

from maestrata import modules

__all__ = ["available", "load"]

_DEFINES = ("NAME", "SUMMARY", "SETTINGS", "RANGES", "WORLDS", "CELLS", "run")


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
