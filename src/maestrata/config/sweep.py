"""A config as a sweep plan: plain values, for a machine without the workflow engine."""

from __future__ import annotations

from typing import Any

from maestrata.config.grid import build_cells
from maestrata.config.sections import Config


def sweep_plan(config: Config) -> dict[str, Any]:
    """Return what `maestrata.steps.sweep` carries out, as values that JSON holds."""
    cells = [
        {
            "world": cell.world,
            "world_seed": cell.world_seed,
            "patch": cell.patch,
            "visible": cell.visible,
            "seed": cell.seed,
            "training": cell.training.model_dump(mode="json"),
        }
        for cell in build_cells(config)
    ]
    return {
        "root": f"{config.results}/{config.run}",
        "worlds": {label: world.model_dump(mode="json") for label, world in config.worlds.items()},
        "model": config.model.model_dump(mode="json"),
        "evaluation": config.evaluation.model_dump(mode="json"),
        "stack": config.sweep.stack,
        "cells": cells,
    }
