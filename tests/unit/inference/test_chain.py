"""The chain that keeps the posterior: its steps, its sets, and the bound it gives."""

import numpy as np
import pytest
from scipy import stats

from maestrata import worlds
from maestrata.errors import InferenceError
from maestrata.geometry import patchify
from maestrata.inference.base import posterior
from maestrata.inference.chain import Chain, _draw_on_line, _independent_sets, _terms
from maestrata.inference.folds import Folds
from maestrata.worlds.maps import token_variables


def _start(world, n, seed=0):
    sample = world.generate(world.draw(n, np.random.default_rng(seed), np.float64))
    folds = Folds.of(world)
    leaves = token_variables(world.params["P"], patchify(sample.images, world.token_pixels))
    z = np.concatenate([*(sample.latents[level] for level in range(world.levels, 0, -1)), leaves], 1)
    return sample, folds, z


@pytest.mark.parametrize("name", ["additive_tree", "latent_dag"])
def test_folds_are_the_world(name):
    world = worlds.make(name, 2, leaves=8)
    sample, folds, z = _start(world, 50)
    noise = np.concatenate([sample.noise[level] for level in range(world.levels, -1, -1)], 1)
    np.testing.assert_allclose(folds.means(z) + folds.noise_scale()[:, None] * noise, z, atol=1e-10)
    names = [n for level in range(world.levels, -1, -1) for n in world.node_names(level)]
    edges = {(names[p], names[c]) for p, c in zip(folds.parent, folds.child, strict=True)}
    assert edges == set(world.graph.edges)
    below = folds.descendants()
    for row, node in enumerate(names[: folds.n_latents]):
        tokens = {f"x{t}" for t in np.flatnonzero(below[row])}
        assert tokens == {x for x in world.graph.leaves if node in world.graph.ancestors(x)}


def test_a_draw_on_a_line_has_the_density_that_the_terms_say():
    rng = np.random.default_rng(0)
    w, rate, gain, wanted = rng.normal(size=(4, 1, 1, 6))
    gain, fold, own, slope = 2 * gain, 0.4, np.array([[0.7]]), np.array([[0.3]])
    draws = 20_000
    terms = [np.repeat(part, draws, 1) for part in (w, rate, gain, wanted)]
    t = _draw_on_line(_terms(*terms, fold), own, np.repeat(slope, draws, 1), rng)[0]
    grid = np.linspace(-12, 12, 200_001)
    q = w[0, 0, :, None] + rate[0, 0, :, None] * grid
    logs = -((wanted[0, 0, :, None] - gain[0, 0, :, None] * (np.abs(q) + fold * q)) ** 2).sum(0) / 2
    logs += slope[0, 0] * grid - own[0, 0] * grid**2 / 2
    cdf = np.cumsum(np.exp(logs - logs.max()))
    assert stats.kstest(t, lambda x: np.interp(x, grid, cdf / cdf[-1])).pvalue > 1e-3


def test_far_tails_do_not_break_the_draw():
    """Evidence 30 deviations from where the node is: all mass at one end of a piece."""
    n = 100
    terms = _terms(
        np.full((1, n, 2), 5.0), np.ones((1, n, 2)), np.full((1, n, 2), 5.0), np.full((1, n, 2), -150.0), 0.4
    )
    t = _draw_on_line(terms, np.ones((1, 1)), np.zeros((1, n)), np.random.default_rng(0))
    assert np.isfinite(t).all() and np.abs(t + 5.0).max() < 1.0  # |w| is least at t = -5


@pytest.mark.parametrize("name", ["additive_tree", "latent_dag"])
def test_the_posterior_is_kept(name):
    """Started from the truth, moments of latents and residuals stay what they are under the world."""
    world = worlds.make(name, 3, leaves=4)
    n = 3000
    _, folds, z = _start(world, n)
    visible = np.random.default_rng(1).random((n, 4)) < 0.6
    chain = Chain(folds, z, visible)
    chain.mix(4, np.random.default_rng(2))
    np.testing.assert_allclose(chain.mean, folds.means(chain.z), atol=1e-9)
    np.testing.assert_array_equal(chain.z[:, folds.rows[0]][visible], z[:, folds.rows[0]][visible])
    noise = (chain.z - chain.mean) / chain.scale[:, None]
    for values in (noise, noise**2 - 1):
        assert (np.abs(values.mean(0)) < 5 * values.std(0) / np.sqrt(n)).all()
    latents = slice(0, folds.n_latents)
    for power in (1, 2):
        apart = (chain.z**power - z**power)[:, latents]
        assert (np.abs(apart.mean(0)) < 5 * apart.std(0) / np.sqrt(n) + 1e-9).all()


def test_half_the_distance_reaches_the_posterior_variance_and_no_more():
    """Two leaves in two dimensions, where the chain mixes and the grid is exact."""
    world = worlds.make("additive_tree", 0, leaves=2, dim=2, rho=0.8, fold=0.5)
    n = 4000
    sample, folds, z = _start(world, n)
    visible = np.ones((n, 2), bool)
    variance = np.trace(posterior(world, sample.images, visible).covariance[1], axis1=-2, axis2=-1).mean()
    for sweeps in (1, 30):
        chain = Chain(folds, z, visible)
        chain.mix(sweeps, np.random.default_rng(1))
        squares = ((chain.z - z)[:, 0] ** 2).sum(-1) / 2
        assert squares.mean() < variance + 4 * squares.std() / np.sqrt(n)
    assert abs(squares.mean() - variance) < 4 * squares.std() / np.sqrt(n)


def test_sets_hold_every_latent_once_and_none_beside_its_blanket():
    for seed in range(3):
        folds = Folds.of(worlds.make("latent_dag", seed, leaves=8, extra=0.8, skip=0.5))
        sets = _independent_sets(folds)
        assert sorted(np.concatenate([part.nodes for part in sets])) == list(range(folds.n_latents))
        edges = list(zip(folds.parent, folds.child, strict=True))
        for part in sets:
            nodes = set(part.nodes)
            assert not any(p in nodes and c in nodes for p, c in edges)
            children = [c for p, c in edges if p in nodes]
            assert len(children) == len(set(children)) == part.real.sum()


def test_other_worlds_have_no_folds():
    with pytest.raises(InferenceError, match="'gaussian_tree' is not made of folds"):
        Folds.of(worlds.make("gaussian_tree", 0))
