"""Inference on random worlds, masks and graphs, against the slow way."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import multivariate_normal

from maestrata import worlds
from maestrata.geometry import patchify
from maestrata.graphs import LatentGraph
from maestrata.inference.base import posterior
from maestrata.inference.derivations import derivations
from maestrata.inference.gaussian_tree import joint
from maestrata.inference.linear_gaussian import GaussianModel
from maestrata.worlds.maps import token_variables

SEEDS = st.integers(0, 10_000)


def _masks(rng, n, tokens):
    visible = rng.random((n, tokens)) < rng.random((n, 1))
    visible[np.arange(n), rng.integers(0, tokens, n)] = True
    return visible


@settings(max_examples=30, deadline=None)
@given(
    seed=SEEDS,
    leaves=st.sampled_from([2, 4, 8, 16]),
    dim=st.integers(1, 5),
    rho=st.floats(0, 0.99),
    pixels=st.integers(2, 3),
)
def test_gaussian_tree_equals_dense_conditioning(seed, leaves, dim, rho, pixels):
    world = worlds.make("gaussian_tree", seed, leaves=leaves, dim=dim, rho=rho, token_pixels=pixels)
    rng = np.random.default_rng(seed)
    sample = world.generate(world.draw(4, rng, np.float64))
    visible = _masks(rng, 4, leaves)
    inferred = posterior(world, sample.images, visible)
    model, tokens = (
        joint(world),
        token_variables(world.params["P"], patchify(sample.images, pixels)),
    )
    for level in world.n_nodes:
        mean, _ = model.posterior(world.node_names(0), tokens, visible, world.node_names(level))
        np.testing.assert_allclose(inferred.mean[level].reshape(4, -1), mean, atol=1e-6)


@st.composite
def trees_of_symbols(draw):
    """Kind and settings of a tree of symbols that is small enough to list."""
    settings = {"leaves": draw(st.sampled_from([2, 4])), "pixel_noise": draw(st.floats(0.05, 5))}
    if draw(st.booleans()):
        digits = draw(st.integers(2, 3))
        own = {"root": draw(st.integers(2, 6)), "digits": digits, "ambiguity": draw(st.floats(1, digits))}
        return "symbol_tree", settings | own
    q = draw(st.integers(3, 9))
    m = draw(st.integers(1, min(3, (q - 1) // 2)))
    return "grammar_tree", settings | {"symbols": q, "productions": m}


@settings(max_examples=40, deadline=None)
@given(seed=SEEDS, tree=trees_of_symbols())
def test_trees_of_symbols_equal_enumeration(seed, tree):
    world = worlds.make(tree[0], seed, **tree[1])
    leaves, noise = world.grid.n_tokens, world.settings["pixel_noise"]
    rng = np.random.default_rng(seed)
    sample, visible = world.sample(3), _masks(rng, 3, leaves)
    table, tokens = derivations(world), patchify(sample.images.astype(float), 2)
    logs = np.zeros((3, len(table["x0"])))
    for i in range(leaves):
        apart = tokens[:, i, None] - world.params["patterns"][table[f"x{i}"]]
        logs += visible[:, i, None] * multivariate_normal(np.zeros(12), noise**2).logpdf(apart)
    weights = np.exp(logs - logs.max(1, keepdims=True))
    weights /= weights.sum(1, keepdims=True)
    inferred = posterior(world, sample.images, visible)
    for level in range(1, world.levels + 1):
        for i, name in enumerate(world.node_names(level)):
            onehot = np.eye(world.n_symbols[level])[table[name][:, 0]]
            np.testing.assert_allclose(inferred.mean[level][:, i], weights @ onehot, atol=1e-8)


@settings(max_examples=25, deadline=None)
@given(seed=SEEDS, leaves=st.sampled_from([2, 4, 8, 16]), root=st.integers(1, 3), omega=st.floats(0, 2))
def test_invertible_tree_recovers_what_is_above_a_visible_token(seed, leaves, root, omega):
    world = worlds.make("invertible_tree", seed, leaves=leaves, root_dim=root, omega=omega)
    rng = np.random.default_rng(seed)
    sample = world.generate(world.draw(2, rng, np.float64))
    visible = _masks(rng, 2, leaves)
    inferred = posterior(world, sample.images, visible, noise=True)
    for level, latents in sample.latents.items():
        known = visible[:, world.grid.blocks(level)].any(-1)
        np.testing.assert_allclose(inferred.mean[level][known], latents[known], atol=1e-7)
        np.testing.assert_allclose(inferred.noise[level][known], sample.noise[level][known], atol=1e-7)
        variance = np.trace(inferred.covariance[level], axis1=-2, axis2=-1)
        assert (variance[known] == 0).all() and (variance[~known] > 0).all()


@settings(max_examples=25, deadline=None)
@given(seed=SEEDS, nodes=st.integers(3, 7))
def test_any_linear_gaussian_dag(seed, nodes):
    """Several parents, skip edges: joint covariance by the closed form (I - W)^-1 N (I - W)^-T."""
    rng = np.random.default_rng(seed)
    edges = [(i, j) for j in range(1, nodes) for i in range(j) if rng.random() < 0.5 or i == j - 1]
    dims = {i: int(rng.integers(1, 4)) for i in range(nodes)}
    graph = LatentGraph(edges, dims=dims)
    weights = {(i, j): rng.normal(size=(dims[j], dims[i])) for i, j in edges}
    noise = {i: np.diag(rng.random(dims[i]) + 0.1) for i in range(nodes)}
    model = GaussianModel.from_dag(graph, weights, noise)
    total = len(model.covariance)
    w, n = np.zeros((total, total)), np.zeros((total, total))
    for (i, j), value in weights.items():
        w[model.slices[j], model.slices[i]] = value
    for i, value in noise.items():
        n[model.slices[i], model.slices[i]] = value
    inverse = np.linalg.inv(np.eye(total) - w)
    np.testing.assert_allclose(model.covariance, inverse @ n @ inverse.T, rtol=1e-6, atol=1e-8)
    # information is symmetric, not negative, and obeys the chain rule
    a, b, c = [0], [1], list(range(2, nodes))
    both = model.mutual_information(a, [*b, *c])
    parts = model.mutual_information(a, c) + model.mutual_information(a, b, c)
    assert both >= 0 and abs(both - parts) < 1e-5 * max(1, both)
