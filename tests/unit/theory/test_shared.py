"""Shared information of single masks: small graphs worked out by hand, and what is refused."""

from __future__ import annotations

import networkx as nx
import numpy as np
import pytest

from maestrata.errors import GraphError, MaskError
from maestrata.graphs import LatentGraph
from maestrata.theory.arrays import GraphArrays
from maestrata.theory.flow import separators_by_flow
from maestrata.theory.shared import shared_information
from maestrata.theory.trees import colour, separators_by_tree

# z over a and b, each over two observables
SMALL = LatentGraph(
    [("z", "a"), ("z", "b"), ("a", "x0"), ("a", "x1"), ("b", "x2"), ("b", "x3")], dims={"a": 2, "b": 2}
)


def test_half_of_a_tree_masked_shares_its_root():
    shared = shared_information(SMALL, {"x0", "x1"})
    assert (shared.nodes, shared.dim, shared.unique, shared.tied) == ({"z"}, 1, True, False)


def test_every_parent_split_shares_every_parent():
    shared = shared_information(SMALL, {"x0", "x2"})
    assert (shared.nodes, shared.dim, shared.unique) == ({"a", "b"}, 4, True)
    assert shared_information(SMALL, {"x0", "x2"}, "invertible").nodes == {"a", "b"}


def test_the_readings_part_where_one_side_is_cut_off_below_the_root():
    # a is split; b is visible as a whole, so the root adds nothing for the separator ...
    assert shared_information(SMALL, ["x0"]).nodes == {"a"}
    # ... and to the letter of Assumption 1 a determines the root anyway
    assert shared_information(SMALL, ["x0"], "invertible").nodes == {"a"}
    chain = LatentGraph([("z", "a"), ("a", "x0"), ("z", "x1")], dims={"z": 3, "a": 1})
    assert shared_information(chain, {"x0"}).nodes == {"a"}  # the chain's narrowest place
    assert shared_information(chain, {"x0"}, "invertible").nodes == {"z"}  # the only shared ancestor


def test_ties_between_levels_and_within_one():
    equal = LatentGraph(SMALL.edges)
    high = shared_information(equal, {"x0", "x1"}, tie="highest")
    low = shared_information(equal, {"x0", "x1"}, tie="lowest")
    assert high.nodes == {"z"} and not high.unique and not high.tied
    # a and b are equally low: the one nearest the visible leaves is taken, and told
    assert low.nodes == {"b"} and not low.unique and low.tied
    assert shared_information(equal, {"x2", "x3"}, tie="lowest").nodes == {"a"}


def test_a_multi_parent_observable_counts_for_its_own_side_only():
    graph = LatentGraph([("a", "x0"), ("b", "x0"), ("a", "x1"), ("b", "x2")])
    # x0 is visible and joins a and b in the moral graph; x1 masked hangs on a alone
    assert shared_information(graph, {"x1"}).nodes == {"a"}
    assert shared_information(graph, {"x0"}).nodes == {"a", "b"}


def test_parents_are_married_by_a_latent_child():
    # a and b are dependent given their child c's descendants, so the cut must hold one of the paths
    graph = LatentGraph([("a", "c"), ("b", "c"), ("c", "x1"), ("a", "x0"), ("b", "x2")], dims={"c": 5})
    shared = shared_information(graph, {"x0"})
    assert shared.nodes == {"a"} and shared.dim == 1


def test_nothing_shared():
    apart = LatentGraph([("a", "x0"), ("a", "x1"), ("b", "x2"), ("b", "x3")])
    for reading in ("separator", "invertible"):
        shared = shared_information(apart, {"x0", "x1"}, reading)
        assert (shared.nodes, shared.dim, shared.intrinsic_dim) == (frozenset(), 0, 0)
        assert shared.unique and not shared.tied


def test_intrinsic_dimension_counts_shared_ancestors_once():
    dims = {"z": 2, "a": 3, "b": 3} | {f"x{i}": 4 for i in range(4)}
    graph = LatentGraph(SMALL.edges, dims)
    shared = shared_information(graph, {"x0", "x2"}, "invertible")
    assert shared.dim == 6 and shared.intrinsic_dim == 4  # 2 of the root, 1 of each
    assert shared_information(SMALL, {"x0", "x2"}).intrinsic_dim is None  # observables narrower than a, b


@pytest.mark.parametrize(
    ("masked", "keywords", "message"),
    [
        ([], {}, r"masked is empty"),
        (["x0", "x1", "x2", "x3"], {}, r"all 4 observables"),
        (["x9"], {}, r"masked 'x9' is not in the graph; the observables are: x0, x1, x2, x3"),
        (["a", "x0"], {}, r"masked 'a' is a latent"),
        ("x0", {}, r"masked='x0' must be a collection"),
        (3, {}, r"masked=3 must be a collection"),
        (["x0"], {"reading": "exact"}, r"reading='exact' must be one of: invertible, separator"),
        (["x0"], {"tie": "middle"}, r"tie='middle' must be one of: highest, lowest"),
    ],
)
def test_refused_masks(masked, keywords, message):
    with pytest.raises(MaskError, match=message):
        shared_information(SMALL, masked, **keywords)


def test_refused_graph():
    with pytest.raises(GraphError, match="LatentGraph, not list"):
        shared_information([("a", "x0")], ["x0"])


def test_algorithms_for_trees_refuse_other_graphs():
    two = GraphArrays(LatentGraph([("a", "x0"), ("b", "x0"), ("a", "x1"), ("b", "x2")]))
    mask = np.array([[True, False, False]])
    with pytest.raises(GraphError, match="more than one parent"):
        separators_by_tree(two, mask, "highest")
    narrowing = GraphArrays(LatentGraph([("z", "a"), ("a", "x0"), ("z", "x1")], dims={"z": 3}))
    with pytest.raises(GraphError, match="fewer dimensions"):
        colour(narrowing, mask[:, :2])


@pytest.mark.parametrize("scale", [1, 10**5, 10**8, 10**17])
def test_dimensions_of_any_size_give_the_same_set(scale):
    """scipy's flow is in 32 bits: beyond, it must not be trusted, and trees leave 64 bits behind."""
    rng = np.random.default_rng(2)
    edges = [("r", "a"), ("r", "b"), ("a", "c"), ("b", "c"), ("b", "d"), ("c", "x0"), ("c", "x1")]
    edges += [("a", "x2"), ("d", "x3"), ("d", "x4"), ("b", "x5")]
    tree = [
        ("r", "a"),
        ("r", "b"),
        ("a", "c"),
        ("b", "d"),
        ("c", "x0"),
        ("c", "x1"),
        ("a", "x2"),
        ("d", "x3"),
    ]
    for given in (edges, tree):
        base = {node: int(rng.integers(1, 4)) for node in "rabcd"}
        small = LatentGraph(given, base)
        large = LatentGraph(given, {node: dim * scale for node, dim in base.items()})
        for masked in (["x0"], ["x0", "x2"], ["x1", "x3"], ["x0", "x1", "x3"]):
            for tie in ("highest", "lowest"):
                one, other = (shared_information(g, masked, tie=tie) for g in (small, large))
                assert (one.nodes, one.unique, one.tied) == (other.nodes, other.unique, other.tied)
                assert other.dim == one.dim * scale
                flow = separators_by_flow(GraphArrays(large), GraphArrays(large).leaf_mask(masked), (tie,))
                assert {large.nodes[i] for i in flow.sets[tie]} == one.nodes


def test_a_graph_of_thousands_of_nodes():
    """Separates, by networkx, on a graph far beyond brute force (its speed: benchmarks/theory.py)."""
    rng = np.random.default_rng(7)
    n = 1500
    edges = {(int(p), node) for node in range(1, n) for p in rng.integers(max(0, node - 40), node, 2)}
    dims = {node: int(rng.integers(1, 5)) for node in range(n)}
    graph = LatentGraph(sorted(edges), dims)
    leaves = list(graph.leaves)
    masked = set(leaves[: len(leaves) // 3])
    shared = shared_information(graph, masked)
    dag = nx.DiGraph(sorted(edges))
    assert nx.is_d_separator(dag, masked, set(leaves) - masked, set(shared.nodes))
    assert shared.dim <= sum(dims[p] for p in {parent for parent, child in edges if child in masked})
    by_levels = shared_information(graph, masked, tie="lowest")
    weight = {s: sum(dims[v] * graph.level(v) for v in s.nodes) for s in (shared, by_levels)}
    assert by_levels.dim == shared.dim and weight[by_levels] <= weight[shared]
