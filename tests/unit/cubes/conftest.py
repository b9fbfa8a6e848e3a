"""Small files of a sweep: enough structure to be joined, little enough to be read in a failing test."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from maestrata.cubes.fields import progress
from maestrata.cubes.io import build, write_cube
from maestrata.cubes.manifest import Manifest
from maestrata.cubes.schema import SCORE

READINGS: dict[str, list[Any]] = {
    "encoder": ["trained", "null_trained"],
    "layer": [0, 1],
    "pooling": ["global"],
    "eval_ratio": ["0", "training"],
    "probe": ["ridge"],
    "target": ["latent"],
    "level": [1, 2, 3, 4],
}


@pytest.fixture
def scores() -> Callable[..., Any]:
    """Make a Dataset of kind `scores`, its values drawn from a seed; `changes` replaces axes."""

    def make(seed: int, replicates: int | None = 40, **changes: Any) -> Any:
        rng = np.random.default_rng(seed)
        coords = READINGS | changes
        r2 = rng.uniform(0.1, 0.6, [len(coords[axis]) for axis in SCORE])
        data = {"r2": r2, "r2_low": r2 - 0.01, "r2_high": r2 + 0.01, "n_test": np.full(r2.shape, 100)}
        if replicates:
            data["r2_boot"] = r2[..., None] + 0.005 * rng.standard_normal((*r2.shape, replicates))
        learnt = dict.fromkeys(progress(()), 0.5)
        return build("scores", coords, data | {name: np.array(value) for name, value in learnt.items()})

    return make


@pytest.fixture
def sweep(tmp_path: Path, scores: Callable[..., Any]) -> Callable[..., Manifest]:
    """Write a sweep (two world seeds, three ratios of which two share a cell), but for `missing`."""

    def make(missing: tuple[tuple[int, int], ...] = (), **entry: Any) -> Manifest:
        paths = {
            "scores": f"{tmp_path}/w{{world_seed}}/v{{visible}}/scores.nc",
            "history": f"{tmp_path}/w{{world_seed}}/v{{visible}}/history.nc",
            "reconstruction": f"{tmp_path}/w{{world_seed}}/v{{visible}}/reconstruction.nc",
            "controls": f"{tmp_path}/controls/w{{world_seed}}.nc",
        }
        common = {
            "world": "additive",
            "world_seed": [0, 1],
            "patch": "1x1",
            "seed": 0,
            "images": 1000,
        } | entry
        cells = [
            common | {"visible": 8, "mask_ratio": [0.48, 0.5], "realised_ratio": 0.5},
            common | {"visible": 2, "mask_ratio": 0.9, "realised_ratio": 0.875},
        ]
        manifest = Manifest.parse(json.dumps({"paths": paths, "cells": cells}))
        for cell in manifest.cells:
            control = manifest.path("controls", cell)
            if not control.exists():
                write_cube(scores(100 + cell.world_seed, encoder=["null_trained"], eval_ratio=["0"]), control)
            if (cell.world_seed, cell.visible) in missing:
                continue
            own = scores(10 * cell.world_seed + cell.visible)
            # In a cell's own file the controls stand at the training ratio only.
            for name in ("r2", "r2_low", "r2_high", "n_test", "r2_boot"):
                own[name].loc[{"encoder": "null_trained", "eval_ratio": "0"}] = np.nan
            own["progress"].values[...] = cell.visible / 10
            write_cube(
                own, manifest.path("scores", cell), {"config": json.dumps({"visible": cell.visible, "lr": 1})}
            )
            steps = np.arange(1, 3 + cell.visible)
            history = {"loss": 1 / steps, "learning_rate": 0 * steps + 0.1, "images_seen": 10 * steps}
            write_cube(build("history", {"step": steps}, history), manifest.path("history", cell))
            image = np.full((2, 3, 4, 4), cell.visible, np.float32)
            shown = {"image": image, "prediction": image + 1, "visible": np.ones((2, 4, 4), np.int8)}
            write_cube(build("reconstruction", {}, shown), manifest.path("reconstruction", cell))
        return manifest

    return make
