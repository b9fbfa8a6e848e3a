"""Supply against dense conditioning and simulation, demand against enumeration."""

from __future__ import annotations

import numpy as np
import pytest

from maestrata.errors import GraphError
from maestrata.geometry import TokenGrid
from maestrata.graphs import LatentGraph, tree_graph
from maestrata.masks import MaskPatches
from maestrata.theory.arrays import GraphArrays
from maestrata.theory.ensembles import mask_ensemble
from maestrata.theory.supply import _by_conditioning, climb_of_masks, demand, supply_of_masks, twin_covariance
from maestrata.worlds import make

GRID = TokenGrid.for_leaves(16)
TREE = GraphArrays(tree_graph(GRID))
DAG = GraphArrays(
    LatentGraph(
        [("a", "b"), ("a", "c"), ("b", "d"), ("c", "d"), ("d", "x0"), ("c", "x1"), ("b", "x1"), ("a", "x2")]
    )
)


@pytest.mark.parametrize("rho", [0.0, 0.5, 0.9, 0.98])
def test_messages_equal_dense_conditioning(rho):
    masked = np.random.default_rng(0).random((200, 16)) < 0.6
    masked[0], masked[1] = False, True
    by_messages = supply_of_masks(TREE, masked, rho)
    np.testing.assert_allclose(by_messages, _by_conditioning(TREE, masked, rho), atol=1e-12)
    assert not by_messages[1].any()


def test_twin_covariance_is_that_of_the_process():
    rng, rho, n = np.random.default_rng(1), 0.8, 400_000
    values = np.zeros((DAG.n_nodes, n))
    for node in range(DAG.n_nodes):
        parents = DAG.parent[DAG.child == node]
        noise = rng.standard_normal(n)
        if len(parents):
            total = values[parents].sum(0)
            noise = rho * total / total.std() + np.sqrt(1 - rho**2) * noise
        values[node] = noise
    np.testing.assert_allclose(twin_covariance(DAG, rho), np.cov(values), atol=0.01)


def test_supply_on_a_graph_with_several_parents():
    masked = np.array([[False, True, False], [True, True, False]])
    covariance = twin_covariance(DAG, 0.9)
    for row, supply in zip(masked, supply_of_masks(DAG, masked, 0.9), strict=True):
        seen = DAG.leaves[~row]
        cross = covariance[np.ix_(DAG.latents, seen)]
        expected = np.einsum("zs,sz->z", cross, np.linalg.solve(covariance[np.ix_(seen, seen)], cross.T))
        np.testing.assert_allclose(supply, expected, atol=1e-12)


def test_supply_is_the_best_linear_prediction_in_gaussian_tree():
    """In the world itself, to sampling error: pixels are an exact map of the leaves there."""
    world = make("gaussian_tree", 0, leaves=8, dim=2, rho=0.9)
    sample = world.sample(60_000, "theory")
    grid = world.grid
    masked = np.zeros((1, 8), bool)
    masked[0, [0, 3, 4]] = True
    arrays = GraphArrays(world.graph)
    position = np.array([int(leaf[1:]) for leaf in world.graph.leaves])
    supply = supply_of_masks(arrays, masked[:, position], 0.9)[0]
    p = world.token_pixels
    tokens = sample.images.reshape(-1, 3, grid.height, p, grid.width, p).transpose(0, 2, 4, 1, 3, 5)
    visible = tokens.reshape(len(sample.images), 8, -1)[:, ~masked[0]].reshape(len(sample.images), -1)
    root = sample.latents[3][:, 0]
    residual = root - visible @ np.linalg.lstsq(visible, root, rcond=None)[0]
    at_root = list(world.graph.latents).index("z3.0")
    assert supply[at_root] == pytest.approx(1 - residual.var(0).mean() / root.var(0).mean(), abs=0.01)


def test_supply_falls_with_the_ratio():
    position = np.array([int(leaf[1:]) for leaf in TREE.graph.leaves])
    at_root = []
    for ratio in (0.1, 0.25, 0.5, 0.75, 0.9):
        masks = mask_ensemble(MaskPatches(GRID), ratio)
        supplied = masks.mean(supply_of_masks(TREE, masks.masked[:, position], 0.8))[0]
        at_root.append(supplied[list(TREE.graph.latents).index("z4.0")])
    assert all(np.diff(at_root) < -0.005)


@pytest.mark.parametrize("rho", [1, -0.1, "0.5", True, float("nan")])
def test_refused_correlation(rho):
    with pytest.raises(GraphError, match=r"rho=.* must lie in \[0, 1\)"):
        supply_of_masks(TREE, np.zeros((1, 16), bool), rho)


def test_climb_on_a_graph_with_several_parents():
    # leaves in the order x2, x1, x0 or as the graph has them: masks are given by name
    def climb(*masked):
        mask = np.array([[leaf in masked for leaf in DAG.graph.leaves]])
        return dict(zip(DAG.graph.leaves, climb_of_masks(DAG, mask)[0].tolist(), strict=True))

    assert climb("x1") == {"x0": 0, "x1": 2, "x2": 0}  # b or c above x1 also leads to x0
    assert climb("x2")["x2"] == 3  # only a lies above
    assert climb("x0", "x1") == {"x0": 3, "x1": 3, "x2": 0}
    assert climb("x0", "x1", "x2") == {"x0": 3, "x1": 3, "x2": 3}  # nothing visible: to the top


@pytest.mark.parametrize("label", ["1x1", "2x1", "2x2"])
@pytest.mark.parametrize("drawing", ["fixed", "independent"])
def test_closed_form_of_demand(label, drawing):
    patches = MaskPatches.parse(label, GRID)
    position = np.array([int(leaf[1:]) for leaf in TREE.graph.leaves])
    for ratio in (0.1, 0.5, 0.75, 0.9):
        ensemble = mask_ensemble(patches, ratio, drawing, enumerate_up_to=70_000)
        masked = ensemble.masked[:, position]
        climb = climb_of_masks(TREE, masked)
        form = demand(2, 4, ratio, patches.level, drawing)
        weights = ensemble.weights[:, None] * masked
        assert float(form.climb) == pytest.approx((weights * climb).sum() / weights.sum(), abs=1e-12)
        shares = [(weights * (climb == level)).sum() / weights.sum() for level in range(1, 5)]
        np.testing.assert_allclose(form.share, shares, atol=1e-12)
        assert float(form.share @ form.level) == pytest.approx(float(form.climb))


def test_demand_rises_with_the_ratio():
    for drawing in ("fixed", "independent"):
        climbs = [float(demand(2, 6, ratio, 0, drawing).climb) for ratio in (0.1, 0.25, 0.5, 0.75, 0.9)]
        assert all(np.diff(climbs) > 0)
