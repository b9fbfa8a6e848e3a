"""A model of normalised pixels is never judged on what it could not see."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from maestrata import modules, worlds
from maestrata.config.load import load_config
from maestrata.cubes.io import open_cube
from maestrata.errors import ConfigError, ExperimentError
from maestrata.experiments._features import explainable, trained
from maestrata.experiments.base import Job, Table
from maestrata.masks import MaskPatches
from maestrata.model.mae import MAE, MAEConfig
from maestrata.model.sizes import Sizes
from maestrata.steps import experiment
from maestrata.steps.regress import write_reconstructions
from maestrata.training.recipe import Recipe

ROOT = Path(__file__).parents[3]
NORMED = {"model": {"norm_pixels": True}}


def test_the_config_refuses_in_one_line_what_judges_filled_in_pixels() -> None:
    with pytest.raises(ConfigError, match="experiment reconstruction: judges the pixels") as caught:
        load_config(ROOT / "config/evening.yaml", overrides=NORMED)
    listed = [entry.name for entry in load_config(ROOT / "config/evening.yaml").experiments]
    assert f"experiments[{listed.index('reconstruction')}].name" in str(caught.value)
    assert load_config(ROOT / "config/smoke.yaml", overrides=NORMED).model.norm_pixels


def test_the_step_by_hand_refuses_too(tmp_path: Path) -> None:
    flags = ["reconstruction", "--world-kind", "grammar_tree", "--seed", "0", "--norm-pixels"]
    with pytest.raises(ExperimentError, match="experiment reconstruction: judges the pixels"):
        experiment.main([*flags, "--output", str(tmp_path / "a.nc")])
    assert not list(tmp_path.iterdir())


def test_every_experiment_that_fills_pixels_in_says_so() -> None:
    for name in modules.available("experiments"):
        text = Path(f"{ROOT}/src/maestrata/experiments/{name}.py").read_text(encoding="utf-8")
        assert ("reconstruct(" in text) == modules.constant("experiments", name, "FILLS_IN", False)


@pytest.mark.parametrize("norm_pixels", [False, True])
def test_what_predicts_normalised_pixels_has_no_progress(norm_pixels: bool) -> None:
    world, table = worlds.make("gaussian_tree", 0, leaves=4), Table()
    cfg = MAEConfig.of(world, Sizes(width=16, depth=1, decoder_width=16, norm_pixels=norm_pixels))
    job = Job(world, 0, cfg, Recipe(images=64), test=200, probe_train=200, replicates=10)
    trained(job, table, "a", explainable(job, 2), 2)
    assert np.isnan(table.arrays()[1]["value"][0, 0, 0]) == norm_pixels


@pytest.mark.parametrize("norm_pixels", [False, True])
def test_a_file_of_reconstructions_says_whose_mean_it_shows(norm_pixels: bool, tmp_path: Path) -> None:
    world = worlds.make("gaussian_tree", 0, leaves=8)
    sizes = Sizes(width=16, depth=1, decoder_width=16, norm_pixels=norm_pixels)
    model, path = MAE(MAEConfig.of(world, sizes)), tmp_path / "a.nc"
    write_reconstructions(model, world, MaskPatches.parse("1x1", world.grid), 4, path, {"config": "{}"})
    config = json.loads(open_cube(path).attrs["config"])
    assert config == ({"norm_pixels": True} if norm_pixels else {})
