"""The invertible tree: exactly normal, exactly invertible."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy import stats

from maestrata import worlds
from maestrata.geometry import patchify
from maestrata.random import stream
from maestrata.worlds.invertible_tree import turn
from maestrata.worlds.maps import to_children, token_variables


def climb(world, params, images):
    """Invert from the tokens up: yields level, recovered parents (one per child), recovered noise."""
    u = token_variables(params["P"], patchify(images, world.token_pixels))
    for level in range(world.levels):
        joined = world.invert(params, level, u)
        parents, noise = joined[..., : world.dims[level + 1]], joined[..., world.dims[level + 1] :]
        yield level, parents, noise
        u = parents[..., world.grid.children(level + 1)[:, 0], :]


@pytest.mark.parametrize("settings", [{}, {"leaves": 8, "root_dim": 3, "noise_dim": 2}, {"leaves": 64}])
def test_every_child_determines_its_ancestors_and_its_noise(settings):
    world = worlds.make("invertible_tree", 0, **settings)
    sample = world.generate(world.draw(200, stream(0, "test"), np.float64))
    levels = []
    for level, parents, noise in climb(world, world.params, sample.images):
        assert abs(parents - to_children(sample.latents[level + 1], world.grid, level)).max() < 1e-8
        assert abs(noise - sample.noise[level]).max() < 1e-8
        levels.append(level)
    assert levels == list(range(world.levels))


def test_the_inverse_runs_on_torch_and_in_float32():
    world = worlds.make("invertible_tree", 0)
    sample = world.generate({k: torch.from_numpy(v) for k, v in world.draw(500, stream(0, "test")).items()})
    for level, parents, noise in climb(world, world.convert_params(sample.images), sample.images):
        error = torch.cat([parents - to_children(sample.latents[level + 1], world.grid, level)], -1)
        assert (
            error.square().mean().sqrt() < 2e-4
            and (noise - sample.noise[level]).square().mean().sqrt() < 2e-4
        )


def test_every_node_is_standard_normal():
    world = worlds.make("invertible_tree", 0)
    n = 20_000
    sample = world.generate(world.draw(n, stream(0, "test"), np.float64))
    nodes = {
        **sample.latents,
        0: token_variables(world.params["P"], patchify(sample.images, world.token_pixels)),
    }
    for level, values in nodes.items():
        assert values.shape[2] == world.dims[level] == 2 + 4 - level
        for node in range(values.shape[1]):
            u = values[:, node]
            assert abs(u.mean(0)).max() < 5 / np.sqrt(n)
            assert abs(np.cov(u.T) - np.eye(u.shape[1])).max() < 5 * np.sqrt(2 / n)
            # jointly normal and not only by coordinates: the squared length is chi-squared
            assert stats.kstest((u**2).sum(1), "chi2", args=(u.shape[1],)).pvalue > 1e-5
            direction = np.random.default_rng(node).standard_normal(u.shape[1])
            assert stats.kstest(u @ direction / np.linalg.norm(direction), "norm").pvalue > 1e-5


def test_maps_preserve_length():
    world = worlds.make("invertible_tree", 0)
    rng = np.random.default_rng(0)
    for level in range(world.levels):
        joined = rng.standard_normal((50, world.n_nodes[level], world.dims[level]))
        child = world.child(world.params, level, joined)
        assert np.allclose((child**2).sum(-1), (joined**2).sum(-1), atol=1e-12)
        assert np.allclose(world.invert(world.params, level, child), joined, atol=1e-12)


@pytest.mark.parametrize("dim", [1, 2, 3, 6, 7])
def test_turning(dim):
    u = np.random.default_rng(0).standard_normal((100, dim))
    turned = turn(u, 1.4)
    assert np.allclose(turn(turned, -1.4), u, atol=1e-12)
    assert np.array_equal(turned[:, -1], u[:, -1])  # the angle survives, so that it can be undone
    pairs = (dim - 1) // 2
    for k in range(pairs):
        a, b = u[:, 2 * k] + 1j * u[:, 2 * k + 1], turned[:, 2 * k] + 1j * turned[:, 2 * k + 1]
        assert np.allclose(b, a * np.exp(1.4j * u[:, -1]), atol=1e-12)
    assert np.array_equal(turned[:, 2 * pairs :], u[:, 2 * pairs :])


def test_omega_follows_the_size_unless_it_is_given():
    assert worlds.make("invertible_tree", 0).settings["omega"] == 1.4
    assert worlds.make("invertible_tree", 0, leaves=64).settings["omega"] == 1.2
    assert worlds.make("invertible_tree", 0, leaves=64, omega=0.5).settings["omega"] == 0.5


def test_omega_0_is_linear():
    world = worlds.make("invertible_tree", 0, omega=0)
    noise = world.draw(4, stream(0, "test"), np.float64)
    double = world.generate({k: 2 * v for k, v in noise.items()})
    assert np.allclose(double.images, 2 * world.generate(noise).images, atol=1e-12)
