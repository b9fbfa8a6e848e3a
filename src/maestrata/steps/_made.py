"""What a sweep's files say made them, and whether the plan would make them so."""

from __future__ import annotations

import argparse
import json
from collections.abc import Collection, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import netCDF4

from maestrata.cells import Cell
from maestrata.errors import MaestrataError
from maestrata.model.stored import stated
from maestrata.regression.settings import Evaluation
from maestrata.settings import read
from maestrata.steps._run import provenance
from maestrata.training.recipe import PlannedCell
from maestrata.training.stacks import Sweep

__all__ = ["about", "differences", "evaluation_of", "values_of"]

# Rule of the workflow that makes the same file -> the sections of the plan that its values are from.
PARTS = {
    "pretrain": ("model", "training"),
    "regress": ("evaluation",),
    "controls": ("model", "training", "evaluation"),
}


def evaluation_of(sweep: Sweep, cell: Cell) -> Evaluation:
    """How a cell and its controls are scored: as the first world seed of its world, or as the others."""
    first = sweep.first_seeds[cell.world]
    return read(Evaluation, sweep.evaluation).of_world(cell.world, cell.world_seed == first)


def values_of(sweep: Sweep, planned: PlannedCell, rule: str) -> dict[str, Any]:
    """Return every value that a file of a cell is made with, under the names of the workflow's flags."""
    cell, world = planned.cell, sweep.worlds[planned.cell.world]
    values: dict[str, Any] = {
        "world": cell.world,
        "world_kind": world["kind"],
        "world_settings": dict(world["settings"]),
        "world_seed": cell.world_seed,
        "seed": cell.seed,
        "patch": cell.patch,
        "visible": cell.visible,
    }
    sections = {
        "model": asdict(sweep.model),
        "training": asdict(planned.training),
        "evaluation": asdict(evaluation_of(sweep, cell)),
    }
    if rule == "regress":
        sections["evaluation"].pop("control_images", None)
    for section in PARTS[rule]:
        values |= sections[section]
    return dict(json.loads(json.dumps(values, allow_nan=False)))


def about(sweep: Sweep, planned: PlannedCell, rule: str, device: str) -> dict[str, str]:
    """Return the provenance of a file: its values, its seeds, and the fingerprint of the code."""
    code = sweep.code[planned.cell.world]["stack" if rule == "pretrain" else rule]
    return provenance(argparse.Namespace(**values_of(sweep, planned, rule), fingerprint=code), device=device)


def differences(path: Path, values: Mapping[str, Any], codes: Collection[str]) -> str | None:
    """Say in what a file differs from what would be made now; None where it does not.

    Parameters
    ----------
    path : Path
        Weights or a file of scores.
    values : mapping
        From `values_of`.
    codes : collection of str
        Fingerprints of the code that may have made it.
    """
    if not path.is_file():
        return "it is not there"
    try:
        said = _stated(path)
        made = json.loads(said.get("config", "{}"))
    except (MaestrataError, OSError, ValueError) as error:
        return f"it cannot be read ({error})"
    for key, value in values.items():
        if made.get(key, "not recorded") != value:
            return f"{key} was {json.dumps(made.get(key, 'not recorded'))} and is {json.dumps(value)}"
    code = said.get("fingerprint")
    return None if code in codes else f"made by code {code}; the code at hand is {', '.join(codes)}"


def _stated(path: Path) -> dict[str, Any]:
    if path.suffix == ".safetensors":
        return stated(path)
    with netCDF4.Dataset(path) as file:
        return {name: file.getncattr(name) for name in file.ncattrs()}
