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


def sweep_plan(config: Config, leave_out: bool = False) -> dict[str, Any]:
    """Return what `maestrata.steps.sweep` carries out, as values that JSON holds.

    Parameters
    ----------
    config : Config
    leave_out : bool
        Whether worlds that only the workflow trains are left out or refused: a stack draws fresh images at
        every step, so that it takes neither given ones nor a set of them (`training.samples`).

    Raises
    ------
    ConfigError
        If there is such a world.
    """
    plan = Plan(config)
    others = {label: "given images" for label in config.worlds if not world_of(config, label).latent}
    # whole worlds: the control null_trained of a world may have the recipe of any of its cells
    others |= {
        one.cell.world: f"a set of images (training.samples={one.training.samples})"
        for one in plan.cells
        if one.training.samples is not None
    }
    if others and not leave_out:
        label = min(others)
        raise ConfigError(
            f"world {label!r} trains on {others[label]}, and a sweep draws fresh ones at every step: train "
            "it by the workflow (snakemake)"
        )
    cells = [one for one in plan.cells if one.cell.world not in others]
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
