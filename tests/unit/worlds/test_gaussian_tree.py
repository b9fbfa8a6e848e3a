"""The Gaussian tree: its covariance is known in closed form."""

from __future__ import annotations

import numpy as np
import pytest

from maestrata import worlds
from maestrata.geometry import patchify
from maestrata.random import stream

N = 40_000


@pytest.fixture(scope="module")
def drawn():
    world = worlds.make("gaussian_tree", 0, rho=0.8)
    sample = world.generate(world.draw(N, stream(0, "test"), np.float64))
    values = {
        name: sample.latents[level][:, i]
        for level in sample.latents
        for i, name in enumerate(world.node_names(level))
    }
    p = world.params["P"]
    tokens = np.einsum("npd,bnp->bnd", p, patchify(sample.images, 2)) * p.shape[2] / p.shape[1]
    return world, values | {f"x{i}": tokens[:, i] for i in range(16)}


def path_to_root(world, node):
    """Nodes from `node` up to the root, and the product of the maps: node = rho^k Q root + noise."""
    nodes, product = [node], np.eye(world.dims[0])
    while parents := world.graph.parents(nodes[-1]):
        level = world.graph.level(nodes[-1])
        product = product @ world.params[f"Q{level}"][world.node_names(level).index(nodes[-1])]
        nodes.append(parents[0])
    return nodes, product


def covariance(world, one, two):
    """Return rho^distance Q_one Q_two', with Q from the lowest common ancestor down, and the distance."""
    (path, q), (other, r) = path_to_root(world, one), path_to_root(world, two)
    common = next(node for node in path if node in other)
    _, above = path_to_root(world, common)
    distance = path.index(common) + other.index(common)
    return world.settings["rho"] ** distance * (q @ above.T) @ (r @ above.T).T, distance


def test_covariance_at_tree_distance_k_has_norm_rho_to_the_k(drawn):
    world, values = drawn
    pairs = [
        ("x0", "x0"),
        ("x0", "z1.0"),
        ("x0", "x4"),
        ("x0", "x1"),
        ("x3", "z4.0"),
        ("x0", "x15"),
        ("z1.0", "z1.7"),
        ("z2.1", "z3.1"),
        ("z2.1", "z3.0"),
        ("z4.0", "z4.0"),
        ("x9", "z1.5"),
        ("x9", "z1.1"),
    ]
    counts = set()
    for one, two in pairs:
        exact, k = covariance(world, one, two)
        counts.add(k)
        assert np.linalg.svd(exact, compute_uv=False) == pytest.approx(0.8**k)  # exactly, in every direction
        empirical = values[one].T @ values[two] / len(values[one])
        assert abs(empirical - exact).max() < 5 * np.sqrt(2 / N), (one, two)
        assert np.linalg.norm(empirical) / np.sqrt(4) == pytest.approx(0.8**k, abs=0.03)
    assert counts == {0, 1, 2, 3, 4, 5, 6, 8}


def test_every_node_is_standard_normal(drawn):
    _, values = drawn
    for name, u in values.items():
        assert abs(u.mean(0)).max() < 5 / np.sqrt(len(u)), name
        assert abs(np.cov(u.T) - np.eye(4)).max() < 5 * np.sqrt(2 / len(u)), name
        assert abs((u**4).mean(0) - 3).max() < 5 * np.sqrt(96 / len(u)), name


def test_rho_0_makes_the_tokens_independent():
    world = worlds.make("gaussian_tree", 0, leaves=4, rho=0)
    images = world.sample(20_000).images
    tokens = patchify(images, 2)
    for i in range(3):
        assert abs(tokens[:, i].T @ tokens[:, 3] / 20_000).max() < 0.1
