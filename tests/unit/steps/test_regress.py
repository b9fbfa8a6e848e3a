"""The steps that score encoders, from files to files, and through the collecting of a cube."""

import json

import numpy as np
import pytest

import maestrata.worlds as worlds
from maestrata.cubes.collect import collect
from maestrata.cubes.io import open_cube
from maestrata.cubes.manifest import Manifest
from maestrata.errors import MaestrataError
from maestrata.masks import MaskPatches, evaluation_masks, mask_matrix
from maestrata.model.mae import MAEConfig
from maestrata.regression.settings import Evaluation
from maestrata.steps import _evaluation, _machine, controls, regress
from maestrata.training.data import initial_model
from maestrata.training.weights import save_weights

WORLD = [
    "--world",
    "small",
    "--world-kind",
    "additive_tree",
    "--world-settings",
    '{"leaves": 8}',
    "--world-seed",
    "3",
]
READ = [
    "--probe-train",
    "400",
    "--test",
    "400",
    "--replicates",
    "30",
    "--fingerprint",
    "abc",
    "--device",
    "cpu",
]
READ += ["--probe-settings", '{"kernel_ridge": {"points": 100}}']
CFG = MAEConfig(grid_height=4, grid_width=2, width=16, depth=1, decoder_width=16)


def _regress(folder, *more, visible="2"):
    weights = folder / "weights.safetensors"
    if not weights.exists():
        save_weights(initial_model(CFG, 5, 0), weights)
    paths = ["--weights", str(weights), "--scores", str(folder / "scores.nc")]
    paths += ["--reconstructions", str(folder / "reconstructions.nc")]
    regress.main([*WORLD, "--patch", "2x1", "--visible", visible, "--seed", "4", *READ, *paths, *more])


def _controls(path, *more):
    sizes = ["--width", "16", "--depth", "1", "--decoder-width", "16"]
    sizes += ["--control-images", "512", "--patch", "2x1", "--visible", "2", "--images", "640"]
    controls.main([*WORLD, "--seed", "4", *sizes, *READ, "--output", str(path), *more])


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("cell")
    _regress(folder)
    _controls(folder / "controls.nc")
    return folder


def test_scores_are_a_valid_file_that_says_what_made_it(folder):
    scores = open_cube(folder / "scores.nc")
    assert scores.attrs["kind"] == "scores" and scores.attrs["fingerprint"] == "abc"
    config = json.loads(scores.attrs["config"])
    assert (config["patch"], config["visible"], config["probe_train"]) == ("2x1", 2, 400)
    assert not any(str(folder) in str(value) for value in scores.attrs.values())
    primary = scores.r2.sel(encoder="trained", layer=1, pooling="aligned", eval_ratio="0", probe="ridge")
    assert np.isfinite(primary.sel(target="latent", level=[1, 2, 3])).all()


def test_reconstructions_show_the_masks_of_training(folder):
    shown = open_cube(folder / "reconstructions.nc")
    world = worlds.make("additive_tree", 3, leaves=8)
    np.testing.assert_array_equal(shown.image, world.sample(8, stream="display").images)
    visible, _ = evaluation_masks(3, MaskPatches(world.grid, 2, 1), 2, 8, "display")
    seen = mask_matrix(visible, 8).reshape(8, 4, 2).repeat(2, axis=1).repeat(2, axis=2)
    np.testing.assert_array_equal(shown.visible, seen)
    same = (shown.prediction == shown.image).all("channel")
    assert same.values[seen].all() and not same.values[~seen].any()


def test_equal_runs_write_equal_bytes(folder, tmp_path):
    _regress(tmp_path)
    _controls(tmp_path / "controls.nc")
    for name in ("scores.nc", "reconstructions.nc", "controls.nc"):
        assert (folder / name).read_bytes() == (tmp_path / name).read_bytes()


def test_the_cube_of_a_cell_has_its_controls_and_a_paired_gain(folder, tmp_path):
    cell = {"world": "small", "world_seed": 3, "patch": "2x1", "visible": 2, "mask_ratio": [0.5], "seed": 4}
    cell |= {"realised_ratio": 0.5, "images": 1000}
    paths = {"scores": str(folder / "scores.nc"), "controls": str(folder / "controls.nc")}
    collect("regression", Manifest.parse(json.dumps({"paths": paths, "cells": [cell]})), tmp_path / "cube.nc")
    cube = open_cube(tmp_path / "cube.nc").squeeze(
        ["world", "world_seed", "patch_size", "offset", "mask_ratio", "seed"]
    )
    at = {
        "layer": 1,
        "pooling": "aligned",
        "eval_ratio": "0",
        "probe": "ridge",
        "target": "latent",
        "level": 2,
    }
    cell, shared = (open_cube(folder / name).sel(at) for name in ("scores.nc", "controls.nc"))
    trained, start = cell.sel(encoder="trained"), shared.sel(encoder="null_trained")
    scores = cube.sel(at).sel(encoder="trained")
    np.testing.assert_allclose(scores.gain, trained.r2 - start.r2, atol=1e-6)
    ends = np.quantile((trained.r2_boot - start.r2_boot).values.astype(float), [0.025, 0.975])
    np.testing.assert_allclose([scores.gain_low, scores.gain_high], ends, atol=1e-5)
    # those of the cell, those that are read in both, and those that are trained beside it
    names = ["trained", "shuffled", "linear_mae", "random_init", "pixels", "autoencoder", "supervised"]
    assert np.isfinite(cube.r2.sel(at).sel(encoder=names)).all()
    assert np.isfinite(cube.gain.sel(at).sel(encoder=names)).all()
    for name in ("test_loss", "test_variance"):  # of the cell alone
        assert float(cube[name]) == float(open_cube(folder / "scores.nc")[name]) > 0
        assert name not in open_cube(folder / "controls.nc")
    assert np.isnan([cube.test_bayes_loss, cube.progress]).all()  # there is no exact inference in this world
    hidden = cube.r2.sel(at | {"eval_ratio": ["0.5", "training"], "pooling": "global"})
    assert np.isfinite(hidden.sel(encoder="positions")).all()


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (["--probes", "lasso"], "probe 'lasso' must be one of: attentive, kernel_ridge, ridge"),
        (
            ["--probe-settings", '{"ridge": {"alpha": 1}}'],
            "setting 'alpha' must be one of: alphas, validation",
        ),
        (["--probe-settings", '{"ridge": 1}'], "'ridge'=1 must be a JSON object"),
        (["--test", "10"], r"test=10 must lie in \[100, 1_000_000\]"),
        (["--control-images", "10"], "control_images=10 must be 0"),
        (["--device", "tpu"], "device='tpu' must be cpu, cuda or auto"),
        (["--patch", "3x1"], "mask patch 3x1 must divide"),
        (["--world-settings", '{"leaves": 16}'], "do not fit a model of 4x2 tokens"),
    ],
)
def test_bad_values_are_named_and_nothing_is_written(folder, tmp_path, more, message):
    (tmp_path / "weights.safetensors").write_bytes((folder / "weights.safetensors").read_bytes())
    with pytest.raises(MaestrataError, match=message.replace("(", r"\(")):
        _regress(tmp_path, *more)
    assert [path.name for path in tmp_path.iterdir()] == ["weights.safetensors"]


def test_missing_weights_are_named(tmp_path):
    paths = ["--weights", str(tmp_path / "no.safetensors"), "--scores", "s.nc", "--reconstructions", "r.nc"]
    with pytest.raises(MaestrataError, match=r"no\.safetensors"):
        regress.main([*WORLD, "--patch", "2x1", "--visible", "2", "--seed", "4", *READ, *paths])


def test_flags_are_the_keys_of_the_evaluation():
    """The config's section `evaluation` is passed as flags of these names, and no default may drift."""
    parser = controls.Parser("")
    _evaluation.add_evaluation(parser)
    assert _evaluation.evaluation_of(parser.parse_args(["--device", "cpu"])) == Evaluation()


def test_freed_memory_is_kept_where_the_c_library_can(monkeypatch):
    monkeypatch.setattr(_machine.ctypes, "CDLL", lambda name: object())
    assert _machine.keep_freed_memory() is False
