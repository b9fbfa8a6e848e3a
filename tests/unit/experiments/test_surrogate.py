"""The Gaussian twin has the moments of the world and nothing else; training in both."""

from __future__ import annotations

import numpy as np
import pytest

from maestrata import worlds
from maestrata.errors import ExperimentError
from maestrata.experiments import surrogate
from maestrata.experiments._features import pixels, score_levels
from maestrata.experiments._surrogate import GaussianSurrogate, joint_moments
from maestrata.experiments.base import Job
from maestrata.model.mae import MAEConfig
from maestrata.training.recipe import Recipe

SMALL = MAEConfig(grid_height=4, grid_width=2, width=16, depth=1, decoder_width=16)


@pytest.fixture(scope="module")
def world():
    return worlds.make("additive_tree", 3, leaves=8)


@pytest.fixture(scope="module")
def twin(world):
    return GaussianSurrogate(world, 100_000)


def job(world, **settings):
    given = {**surrogate.SETTINGS, "images": 640, "covariance_images": 20_000, **settings}
    return Job(world, 0, SMALL, Recipe(batch=64), given, probe_train=1500, test=1500, replicates=50)


def joined(sample):
    n = len(sample.images)
    parts = [
        sample.images.reshape(n, -1),
        *(sample.latents[k].reshape(n, -1) for k in sorted(sample.latents)),
    ]
    return np.concatenate(parts, 1).astype(np.float64)


def test_moments_are_those_of_the_world(world, twin):
    mean, covariance = joint_moments(world, 100_000)
    rows = joined(twin.sample(100_000))
    assert abs(rows.mean(0) - mean).max() < 0.03
    assert abs(np.cov(rows.T) - covariance).max() < 0.06  # sampling: about 4 / sqrt(n) standard errors
    own = joined(world.sample(100_000))  # of another stream than the moments
    assert abs(np.cov(own.T) - covariance).max() < 0.06
    assert abs(own.mean(0) - mean).max() < 0.03


def test_its_rank_is_that_of_the_worlds_noise(world, twin):
    # 15 nodes of 4 dimensions: the pixels are a linear map of the tokens' variables
    assert twin.noise_spec == {3: twin.noise_spec[3]} and twin.noise_spec[3].shape == (1, 60)


def test_it_is_gaussian_and_the_world_is_not(world, twin):
    def excess_kurtosis(rows):
        return (rows**4).mean(0) / np.square(np.square(rows).mean(0)) - 3

    found = {}
    for name, one in (("world", world), ("twin", twin)):
        rows = joined(one.sample(40_000))
        pairs = rows[:, :60] + rows[:, 20:80]  # mixtures of pixels
        found[name] = abs(excess_kurtosis(pairs - pairs.mean(0))).max()
    assert found["twin"] < 0.2 < found["world"]


def test_the_best_linear_score_is_the_same_in_both(world, twin):
    one = job(world)
    drawn = [one.in_world(of).data for of in (world, twin)]
    for ours, theirs in zip(*(score_levels(pixels(data), data) for data in drawn), strict=True):
        spread = np.hypot(ours[1:].std(), theirs[1:].std())
        assert abs(ours[0] - theirs[0]) < 5 * spread + 0.01


def test_it_is_a_world(world, twin):
    sample = twin.sample(5)
    assert sample.images.shape == (5, *world.image_shape) and sample.images.dtype == np.float32
    assert {k: v.shape[1:] for k, v in sample.latents.items()} == {1: (4, 4), 2: (2, 4), 3: (1, 4)}
    assert np.array_equal(sample.images, GaussianSurrogate(world, 100_000).sample(5).images)
    assert {(t.kind, t.level) for t in twin.targets(sample)} == {("latent", k) for k in (1, 2, 3)}
    assert twin.grid == world.grid and twin.seed == world.seed


def test_symbols_have_no_gaussian_twin():
    with pytest.raises(ExperimentError, match="grammar_tree' has symbols for latents"):
        GaussianSurrogate(worlds.make("grammar_tree", 0, leaves=8), 1000)


def test_arms_contrasts_and_repeatability(world):
    axes, data = surrogate.run(job(world)).arrays()
    value = {
        (arm, quantity): data["value"][i, j]
        for i, arm in enumerate(axes["arm"])
        for j, quantity in enumerate(axes["quantity"])
    }
    assert axes["level"] == [1, 2, 3]
    for side in ("world", "surrogate"):
        for visible in (7, 2, 1):  # of 8 patches, at r = .1, .75 and .9
            expected = value[f"{side}/v{visible}", "r2"] - value[f"{side}/linear", "r2"]
            assert np.allclose(value[f"{side}/v{visible}", "beyond_linear"], expected)
        ends = (value[f"{side}/v7", "r2"] + value[f"{side}/v1", "r2"]) / 2
        assert np.allclose(value[f"{side}/shape", "inverted_u"], value[f"{side}/v2", "r2"] - ends)
    apart = value["world/shape", "inverted_u"] - value["surrogate/shape", "inverted_u"]
    assert np.allclose(value["difference/shape", "inverted_u"], apart)
    assert np.isfinite(value["world/v2", "concat_beyond_linear"]).all()
    assert not np.array_equal(value["world/v2", "r2"], value["surrogate/v2", "r2"])
    settings = dict(zip(axes["arm"], data["setting"], strict=True))
    assert settings["world/v2"] == 0.75 and np.isnan(settings["world/linear"])
    again = surrogate.run(job(world)).arrays()[1]
    assert all(np.array_equal(data[name], again[name], equal_nan=True) for name in data)


@pytest.mark.parametrize("peak", [0.5, 0.9])
def test_a_peak_that_is_no_peak_is_refused(world, peak):
    with pytest.raises(ExperimentError, match=f"peak={peak} must be among mask_ratios=.*and not the lowest"):
        surrogate.run(job(world, peak=peak))
