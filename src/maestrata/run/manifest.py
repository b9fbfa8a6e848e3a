"""Manifests: which cells a cube joins and where their files are (read by `maestrata.cubes.manifest`).

Nothing is told that the cube does not hold, or it would be joined again for nothing.
"""

from __future__ import annotations

import json
from collections import defaultdict
from typing import TYPE_CHECKING, Any

from maestrata.config.grid import world_grid, world_of
from maestrata.masks import MaskPatches, realised_ratio
from maestrata.run.layout import EXPERIMENTS, FILES, SOURCES, wildcards_of
from maestrata.training.recipe import PlannedCell

if TYPE_CHECKING:
    from maestrata.run.plan import Plan


def manifest(plan: Plan, kind: str) -> str:
    """Return the manifest of a cube, as JSON."""
    if kind.startswith(EXPERIMENTS):
        return _of_experiment(plan, kind.removeprefix(EXPERIMENTS))
    paths = {name: plan.path(name) for name in SOURCES[kind]}
    return json.dumps({"paths": paths, "cells": _entries(plan, kind)})


def _entries(plan: Plan, kind: str) -> list[dict[str, Any]]:
    """List the cells that a cube is joined from, those together that differ in their seeds alone."""
    used = sorted({field for name in SOURCES[kind] for field in wildcards_of(FILES[name][0])})
    first: dict[tuple[Any, ...], PlannedCell] = {}
    for one in plan.cells:
        if kind == "limits" and not world_of(plan.config, one.cell.world).latent:
            continue
        first.setdefault(tuple([getattr(one.cell, field) for field in used]), one)
    alike: dict[tuple[Any, ...], dict[int, list[int]]] = defaultdict(lambda: defaultdict(list))
    for one in first.values():
        cell, images = one.cell, one.training.images if kind == "regression" else 0
        key = (cell.world, cell.patch, cell.visible, one.mask_ratios, images)
        alike[key][cell.world_seed].append(cell.seed)
    entries = []
    for (world, patch, visible, ratios, images), seeds_of in alike.items():
        n_patches = MaskPatches.parse(patch, world_grid(plan.config, world)).n_patches
        same: dict[tuple[int, ...], list[int]] = defaultdict(list)  # world seeds with the same seeds
        for world_seed, seeds in seeds_of.items():
            same[tuple(seeds)].append(world_seed)
        about = {
            "world": world,
            "patch": patch,
            "visible": visible,
            "mask_ratio": ratios,
            "realised_ratio": realised_ratio(n_patches, visible),
            "images": images,
        }
        entries += [about | {"world_seed": at, "seed": seeds} for seeds, at in same.items()]
    return entries


def _of_experiment(plan: Plan, name: str) -> str:
    entries = [
        {"world": world, "world_seed": entry.world_seeds, "seed": entry.seeds}
        for entry in plan.config.experiments
        for world in entry.worlds
        if entry.name == name
    ]
    path = plan.path("experiment").replace("{experiment}", name)
    return json.dumps({"paths": {"experiments": path}, "cells": entries})
