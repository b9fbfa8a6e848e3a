"""The additive tree: moments, correlation, fold."""

from __future__ import annotations

from math import sqrt

import numpy as np
import pytest

from maestrata import worlds
from maestrata.geometry import patchify
from maestrata.random import stream
from maestrata.worlds.maps import to_children


def tokens_of(world, sample):
    """Token variables: P has orthogonal columns of squared length values / dim."""
    p = world.params["P"]
    return np.einsum("npd,bnp->bnd", p, patchify(sample.images, world.token_pixels)) * p.shape[2] / p.shape[1]


@pytest.mark.parametrize("settings", [{}, {"dim": 2, "fold": 0.5}, {"rho": 0.5, "fold": 0.0}])
def test_a_child_is_rho_f_plus_noise_with_correlation_rho(settings):
    world = worlds.make("additive_tree", 1, leaves=8, **settings)
    rho = world.settings["rho"]
    n = 20_000
    sample = world.generate(world.draw(n, stream(1, "test"), np.float64))
    nodes = {**sample.latents, 0: tokens_of(world, sample)}
    for level in range(world.levels):
        mean = world.child_mean(world.params, level, nodes[level + 1])
        assert abs(nodes[level] - mean - sqrt(1 - rho**2) * sample.noise[level]).max() < 1e-12
        f = mean / rho
        # moments are standardised on another sample, of 16,384: errors of up to a percent or two
        assert abs(f.mean(0)).max() < 0.05
        assert np.square(f).mean() == pytest.approx(1, abs=0.04)
        # E[child . f(parent)] = rho E|f|^2
        assert (nodes[level] * f).mean() / np.square(f).mean() == pytest.approx(rho, abs=0.02)


def test_maps_are_orthogonal_and_pixels_have_unit_variance():
    world = worlds.make("additive_tree", 0, leaves=8)
    for level in range(world.levels):
        for key in (f"A{level}", f"B{level}"):
            product = world.params[key] @ world.params[key].swapaxes(1, 2)
            assert abs(product - np.eye(4)).max() < 1e-12
    p = world.params["P"]
    assert p.shape == (8, 12, 4)
    assert abs(p.swapaxes(1, 2) @ p - 12 / 4 * np.eye(4)).max() < 1e-12


def test_a_full_fold_loses_the_sign_and_a_flat_one_is_linear():
    u = np.random.default_rng(0).standard_normal((20_000, 1, 4))
    folded = worlds.make("additive_tree", 0, leaves=2, fold=0.0)
    flat = worlds.make("additive_tree", 0, leaves=2, fold=100.0)
    bent = worlds.make("additive_tree", 0, leaves=2, fold=0.4)
    mean = {w.settings["fold"]: w.child_mean(w.params, 0, u) for w in (folded, flat, bent)}
    assert np.allclose(folded.child_mean(folded.params, 0, -u), mean[0.0], atol=1e-12)

    def linear_share(values):
        """Share of the variance of f(u) that is linear in u, for Gaussian u."""
        slope = u[:, 0].T @ (values - values.mean(0)).reshape(len(u), -1) / len(u)
        return np.square(slope).sum() / values.var(0).sum()

    # Var |w| = 1 - 2/pi; the linear part of |w| + a w is a w
    theory = 0.4**2 / (0.4**2 + 1 - 2 / np.pi)
    assert linear_share(mean[0.4]) == pytest.approx(theory, abs=0.02)
    assert linear_share(mean[0.0]) < 0.01 and linear_share(mean[100.0]) > 0.99


def test_siblings_have_functions_of_their_own():
    world = worlds.make("additive_tree", 0, leaves=8)
    u = to_children(np.ones((1, 4)), world.grid, world.levels - 1)
    assert np.array_equal(u, np.ones((2, 4)))
    first, second = world.child_mean(world.params, world.levels - 1, np.ones((1, 1, 4)))[0]
    assert abs(first - second).max() > 0.1


def test_calibration_depends_on_the_seed_alone():
    # more levels above do not change what is drawn for the standardisation of the level below the root
    a, b = (worlds.make("additive_tree", 3, leaves=8, rho=r) for r in (0.5, 0.98))
    assert np.array_equal(a.params["mean2"], b.params["mean2"])
    assert not np.array_equal(a.params["mean1"], b.params["mean1"])
