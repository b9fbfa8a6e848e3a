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
from maestrata.geometry import patchify
from maestrata.inference.base import posterior
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

    kurtosis = {}
    for name, one in (("world", world), ("twin", twin)):
        rows = joined(one.sample(40_000))
        pairs = rows[:, :60] + rows[:, 20:80]  # mixtures of pixels
        kurtosis[name] = abs(excess_kurtosis(pairs - pairs.mean(0))).max()
    assert kurtosis["twin"] < 0.2 < kurtosis["world"]


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


def test_symbols_are_taken_one_hot():
    world = worlds.make("grammar_tree", 1, leaves=4, symbols=5)
    twin = GaussianSurrogate(world, 100_000)
    assert twin.dims == {0: 5, 1: 5, 2: 5} and not twin.discrete
    sample, other = world.sample(50_000), twin.sample(50_000)
    root = np.eye(5)[sample.latents[2][:, 0, 0]]
    assert other.latents[2][:, 0].mean(0) == pytest.approx(root.mean(0), abs=0.02)
    assert abs(np.cov(other.latents[2][:, 0].T) - np.cov(root.T)).max() < 0.02
    # and so is what links symbols to pixels
    pixels = [one.images.reshape(50_000, -1) for one in (sample, other)]
    links = [np.cov(x.T, z.T)[:48, 48:] for x, z in zip(pixels, (root, other.latents[2][:, 0]), strict=True)]
    assert abs(links[0] - links[1]).max() < 0.03 < abs(links[0]).max()


def test_symbols_that_a_node_never_takes_do_not_vary():
    """Else rounding of 1e-16 is a dimension with an R2 of its own, which the world does not have."""
    world = worlds.make("grammar_tree", 103, leaves=8, symbols=8, productions=2)
    twin = GaussianSurrogate(world, 50_000)
    sample, other = world.sample(20_000), twin.sample(2000)
    taken = {k: np.eye(8, dtype=bool)[sample.latents[k][..., 0]].any(0) for k in (1, 2, 3)}
    assert not taken[1].all() and not taken[2].all() and taken[3].all()
    for level, seen in taken.items():
        assert np.array_equal(np.ptp(other.latents[level], axis=0) > 0, seen)


@pytest.mark.parametrize("kind", ["gaussian_tree", "additive_tree"])
def test_the_best_prediction_in_it_is_linear(kind):
    """Of a Gaussian world the twin's is that of the world's own exact inference; else least squares."""
    world = worlds.make(kind, 2, leaves=4)
    twin, sample = GaussianSurrogate(world, 400_000), world.sample(3000, "test")
    tokens = patchify(sample.images, 2)
    visible = np.array([[1, 0, 1, 0], [0, 1, 1, 0]] * 1500, bool)
    best = twin.best(tokens, visible)
    assert np.array_equal(best[visible], tokens[visible].astype(np.float64))
    if kind == "gaussian_tree":
        exact = posterior(world, sample.images, visible).tokens
        assert abs(best - exact).max() < 0.05
        return
    rows = slice(0, None, 2)  # of one mask
    seen, hidden = tokens[rows][:, [0, 2]].reshape(1500, -1), tokens[rows][:, [1, 3]].reshape(1500, -1)
    fitted = seen @ np.linalg.lstsq(seen, hidden, rcond=1e-4)[0]
    errors = [np.square(p - hidden).mean() for p in (fitted, best[rows][:, [1, 3]].reshape(1500, -1))]
    assert errors[1] == pytest.approx(errors[0], rel=0.03)


def test_arms_contrasts_and_repeatability(world):
    axes, data = surrogate.run(job(world)).arrays()
    value = {
        (arm, quantity): data["value"][i, j]
        for i, arm in enumerate(axes["arm"])
        for j, quantity in enumerate(axes["quantity"])
    }
    assert axes["level"] == [0, 1, 2, 3]
    for side in ("world", "surrogate"):
        for visible in (7, 4, 1):  # of 8 patches, at r = .1, .5 and .9
            expected = value[f"{side}/v{visible}", "r2"] - value[f"{side}/linear", "r2"]
            assert np.allclose(value[f"{side}/v{visible}", "beyond_linear"][1:], expected[1:])
            # additive_tree has no exact inference here; its twin always has
            assert np.isfinite(value[f"{side}/v{visible}", "progress"][0]) == (side == "surrogate")
        ends = (value[f"{side}/v7", "r2"] + value[f"{side}/v1", "r2"]) / 2
        shape = value[f"{side}/v4", "r2"] - ends
        assert np.allclose(value[f"{side}/shape", "inverted_u"][1:], shape[1:])
    apart = value["world/shape", "inverted_u"] - value["surrogate/shape", "inverted_u"]
    assert np.allclose(value["difference/shape", "inverted_u"][1:], apart[1:])
    assert not np.array_equal(value["world/v4", "r2"], value["surrogate/v4", "r2"])
    settings = dict(zip(axes["arm"], data["setting"], strict=True))
    assert settings["world/v4"] == 0.5 and np.isnan(settings["world/linear"])
    again = surrogate.run(job(world)).arrays()[1]
    assert all(np.array_equal(data[name], again[name], equal_nan=True) for name in data)


@pytest.mark.parametrize("peak", [0.75, 0.9])
def test_a_peak_that_is_no_peak_is_refused(world, peak):
    with pytest.raises(ExperimentError, match=f"peak={peak} must be among mask_ratios=.*and not the lowest"):
        surrogate.run(job(world, peak=peak))
