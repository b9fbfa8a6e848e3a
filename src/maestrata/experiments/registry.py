"""Experiments by name. Adding one is adding a module to this package.

An experiment's name is that of its module, also the stem of its cube. The module has

- ``SUMMARY``: what is done and measured, in a sentence;
- ``SETTINGS``: setting -> default; a config may set each anew;
- ``RANGES``: setting -> what it may be (`maestrata.experiments.settings`);
- ``run(job) -> Table``, with `job` a `base.Job`;

and, where the default will not do,

- ``WORLDS``: kinds of world that it knows (default: all);
- ``CELLS = True``: it needs the trained models of the sweep (those of its world, world seed and seed);
- ``NEEDS``: what its world must offer where it can do without latents: ``"textures"`` or ``"classes"`` of
  images, or the ``"images"`` alone;
- ``PATCHES``: mask patches of the models that it cannot do without;
- ``SEEDS = "all"``: it needs those of all training seeds;
- ``FILLS_IN = True``: it judges pixels that a model fills in, which `norm_pixels` rules out;
- ``COST``: seconds of a core for 1,000 of its ``images``, where it trains other models than the sweep's;
- ``FINDS``: modules of maestrata that it takes by name, such as ``"regression.probes.kernel_ridge"``, so that
  an edit of one is seen.

The workflow takes these constants from the module's text without importing it: they are written out in full.
"""

from __future__ import annotations

from types import ModuleType

from maestrata import modules

_DEFINES = ("SUMMARY", "SETTINGS", "RANGES", "run")


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
