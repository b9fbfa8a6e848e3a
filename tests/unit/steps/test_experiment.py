"""The step of an experiment, from flags to a file, and through the joining of its cube."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from maestrata.cubes.collect import collect
from maestrata.cubes.io import open_cube
from maestrata.cubes.manifest import Manifest
from maestrata.errors import CubeError, ExperimentError
from maestrata.experiments import registry
from maestrata.experiments.base import Job, Table
from maestrata.model.mae import MAEConfig
from maestrata.steps import experiment
from maestrata.training.data import initial_model
from maestrata.training.weights import save_weights

FLAGS = ["--world", "small", "--world-kind", "additive_tree", "--world-settings", '{"leaves": 8}']


def made_up(job: Job) -> Table:
    table = Table()
    arm = f"seed{job.seed}"
    table.add(arm, "images", 0, job.recipe.images)
    table.add(arm, "world_seed", job.world.levels, job.world.seed, n=job.test)
    for cell in job.cells:
        table.add(cell.arm, "width", 0, cell.model().cfg.width)
        table.place(cell.arm, cell.mask_ratio)
    return table


@pytest.fixture
def module(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    module = SimpleNamespace(
        SETTINGS={"images": 1000},
        RANGES={"images": {"least": 1}},
        WORLDS=("additive_tree",),
        CELLS=True,
        run=made_up,
    )
    monkeypatch.setattr(registry, "load", lambda name: module)
    return module


def run(folder: Path, *more: str, world_seed: int = 0, seed: int = 0, name: str = "made_up") -> Path:
    output = folder / "small" / f"w{world_seed}" / f"s{seed}.nc"
    output.parent.mkdir(parents=True, exist_ok=True)
    numbers = ["--world-seed", str(world_seed), "--seed", str(seed), "--width", "16", "--depth", "1"]
    experiment.main([name, *FLAGS, *numbers, "--output", str(output), "--fingerprint", "abc", *more])
    return output


def test_what_is_written(module: Any, tmp_path: Path) -> None:
    weights = tmp_path / "weights.safetensors"
    save_weights(initial_model(MAEConfig(grid_height=4, grid_width=2, width=16, depth=1), 0, 0), weights)
    cube = open_cube(run(tmp_path, "--cells", f"2x1/v1/s0={weights}", world_seed=3, seed=4))
    assert cube.attrs["experiment"] == "made_up" and cube.attrs["fingerprint"] == "abc"
    assert cube.value.dims == ("world", "world_seed", "seed", "arm", "quantity", "level")
    own = cube.sel(world="small", world_seed=3, seed=4)
    assert float(own.value.sel(arm="seed4", quantity="images", level=0)) == 1000
    assert float(own.n.sel(arm="seed4", quantity="world_seed", level=3)) == 8192
    assert float(own.value.sel(arm="2x1/v1", quantity="width", level=0)) == 16
    assert float(cube.setting.sel(arm="2x1/v1")) == 0.75
    said = json.loads(cube.attrs["config"])
    assert said["cells"] == ["2x1/v1/s0"] and said["seed"] == 4


def test_a_setting_of_the_command_line_wins(module: Any, tmp_path: Path) -> None:
    cube = open_cube(run(tmp_path, "--settings", '{"images": 999}'))
    assert float(cube.value.sel(quantity="images", level=0).squeeze()) == 999


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (["--settings", '{"image": 1}'], "setting 'image' must be one of: images"),
        (["--cells", "2x1/1=weights"], "cell '2x1/1=weights' must read PATCH/vVISIBLE/sSEED=WEIGHTS"),
    ],
)
def test_refused(module: Any, tmp_path: Path, more: list[str], said: str) -> None:
    with pytest.raises(ExperimentError) as caught:
        run(tmp_path, *more)
    assert said in str(caught.value) and not list(tmp_path.rglob("*.nc"))


def test_a_world_that_the_experiment_does_not_know(module: Any, tmp_path: Path) -> None:
    module.WORLDS = ("gaussian_tree",)
    with pytest.raises(ExperimentError, match="'additive_tree' must be one of: gaussian_tree"):
        run(tmp_path)


def test_joined_by_labels(module: Any, tmp_path: Path) -> None:
    for world_seed, seed in ((0, 0), (0, 1), (2, 1)):
        run(tmp_path, world_seed=world_seed, seed=seed)
    entry = {"world": "small", "world_seed": [0, 2], "seed": [0, 1]}
    paths = {"experiments": f"{tmp_path}/{{world}}/w{{world_seed}}/s{{seed}}.nc"}
    manifest = Manifest.parse(json.dumps({"paths": paths, "cells": [entry]}))
    cube_path = tmp_path / "cube.nc"
    assert collect("experiments", manifest, cube_path, {"fingerprint": "f"}) == {"done": 3, "missing": 1}
    cube = open_cube(cube_path)
    assert cube.attrs["experiment"] == "made_up"
    values = cube.value.sel(world="small", quantity="world_seed", level=3)
    assert float(values.sel(world_seed=2, seed=1, arm="seed1")) == 2
    assert values.isnull().sum() == values.size - 3


def test_files_of_two_experiments_do_not_join(module: Any, tmp_path: Path) -> None:
    run(tmp_path, seed=0)
    run(tmp_path, seed=1, name="another")
    paths = {"experiments": f"{tmp_path}/{{world}}/w{{world_seed}}/s{{seed}}.nc"}
    entry = {"world": "small", "world_seed": 0, "seed": [0, 1]}
    manifest = Manifest.parse(json.dumps({"paths": paths, "cells": [entry]}))
    with pytest.raises(CubeError, match="experiment='another', in another file 'made_up'"):
        collect("experiments", manifest, tmp_path / "cube.nc", {})
    assert not (tmp_path / "cube.nc").exists()
