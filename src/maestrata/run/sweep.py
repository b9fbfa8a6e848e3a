"""A config as a sweep: plain values, for a machine without the workflow engine."""

from __future__ import annotations

from dataclasses import asdict
from types import SimpleNamespace
from typing import Any

from maestrata.config.grid import world_of
from maestrata.config.sections import Config
from maestrata.errors import ConfigError
from maestrata.run.layout import STACK
from maestrata.run.plan import Plan

# what makes the files of a sweep, or of the workflow that it takes for good
CODE = ("pretrain", STACK, "regress", "controls")


def sweep_plan(config: Config, leave_out_given: bool = False) -> dict[str, Any]:
    """Return what `maestrata.steps.sweep` carries out, as values that JSON holds.

    Parameters
    ----------
    config : Config
    leave_out_given : bool
        Whether worlds whose images are given, which only the workflow trains, are left out or refused.

    Raises
    ------
    ConfigError
        If a world holds given images, which a sweep cannot draw.
    """
    plan = Plan(config)
    given = {label for label in config.worlds if not world_of(config, label).latent}
    if given and not leave_out_given:
        raise ConfigError(
            f"world {min(given)!r} holds images that are given, and a sweep draws its images itself: "
            "train it by the workflow (snakemake)"
        )
    cells = [one for one in plan.cells if one.cell.world not in given]
    worlds = {one.cell.world for one in cells}
    return {
        "root": f"{config.results}/{config.run}",
        "worlds": {label: world.model_dump(mode="json") for label, world in config.worlds.items()},
        "model": asdict(config.model),
        "evaluation": asdict(config.evaluation),
        "stack": config.sweep.stack,
        "cells": [one.cell.json | {"training": asdict(one.training)} for one in cells],
        "code": {
            label: {rule: plan.code(rule, SimpleNamespace(world=label)) for rule in CODE}
            for label in sorted(worlds)
        },
    }
