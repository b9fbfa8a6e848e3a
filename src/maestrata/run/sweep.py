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


def sweep_plan(config: Config) -> dict[str, Any]:
    """Return what `maestrata.steps.sweep` carries out, as values that JSON holds."""
    plan = Plan(config)
    for label in config.worlds:
        if not world_of(config, label).latent:
            raise ConfigError(
                f"world {label!r} holds images that are given, and a sweep makes its images on the GPU: "
                "train it by the workflow (snakemake)"
            )
    worlds = {one.cell.world for one in plan.cells}
    return {
        "root": f"{config.results}/{config.run}",
        "worlds": {label: world.model_dump(mode="json") for label, world in config.worlds.items()},
        "model": asdict(config.model),
        "evaluation": asdict(config.evaluation),
        "stack": config.sweep.stack,
        "cells": [one.cell.json | {"training": asdict(one.training)} for one in plan.cells],
        "code": {
            label: {rule: plan.code(rule, SimpleNamespace(world=label)) for rule in CODE}
            for label in sorted(worlds)
        },
    }
