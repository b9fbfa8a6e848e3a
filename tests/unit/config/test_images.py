"""Given images in a config: where they are, what is refused before anything runs, and what a job is told."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

from maestrata.config.grid import _made
from maestrata.config.load import load_config
from maestrata.errors import ConfigError
from maestrata.run.plan import Plan
from maestrata.run.sweep import sweep_plan

CONFIG = """
run: mine
worlds: {photos: {kind: image_folder, path: set, settings: {token_pixels: 4}}, made: {kind: grammar_tree}}
grid: [{worlds: [photos, made], mask_ratios: [0.5], world_seeds: 2}]
evaluation: {probe_train: 100, test: 100}
"""


@pytest.fixture
def folder(tmp_path, monkeypatch):
    rng = np.random.default_rng(0)
    for name in ("a", "b"):
        (tmp_path / "configs" / "set" / name).mkdir(parents=True)
        for i in range(280):
            image = rng.integers(0, 255, (8, 8)).astype(np.uint8)
            Image.fromarray(image).save(tmp_path / "configs" / "set" / name / f"{i}.png")
    (tmp_path / "configs" / "mine.yaml").write_text(CONFIG)
    monkeypatch.chdir(tmp_path)
    _made.cache_clear()
    return tmp_path


def load(**more):
    return load_config("configs/mine.yaml", overrides=more)


def refused(message, **more):
    with pytest.raises(ConfigError, match=message) as error:
        load(**more)
    assert "\n" not in str(error.value)


def test_a_path_is_relative_to_the_file_that_names_it(folder, monkeypatch):
    assert load().worlds["photos"].path == "configs/set"
    (folder / "configs" / "deep").mkdir()
    (folder / "configs" / "deep" / "more.yaml").write_text("extends: ../mine.yaml\nrun: other\n")
    assert load_config("configs/deep/more.yaml").worlds["photos"].path == "configs/set"
    monkeypatch.chdir(folder / "configs" / "deep")
    assert load_config("more.yaml").worlds["photos"].path == str(folder / "configs" / "set")


def test_jobs_are_told_what_the_images_hold_so_that_others_are_another_run(folder):
    def flags(rule="world"):
        _made.cache_clear()
        return getattr(Plan(load()).flags, rule)(SimpleNamespace(world="photos", world_seed="1"))

    before = flags()
    data = json.loads(before.partition("--world-data '")[2].partition("'")[0])
    assert data["images"] == 560 and "--world-path configs/set" in before
    Image.fromarray(np.zeros((8, 8), np.uint8)).save(folder / "configs" / "set" / "a" / "0.png")
    assert flags() != before
    plan = Plan(load())
    made = plan.flags.world(SimpleNamespace(world="made", world_seed="0"))
    assert "--world-path" not in made and "--world-data" not in made


def test_without_latents_there_are_no_limits_and_no_sweep_on_a_gpu(folder):
    plan = Plan(load())
    assert [path for path in plan.files("limits") if "photos" in path] == []
    assert len(plan.files("limits")) == 2 and len(plan.files("theory")) == 4
    assert {entry["world"] for entry in json.loads(plan.manifest("limits"))["cells"]} == {"made"}
    with pytest.raises(ConfigError, match="'photos' trains on given images"):
        sweep_plan(load())
    left = sweep_plan(load(), leave_out=True)
    assert {cell["world"] for cell in left["cells"]} == {"made"} == set(left["code"])


def test_a_set_of_images_is_left_to_the_workflow(folder):
    fixed = load(training={"samples": 128})
    with pytest.raises(ConfigError, match=r"'made' trains on a set of images \(training.samples=128\)"):
        sweep_plan(fixed)
    assert sweep_plan(fixed, leave_out=True)["cells"] == []


def test_more_images_than_there_are_are_refused(folder):
    refused(
        r"evaluation.probe_train=600 must be at most \d+: .*world seed 0", evaluation={"probe_train": 600}
    )
    refused(r"evaluation.test=200 must be at most 1\d\d: ", evaluation={"test": 200})


def test_experiments_that_need_latents_are_refused_and_others_are_not(folder):
    refused("invariance needs latents", experiments=[{"name": "invariance", "worlds": ["photos"]}])
    load(experiments=[{"name": "image_quality", "worlds": ["photos"], "settings": {"scored": 50}}])
    refused("cue_conflict needs textures", experiments=[{"name": "cue_conflict", "worlds": ["photos"]}])
    flat = {"photos": {"settings": {"labels": False}}}
    embedding = [{"name": "embedding", "worlds": ["photos"], "settings": {"images_embedded": 90}}]
    load(experiments=embedding)
    refused("embedding needs classes", experiments=embedding, worlds=flat)


def test_the_config_of_digits_needs_no_file(monkeypatch):
    monkeypatch.chdir(Path(__file__).parents[3])
    plan = Plan(load_config("config/digits.yaml"))
    assert len(plan.cells) == 21 and plan.claims == () and plan.files("limits") == []
    assert {f"results/digits/figures/{name}.png" for name in ("class_accuracy", "image_quality")} <= set(
        plan.everything
    )


def test_the_config_of_composites_needs_no_file_and_draws_as_many_images_as_it_asks_for(monkeypatch):
    monkeypatch.chdir(Path(__file__).parents[3])
    plan = Plan(load_config("config/composites.yaml"))
    assert len(plan.cells) == 18 and plan.claims == () and plan.files("limits") == []
    assert [len(plan.sources(f"experiments/{name}")) for name in ("cue_conflict", "robustness")] == [3, 3]
    assert "results/composites/figures/beside_the_paper.png" in plan.everything


def test_a_wrong_place_is_refused(folder):
    refused(r"path must stand beside kind", worlds={"photos": {"settings": {"path": "set"}}})
    refused(r"this world reads no file .*worlds.made.path", worlds={"made": {"path": "set"}})
    refused(r"elsewhere must be a folder of images", worlds={"photos": {"path": "elsewhere"}})
    refused(r"setting 'data' must be one of", worlds={"photos": {"settings": {"data": "x"}}})
    refused(
        r"fit='stretch' must be one of: crop, exact, pad", worlds={"photos": {"settings": {"fit": "stretch"}}}
    )


def test_a_damaged_image_ends_it_before_anything_is_written(folder):
    path = folder / "configs" / "set" / "b" / "7.png"
    path.write_bytes(path.read_bytes()[:60])
    there = sorted(folder.rglob("*"))
    refused(r"set/b/7.png cannot be read: .*worlds.photos.path")
    assert sorted(folder.rglob("*")) == there
