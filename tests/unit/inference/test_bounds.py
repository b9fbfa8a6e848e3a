"""Bounds lie on the right side of each other, and of the exact value where there is one."""

import numpy as np
import pytest

from maestrata import worlds
from maestrata.errors import InferenceError
from maestrata.geometry import patchify
from maestrata.inference.base import posterior
from maestrata.inference.bounds import Predictor, bounds

N = 1500
SMALL = {"samples": 4000, "width": 64, "epochs": 5}


def _r2(truth, guess, factor=1.0):
    return float(1 - factor * np.mean((truth - guess) ** 2) / truth.var(0).mean())


def test_exact_lies_between_where_it_is_known():
    world = worlds.make("additive_tree", 0, leaves=4, dim=2, rho=0.95, fold=0.5)
    sample = world.sample(N)
    visible = np.random.default_rng(0).random((N, 4)) < 0.6
    visible[:, 0] |= ~visible.any(1)
    bounded = bounds(world, sample, visible, predictor=Predictor(**SMALL).fit(world))
    exact = posterior(world, sample.images, visible, noise=True)
    for level in (1, 2):
        z = sample.latents[level]
        low, mid = _r2(z, bounded.lower["latent", level]), _r2(z, exact.mean[level])
        high = _r2(z, bounded.upper["latent", level], 0.5)
        assert 0.05 < low < mid + 0.01 and mid < high + 0.03 and high < 1
    for level in (0, 1):
        eps = sample.noise[level]
        assert _r2(eps, exact.noise[level]) < _r2(eps, bounded.upper["noise", level], 0.5) + 0.03
    tokens = patchify(sample.images, 2)
    losses = [bounded.loss_low, exact.token_variance, ((tokens - bounded.tokens) ** 2).mean(-1)]
    low, mid, high = (part[~visible].mean() for part in losses)
    assert low < mid + 0.01 and mid < high + 0.01
    assert (bounded.loss_low[visible] == 0).all()
    np.testing.assert_allclose(bounded.tokens[visible], tokens[visible], atol=1e-6)


@pytest.mark.parametrize("name", ["additive_tree", "latent_dag"])
def test_a_longer_chain_is_tighter_and_wide_worlds_are_served(name):
    world = worlds.make(name, 1, leaves=8)
    sample = world.sample(N)
    visible = np.arange(8) < 4
    predictor = Predictor(**SMALL).fit(world)
    short, long = (bounds(world, sample, visible, predictor=predictor, sweeps=k) for k in (1, 8))
    for level in range(1, 4):
        z = sample.latents[level]
        one, eight = (_r2(z, b.upper["latent", level], 0.5) for b in (short, long))
        assert _r2(z, long.lower["latent", level]) < eight < one < 1


def test_hidden_subtrees_are_worth_their_ancestors_alone():
    """A token's parent without any visible token below: R2 at most rho^2 however long the chain."""
    world = worlds.make("additive_tree", 0, leaves=8)
    sample = world.sample(N)
    bounded = bounds(world, sample, np.arange(8) == 0, predictor=Predictor(**SMALL).fit(world), sweeps=1)
    hidden = world.grid.node_of_token(1)[-1]
    z = sample.latents[1][:, hidden]
    assert _r2(z, bounded.upper["latent", 1][:, hidden], 0.5) < 0.98
    noise = sample.noise[1][:, hidden]
    assert abs(_r2(noise, bounded.upper["noise", 1][:, hidden], 0.5)) < 0.1


def test_predictor_never_sees_test_images_or_masked_pixels():
    world = worlds.make("additive_tree", 0, leaves=4)
    predictor = Predictor(**SMALL).fit(world)
    images = world.sample(5).images
    tokens = patchify(images, 2).astype(np.float64)
    visible = np.array([[True, False, True, False]] * 5)
    other = np.where(visible[..., None], tokens, 9.0) * visible[..., None]
    np.testing.assert_array_equal(
        predictor.predict(world, tokens * visible[..., None], visible)[0]["latent", 2],
        predictor.predict(world, other, visible)[0]["latent", 2],
    )
    test, train = world.sample(4000, "test"), world.sample(4000, "inference", (3,))
    assert np.abs(np.corrcoef(test.latents[2].ravel(), train.latents[2].ravel())[0, 1]) < 0.05


@pytest.mark.parametrize("name", ["grammar_tree", "invertible_tree"])
def test_any_world_has_a_lower_bound(name):
    """So that a new world goes through the workflow before anyone has written its inference."""
    world = worlds.make(name, 0, leaves=4)
    sample = world.sample(N)
    bounded = bounds(
        world, sample, np.array([True, True, False, True]), predictor=Predictor(**SMALL).fit(world)
    )
    assert bounded.upper == {} and (bounded.loss_low == 0).all()
    tokens = patchify(sample.images, 2)
    np.testing.assert_array_equal(bounded.tokens[:, :2], tokens[:, :2])
    for target in world.targets(sample):
        guess = bounded.lower[target.kind, target.level]
        assert guess[:, target.node].shape == target.values.shape
    exact = posterior(world, sample.images, np.array([True, True, False, True]))
    values = next(t.values for t in world.targets(sample) if t.level == 2)
    assert 0.1 < _r2(values, bounded.lower["latent", 2][:, 0]) < _r2(values, exact.mean[2][:, 0]) + 0.01


def test_errors():
    world = worlds.make("additive_tree", 0, leaves=4)
    with pytest.raises(InferenceError, match="sweeps=0 must be at least 1"):
        bounds(world, world.sample(2), np.ones(4, bool), sweeps=0)
    with pytest.raises(InferenceError, match="no visible token"):
        bounds(world, world.sample(2), np.zeros(4, bool))
