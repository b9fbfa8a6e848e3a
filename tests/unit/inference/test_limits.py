"""Limits over a sweep: paired with the scores of models, and ordered as information is."""

import json
import runpy
from pathlib import Path

import numpy as np
import pytest

from maestrata import worlds
from maestrata.cubes.io import open_cube
from maestrata.errors import InferenceError, MaskError
from maestrata.inference.bounds import Predictor
from maestrata.inference.limits import Limits, sweep
from maestrata.inference.settings import LimitSettings
from maestrata.masks import MaskPatches
from maestrata.regression.data import EvalMasks
from maestrata.resampling import R2, bootstrap_weights
from maestrata.steps import limits as step

AUDIT = Path(__file__).parents[3] / "benchmarks" / "audit_run.py"
MASKS = {"1x1": [0.25, 0.5, 0.75], "2x1": [0.5]}


@pytest.fixture(scope="module")
def gaussian():
    limits = Limits(worlds.make("gaussian_tree", 0, leaves=8), samples=3000, replicates=20)
    return limits, *sweep(limits, MASKS)


def test_axes_and_gaps(gaussian):
    _, coords, data = gaussian
    assert coords["patch_size"] == [1, 2] and coords["offset"] == [0] and coords["bound"] == ["exact"]
    assert coords["eval_ratio"] == ["0", "0.5", "training"] and coords["level"] == [0, 1, 2, 3]
    asked = ~np.isnan(data["bayes_loss"][:, 0, :, 0])
    np.testing.assert_array_equal(asked, [[True, True, True], [False, True, False]])
    np.testing.assert_array_equal(np.isfinite(data["realised_ratio"][:, 0]), asked)
    assert np.isnan(data["r2"][..., 0, 0]).all()  # tokens are observed: no latents at level 0
    assert np.isfinite(data["r2"][0, :, :, :, :, 1]).all()
    np.testing.assert_array_equal(data["patch_height"], [1, 2])


def test_less_is_visible_less_is_told(gaussian):
    _, _, data = gaussian
    r2 = data["r2"][0, 0, :, 2, 0, 0, 1:]  # ratio, level, as in training
    assert (np.diff(r2, axis=0) < 0).all()
    assert (np.diff(data["bayes_loss"][0, 0, :, 0]) > 0).all()
    whole, half, training = data["r2"][0, 0, 1, :, 0, 0, 1:]
    assert (whole > half).all()
    np.testing.assert_array_equal(half, training)  # the same masks at ratio .5 in one-token patches
    assert (data["r2_low"][0, 0, 0, 0, 0, 0, 1:] < whole).all() and (
        whole < data["r2_high"][0, 0, 0, 0, 0, 0, 1:]
    ).all()
    present = data["r2_present"][0, 0, 2, 2, 0, 0, 1:]
    assert (present >= r2[2] - 1e-6).all() and present[0] > r2[2, 0] + 0.05


def test_half_masked_and_small_patches_tell_more_than_large_ones(gaussian):
    _, _, data = gaussian
    assert data["bayes_loss"][0, 0, 1, 0] < data["bayes_loss"][1, 0, 1, 0]


def test_masks_are_those_that_models_are_scored_under(gaussian):
    limits, _, _ = gaussian
    patches = MaskPatches.parse("2x1", limits.world.grid)
    visible = limits.visible(patches, 2)
    drawn = EvalMasks.draw("training", limits.world.grid, 0, (50, 3000), patches, 2)
    np.testing.assert_array_equal(np.nonzero(visible)[1].reshape(3000, -1), drawn.visible_ids[50:])


def test_no_probe_comes_above_the_ceiling_and_the_best_comes_near():
    """On the Gaussian tree a linear probe of pixels is the posterior mean, but for its training sample."""
    world = worlds.make("gaussian_tree", 1, leaves=8)
    limits = Limits(world, samples=3000, replicates=100)
    scores = limits.at(limits.visible(None))["exact"].scores
    train, test = world.sample(4000, "probe-train"), world.sample(3000, "test")
    x, y = (s.images.reshape(len(s.images), -1) for s in (train, test))
    weights = bootstrap_weights(1, 3000, 100)
    keys, score, boot = [("latent", level) for level in (1, 2, 3)], [], []
    for _, level in keys:
        z, truth = (s.latents[level].reshape(len(s.images), -1) for s in (train, test))
        guess = y @ np.linalg.lstsq(x, z, rcond=1e-5)[0]
        r2, replicates = R2(truth, weights).of(guess)
        score.append(r2.mean())
        boot.append(replicates.mean(1))
    ceiling = np.array([scores[key].r2 for key in keys])
    audit = runpy.run_path(str(AUDIT))
    worst = audit["largest_excess"](
        score, ceiling, np.transpose(boot), np.transpose([scores[key].boot for key in keys])
    )
    assert worst.p > 0.05
    assert (ceiling - score < 0.02).all()


def test_bounds_where_there_is_no_posterior():
    world = worlds.make("latent_dag", 0, leaves=4)
    limits = Limits(world, samples=600, replicates=10, settings=LimitSettings(bound_samples=300))
    limits.__dict__["_predictor"] = Predictor(samples=2000, width=32, epochs=3).fit(limits.world)
    assert not limits.exact and limits.halving_error() == {}
    coords, data = sweep(limits, {"1x1": [0.5]})
    assert coords["bound"] == ["upper", "lower"]
    upper, lower = data["r2"][0, 0, 0, :, 0, 0, 1:], data["r2"][0, 0, 0, :, 1, 0, 1:]
    assert (lower < upper).all()
    least, reached = data["bayes_loss"][0, 0, 0]
    assert 0 < least < reached
    assert np.isnan(data["bayes_loss_test"][0, 0, 0, 0]) and data["bayes_loss_test"][0, 0, 0, 1] == reached
    np.testing.assert_array_equal(data["n_test"][0, 0, 0, :, :, 0, 1], [[300, 600]] * 3)


def test_a_world_that_nothing_is_known_of_has_a_lower_bound_alone(monkeypatch):
    world = worlds.make("invertible_tree", 0, leaves=4)
    monkeypatch.setattr(type(world), "name", "new_world")
    limits = Limits(world, samples=500, replicates=10)
    limits.__dict__["_predictor"] = Predictor(samples=2000, width=32, epochs=3).fit(world)
    coords, data = sweep(limits, {"1x1": [0.5]})
    assert coords["bound"] == ["lower"]
    assert np.isfinite(data["r2"][..., 0, 1:]).all() and np.isfinite(data["bayes_loss"]).all()


def test_errors():
    world = worlds.make("gaussian_tree", 0, leaves=8)
    with pytest.raises(InferenceError, match="samples=0 must be at least 1"):
        Limits(world, samples=0, replicates=10)
    with pytest.raises(MaskError, match="must name at least one mask patch"):
        sweep(Limits(world, samples=200, replicates=2), {})
    wide = {"1x2": [0.5], "2x1": [0.5]}
    with pytest.raises(MaskError, match="one patch shape of each size"):
        sweep(Limits(world, samples=200, replicates=2), wide)


def test_the_step_writes_a_cube(tmp_path):
    path = tmp_path / "limits.nc"
    arguments = ["--world-kind", "additive_tree", "--world-settings", '{"leaves": 4, "dim": 2, "rho": 0.9}']
    arguments += ["--world", "flat", "--world-seed", "3", "--masks", json.dumps({"1x1": [0.5, 0.75]})]
    arguments += ["--samples", "400", "--replicates", "10", "--grid-samples", "200", "--output", str(path)]
    step.main(arguments)
    cube = open_cube(path)
    assert cube.world.item() == "flat" and cube.world_seed.item() == 3
    exact = cube.sel(bound="exact", target="latent").squeeze(drop=True)
    assert float(exact.n_test.sel(eval_ratio="0", level=1, mask_ratio=0.5)) == 200
    assert 0 < exact.halving_error.sel(level=2) < 1e-2
    r2 = exact.r2.sel(mask_ratio=0.75, level=2)
    assert r2.sel(eval_ratio="0") > r2.sel(eval_ratio="training")
    shares = cube.explainable_share.squeeze().sel(level=[1, 2])
    assert 0 < shares[1] < shares[0] < 1
    before = path.read_bytes()
    step.main(arguments)
    assert path.read_bytes() == before
