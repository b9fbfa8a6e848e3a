"""Inversion of what is visible, and forward draws of what is not."""

import numpy as np
import pytest

from maestrata import worlds
from maestrata.inference.base import posterior


def redraw(world, known, shared, rng):
    """Draw all nodes anew that are not `shared`, from their parents down: ``level -> (n, nodes, dim)``."""
    top = world.levels
    n = len(known[top])
    fresh = rng.standard_normal((n, *world.noise_spec[top].shape))
    out = {top: np.where(shared[top][..., None], known[top], fresh)}
    for level in range(top - 1, -1, -1):
        eps = rng.standard_normal((n, *world.noise_spec[level].shape))
        joined = np.concatenate([out[level + 1][:, world.grid.parent(level)], eps], -1)
        drawn = world.child(world.params, level, joined)
        out[level] = np.where(shared[level][..., None], known[level], drawn)
    return out


@pytest.mark.parametrize("leaves", [8, 16])
def test_one_visible_token_recovers_every_ancestor_and_its_noise(leaves):
    world = worlds.make("invertible_tree", 0, leaves=leaves)
    sample = world.generate(world.draw(leaves, np.random.default_rng(0), np.float64))
    inferred = posterior(world, sample.images, np.eye(leaves, dtype=bool), noise=True)
    for level in range(1, world.levels + 1):
        above = world.grid.node_of_token(level)
        image = np.arange(leaves)
        np.testing.assert_allclose(
            inferred.mean[level][image, above], sample.latents[level][image, above], atol=1e-9
        )
        np.testing.assert_allclose(
            inferred.noise[level][image, above], sample.noise[level][image, above], atol=1e-9
        )
        assert (inferred.covariance[level][image, above] == 0).all()


def test_hidden_nodes_equal_many_forward_draws():
    """Two levels below the lowest determined ancestor: mean and covariance over fresh noise."""
    world = worlds.make("invertible_tree", 1, leaves=8)
    n, draws = 4, 40_000
    sample = world.generate(world.draw(n, np.random.default_rng(0), np.float64))
    visible = ~np.isin(
        np.arange(8), world.grid.blocks(2)[1]
    )  # one half hidden: its root is determined from above
    inferred = posterior(world, sample.images, visible)
    known = {level: np.repeat(values, draws, 0) for level, values in sample.latents.items()}
    known[0] = np.zeros((n * draws, 8, world.dims[0]))
    shared = {level: np.zeros(nodes, bool) for level, nodes in world.n_nodes.items()}
    shared[3][:] = True
    drawn = redraw(world, known, shared, np.random.default_rng(1))
    for level in (2, 1, 0):
        hidden = np.flatnonzero(~visible[world.grid.blocks(level)].any(1))
        values = drawn[level].reshape(n, draws, -1, world.dims[level])[:, :, hidden]
        deviation = np.sqrt(values.var(1))
        # 64 lattice points against 40,000 draws: a tenth of a deviation is what independent draws would give
        assert (np.abs(inferred.mean[level][:, hidden] - values.mean(1)) < 0.35 * deviation).all()
        error = (inferred.mean[level][:, hidden] - values.mean(1)) / deviation
        assert np.sqrt(np.mean(error**2)) < 0.13
        said = np.diagonal(inferred.covariance[level][:, hidden], axis1=-2, axis2=-1)
        assert 0.9 < np.mean(said) / np.mean(values.var(1)) < 1.1


def test_what_is_shared_is_kept_and_the_rest_is_drawn():
    world = worlds.make("invertible_tree", 1, leaves=8)
    sample = world.generate(world.draw(2000, np.random.default_rng(0), np.float64))
    known = {**sample.latents, 0: np.zeros((2000, 8, world.dims[0]))}
    shared = {level: np.zeros(nodes, bool) for level, nodes in world.n_nodes.items()}
    shared[3][0] = shared[2][1] = True
    drawn = redraw(world, known, shared, np.random.default_rng(1))
    np.testing.assert_array_equal(drawn[3], sample.latents[3])
    np.testing.assert_array_equal(drawn[2][:, 1], sample.latents[2][:, 1])
    assert np.abs(drawn[2][:, 0] - sample.latents[2][:, 0]).mean() > 0.1
    for values in drawn.values():  # every node of this world is N(0, I)
        np.testing.assert_allclose(values.var(0), 1, atol=0.2)


def test_draws_are_the_same_each_time():
    world = worlds.make("invertible_tree", 0, leaves=8)
    images, visible = world.sample(20).images, np.arange(8) < 2
    one, two = (posterior(world, images, visible) for _ in range(2))
    np.testing.assert_array_equal(one.tokens, two.tokens)
