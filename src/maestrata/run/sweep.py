"""A config as a sweep: plain values, for a machine without the workflow engine."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from maestrata.config.grid import build_cells
from maestrata.config.sections import Config


def sweep_plan(config: Config) -> dict[str, Any]:
    """Return what `maestrata.steps.sweep` carries out, as values that JSON holds."""
    return {
        "root": f"{config.results}/{config.run}",
        "worlds": {label: world.model_dump(mode="json") for label, world in config.worlds.items()},
        "model": asdict(config.model),
        "evaluation": asdict(config.evaluation),
        "stack": config.sweep.stack,
        "cells": [one.cell.json | {"training": asdict(one.training)} for one in build_cells(config)],
    }
