"""Belief propagation on grids against direct quadrature and against importance sampling from the prior."""

import numpy as np
import pytest

from maestrata import worlds
from maestrata.errors import InferenceError
from maestrata.geometry import patchify
from maestrata.inference import additive_tree
from maestrata.inference.base import posterior, read_input
from maestrata.inference.folds import Folds
from maestrata.worlds.maps import token_variables


def _leaves(world, images):
    return token_variables(world.params["P"], patchify(np.asarray(images, np.float64), world.token_pixels))


@pytest.mark.parametrize("rho", [0.98, 0.6])
def test_two_leaves_equal_quadrature_over_the_root(rho):
    world = worlds.make("additive_tree", 0, leaves=2, dim=2, rho=rho, fold=0.5)
    n = 12
    sample = world.generate(world.draw(n, np.random.default_rng(0), np.float64))
    visible = np.array([[1, 1], [1, 0], [0, 1]] * 4, bool)
    inferred = posterior(world, sample.images, visible, noise=True)
    line = np.arange(-6, 6, 0.02)
    root = np.stack(np.meshgrid(line, line), -1).reshape(-1, 1, 2)
    means = world.child_mean(world.params, 0, root)  # (points, 2 leaves, 2)
    leaves, sigma = _leaves(world, sample.images), np.sqrt(1 - rho**2)
    errors = []
    for i in range(n):
        apart = ((leaves[i] - means) ** 2).sum(-1) @ visible[i]
        logs = -(root[:, 0] ** 2).sum(-1) / 2 - apart / (2 * sigma**2)
        weight = np.exp(logs - logs.max())
        weight /= weight.sum()
        expected = weight @ root[:, 0]
        spread = (root[:, 0] - expected).T @ ((root[:, 0] - expected) * weight[:, None])
        deviation = np.sqrt(np.trace(spread))
        errors.append(inferred.mean[1][i, 0] - expected)
        # a posterior that straddles a fold is what a grid does worst
        np.testing.assert_allclose(inferred.mean[1][i, 0], expected, atol=0.02 * deviation)
        np.testing.assert_allclose(inferred.covariance[1][i, 0], spread, atol=0.03 * deviation**2)
        for j in np.flatnonzero(~visible[i]):
            center = weight @ means[:, j]
            np.testing.assert_allclose(inferred.mean[0][i, j], center, atol=2e-3)
            apart = means[:, j] - center
            covariance = apart.T @ (apart * weight[:, None]) + sigma**2 * np.eye(2)
            np.testing.assert_allclose(inferred.covariance[0][i, j], covariance, atol=5e-3)
            np.testing.assert_allclose(inferred.noise[0][i, j], 0, atol=1e-6)
        for j in np.flatnonzero(visible[i]):
            np.testing.assert_allclose(
                inferred.noise[0][i, j], (leaves[i, j] - weight @ means[:, j]) / sigma, atol=0.01
            )
    assert np.sqrt(np.mean(np.square(errors))) < 5e-4


def test_four_leaves_equal_importance_sampling():
    """Three levels, so that messages between latents count, upward and downward."""
    world = worlds.make("additive_tree", 1, leaves=4, dim=2, rho=0.8, fold=0.5)
    folds, sigma = Folds.of(world), 0.6
    sample = world.generate(world.draw(3, np.random.default_rng(0), np.float64))
    masks = np.array([[1, 1, 1, 1], [1, 0, 1, 0], [1, 1, 0, 0]], bool)
    inferred = posterior(world, sample.images, masks, noise=True)
    leaves = _leaves(world, sample.images)
    prior = world.generate(world.draw(400_000, np.random.default_rng(1), np.float64))
    rows = np.concatenate([prior.latents[2], prior.latents[1], np.zeros((400_000, 4, 2))], 1)
    means = folds.means(rows)[:, folds.rows[0]]
    for i in range(3):
        logs = -(((leaves[i] - means) ** 2).sum(-1) @ masks[i]) / (2 * sigma**2)
        weight = np.exp(logs - logs.max())
        weight /= weight.sum()
        assert 1 / (weight**2).sum() > 500  # or the check says nothing
        checks = {"root": (prior.latents[2], inferred.mean[2]), "mid": (prior.latents[1], inferred.mean[1])}
        checks |= {"noise": (prior.noise[1], inferred.noise[1])}
        for values, got in checks.values():
            expected = np.einsum("n,nij->ij", weight, values)
            error = np.sqrt(np.einsum("n,nij->ij", weight**2, (values - expected) ** 2))
            assert (np.abs(got[i] - expected) < 5 * error + 1e-3).all()
        expected = np.einsum("n,nij->ij", weight, means)
        error = np.sqrt(np.einsum("n,nij->ij", weight**2, (means - expected) ** 2))
        hidden = ~masks[i]
        assert (np.abs(inferred.mean[0][i] - expected)[hidden] < 5 * error[hidden] + 1e-3).all()


def test_halving_the_step_changes_little_and_a_coarse_one_more():
    world = worlds.make("additive_tree", 0, leaves=4, dim=2, fold=0.5)
    sample = world.sample(24)
    tokens, visible = read_input(world, sample.images, np.array([True, False, True, True]))
    fine = additive_tree.halving_error(world, tokens, visible)
    assert set(fine) == {0, 1, 2} and max(fine.values()) < 1e-3
    coarse = additive_tree.infer(world, tokens, visible, False, np.dtype(float), steps_per_sigma=1)
    best = additive_tree.infer(world, tokens, visible, False, np.dtype(float), steps_per_sigma=8)
    assert np.sqrt(np.mean((coarse.mean[2] - best.mean[2]) ** 2)) > 3 * fine[2]


def test_values_beyond_the_core_grid_are_found_on_the_wide_one():
    world = worlds.make("additive_tree", 0, leaves=4, dim=2, fold=0.5)
    sample = world.generate(world.draw(20_000, np.random.default_rng(3), np.float64))
    far = np.argsort(-np.abs(sample.latents[1]).max((1, 2)))[:8]
    core = additive_tree._tree_grid(world, 4, False).grids
    in_frame = [sample.latents[1][far, node] @ core[1, node].frame for node in range(2)]
    ends = [[y[-1] for y in core[1, node].axes] for node in range(2)]
    assert any((y > end).any() for y, end in zip(in_frame, ends, strict=True))  # or nothing is tested
    inferred = posterior(world, sample.images[far], np.ones(4, bool))
    apart = (inferred.mean[1] - sample.latents[1][far]) / np.sqrt(
        np.diagonal(inferred.covariance[1], axis1=-2, axis2=-1)
    )
    assert np.abs(apart).max() < 6


def test_an_image_of_no_such_world_is_told():
    world = worlds.make("additive_tree", 0, leaves=4, dim=2, fold=0.5)
    images = world.sample(3).images
    images[1] = 1e4 * np.abs(images[1])
    with pytest.raises(InferenceError, match="image 1 is not of this world"):
        posterior(world, images, np.ones(4, bool))


def test_noise_too_narrow_for_a_grid_is_told():
    world = worlds.make("additive_tree", 0, leaves=4, dim=2, rho=0.99999)
    with pytest.raises(InferenceError, match="too narrow for inference on a grid"):
        posterior(world, world.sample(2).images, np.ones(4, bool))
