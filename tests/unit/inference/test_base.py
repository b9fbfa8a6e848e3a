"""What every posterior must do, run for every world that has one; and what bad input is told."""

import numpy as np
import pytest

from maestrata import worlds
from maestrata.errors import InferenceError
from maestrata.geometry import patchify
from maestrata.inference.base import pool_up, posterior, supported

SETTINGS = {
    "gaussian_tree": {"leaves": 8, "dim": 3},
    "grammar_tree": {"leaves": 8, "symbols": 7, "productions": 2, "pixel_noise": 0.7},
    "invertible_tree": {"leaves": 8},
    "sign_hidden": {"leaves": 8, "symbols": 7, "productions": 2, "pixel_noise": 0.7},
    "symbol_tree": {"leaves": 8, "root": 3, "digits": 3, "ambiguity": 1.7, "pixel_noise": 0.7},
    "additive_tree": {"leaves": 4, "dim": 2, "rho": 0.9, "fold": 0.5},
}
N = 600


@pytest.fixture(params=sorted(SETTINGS), scope="module")
def case(request):
    world = worlds.make(request.param, 1, **SETTINGS[request.param])
    sample = world.generate(world.draw(N, np.random.default_rng(5), np.float64))
    visible = np.random.default_rng(6).random((N, world.grid.n_tokens)) < 0.5
    visible[:, 1] |= ~visible.any(1)
    return world, sample, visible, posterior(world, sample.images, visible, noise=True)


def test_every_world_with_a_module_is_tested_here():
    assert set(SETTINGS) == set(supported())


def test_shapes(case):
    world, _, _, inferred = case
    width = world.n_symbols if world.discrete else world.dims
    for level, nodes in world.n_nodes.items():
        assert inferred.mean[level].shape == (N, nodes, width[level])
        if not world.discrete:
            assert inferred.covariance[level].shape == (N, nodes, width[level], width[level])
    assert inferred.tokens.shape == (N, world.grid.n_tokens, world.token_values)
    assert inferred.discrete == world.discrete


def test_noise_has_the_layout_of_the_targets(case):
    world, sample, _, inferred = case
    for target in world.targets(sample):
        if target.kind == "noise":
            assert inferred.noise[target.level][:, target.node].shape == target.values.shape


def test_visible_tokens_are_themselves_and_masked_pixels_are_never_looked_at(case):
    world, sample, visible, inferred = case
    tokens = patchify(sample.images, world.token_pixels)
    np.testing.assert_allclose(inferred.tokens[visible], tokens[visible])
    assert (inferred.token_variance[visible] == 0).all() and (inferred.token_variance[~visible] > 0).all()
    spoiled = np.where(
        np.repeat(np.repeat(visible.reshape(N, 1, *world_grid(world)), 2, 2), 2, 3), sample.images, np.nan
    )
    again = posterior(world, spoiled, visible, noise=True)
    for level in inferred.mean:
        np.testing.assert_array_equal(again.mean[level], inferred.mean[level])


def world_grid(world):
    return world.grid.height, world.grid.width


def test_one_mask_for_all_is_the_same_mask_for_each(case):
    world, sample, visible, _ = case
    images, mask = sample.images[:5], visible[0]
    one, each = posterior(world, images, mask), posterior(world, images, np.tile(mask, (5, 1)))
    for level in one.mean:
        np.testing.assert_allclose(one.mean[level], each.mean[level], atol=1e-12)


def test_errors_are_as_large_as_the_posterior_says(case):
    """Squared error averages to the posterior variance, level by level, and the masked loss likewise."""
    world, sample, visible, inferred = case
    for level in range(1, world.levels + 1):
        if world.discrete:
            truth = np.eye(world.n_symbols[level])[sample.latents[level][..., 0]]
            said = inferred.mean[level] * (1 - inferred.mean[level])
        else:
            truth = sample.latents[level]
            said = np.diagonal(inferred.covariance[level], axis1=-2, axis2=-1)
        squares = (truth - inferred.mean[level]) ** 2
        spread = (squares - said).reshape(N, -1).sum(1)
        assert abs(spread.mean()) <= 5 * spread.std() / np.sqrt(N) + 1e-6
    squares = ((patchify(sample.images, world.token_pixels) - inferred.tokens) ** 2).mean(-1)
    apart = ((squares - inferred.token_variance) * ~visible).sum(1)
    assert abs(apart.mean()) <= 5 * apart.std() / np.sqrt(N)


def test_posterior_noise_is_unbiased_and_smaller_than_the_noise(case):
    """E[eps | x] is orthogonal to its own error, so its mean square is its covariance with eps."""
    world, sample, _, inferred = case
    targets = [
        t for t in world.targets(sample) if t.kind == "noise" and world.noise_spec[t.level].kind == "normal"
    ]
    for target in targets:
        guess = inferred.noise[target.level][:, target.node]
        cross = (guess * (target.values - guess)).sum(1)
        assert abs(cross.mean()) <= 5 * cross.std() / np.sqrt(N) + 1e-5


def test_float32_on_request(case):
    world, sample, visible, inferred = case
    small = posterior(world, sample.images[:50], visible[:50], noise=True, dtype=np.float32)
    assert {a.dtype for a in (*small.mean.values(), *small.noise.values(), small.tokens)} == {
        np.dtype(np.float32)
    }
    if world.name != "invertible_tree":  # its draws depend on how many images there are
        np.testing.assert_allclose(small.mean[1], inferred.mean[1][:50], atol=1e-4)


def test_pool_up_is_any_token_below():
    world = worlds.make("gaussian_tree", 0, leaves=8)
    visible = np.random.default_rng(0).random((20, 8)) < 0.3
    for level, seen in pool_up(world.grid, visible).items():
        np.testing.assert_array_equal(seen, visible[:, world.grid.blocks(level)].any(-1))


def test_bad_input_is_named():
    world = worlds.make("gaussian_tree", 0, leaves=8)
    images = world.sample(3).images
    shown = np.ones(8, bool)
    with pytest.raises(InferenceError, match=r"images of shape \(3, 8, 4\).*\(n, 3, 8, 4\)"):
        posterior(world, images[:, 0], shown)
    with pytest.raises(InferenceError, match=r"visible of shape \(7,\).*\(8,\) or \(3, 8\)"):
        posterior(world, images, shown[:7])
    with pytest.raises(InferenceError, match=r"visible of shape .* must be bool"):
        posterior(world, images, shown.astype(int))
    with pytest.raises(InferenceError, match="no visible token for image 1"):
        posterior(world, images, np.array([shown, ~shown, shown]))
    with pytest.raises(InferenceError, match="image 2 holds visible values that are not finite"):
        posterior(world, np.where(np.arange(3)[:, None, None, None] == 2, np.inf, images), shown)


def test_unsupported_worlds_name_the_bounds():
    dag = worlds.make("latent_dag", 0, leaves=8)
    with pytest.raises(InferenceError, match=r"latent_dag.*gaussian_tree.*maestrata\.inference\.bounds"):
        posterior(dag, dag.sample(2).images, np.ones(8, bool))
    wide = worlds.make("additive_tree", 0, leaves=8, dim=4)
    with pytest.raises(InferenceError, match=r"dim=4.*maestrata\.inference\.bounds"):
        posterior(wide, wide.sample(2).images, np.ones(8, bool))


def test_probabilities_only_where_there_are_symbols(case):
    world, _, _, inferred = case
    if world.discrete:
        assert inferred.probabilities is inferred.mean
        np.testing.assert_allclose(inferred.probabilities[1].sum(-1), 1)
    else:
        with pytest.raises(InferenceError, match="no symbols"):
            _ = inferred.probabilities
