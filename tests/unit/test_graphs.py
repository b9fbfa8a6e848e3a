"""LatentGraph: structure, levels, dimensions and refusals."""

from __future__ import annotations

import networkx as nx
import numpy as np
import pytest

from maestrata.errors import GraphError
from maestrata.graphs import LatentGraph

DIAMOND = [("a", "b"), ("a", "c"), ("b", "d"), ("c", "d"), ("d", "x0"), ("c", "x1"), ("a", "x1")]


def test_structure_of_a_diamond_with_a_skip_edge():
    g = LatentGraph(DIAMOND, dims={"d": 3})
    assert set(g.latents) == {"a", "b", "c", "d"} and g.leaves == g.observables == ("x1", "x0")
    assert g.parents("d") == ("b", "c") and g.children("c") == ("d", "x1")
    assert [g.level(n) for n in ("x0", "d", "c", "b", "a")] == [0, 1, 2, 2, 3] and g.height == 3
    assert g.ancestors("x1") == {"a", "c"} and g.ancestors("a") == frozenset()
    assert g.ancestors_of(["x0", "x1"]) == {"a", "b", "c", "d"}
    assert dict(g.dims) == {"a": 1, "b": 1, "c": 1, "d": 3, "x0": 1, "x1": 1}
    assert not g.is_tree and len(g) == 6 and "a" in g and "q" not in g


def test_nodes_come_parents_first_and_levels_are_longest_paths():
    rng = np.random.default_rng(3)
    for _ in range(30):
        n = int(rng.integers(3, 12))
        edges = [(f"n{i}", f"n{j}") for i in range(n) for j in range(i + 1, n) if rng.random() < 0.4]
        if not edges:
            continue
        rng.shuffle(edges)
        g = LatentGraph([tuple(e) for e in edges])
        position = {node: i for i, node in enumerate(g.nodes)}
        assert all(position[a] < position[b] for a, b in g.edges)
        reference = nx.DiGraph(list(g.edges))
        for node in g.nodes:
            below = [node, *nx.descendants(reference, node)]
            assert g.level(node) == nx.dag_longest_path_length(reference.subgraph(below))
            assert g.ancestors(node) == nx.ancestors(reference, node)


def test_noise_dimensions_follow_assumption_1():
    chain = LatentGraph([("z", "x0"), ("z", "x1")], dims={"z": 2, "x0": 3, "x1": 2})
    assert dict(chain.noise_dims) == {"z": 2, "x0": 1, "x1": 0}
    assert LatentGraph([("z", "x0"), ("z", "x1")], dims={"z": 2}).noise_dims is None
    assert LatentGraph(DIAMOND).noise_dims is None  # d has two parents of one dimension, and only one itself


def test_equal_graphs():
    one, two = LatentGraph(DIAMOND), LatentGraph(list(reversed(DIAMOND)))
    assert one == two and hash(one) == hash(two)
    assert one != LatentGraph(DIAMOND, dims={"a": 2}) and one != LatentGraph(DIAMOND[:-1])
    assert one != "graph"


@pytest.mark.parametrize(
    ("edges", "keywords", "message"),
    [
        ([("a", "b"), ("b", "c"), ("c", "a"), ("c", "x")], {}, r"cycle: (a -> b|b -> c|c -> a) -> "),
        ([("a", "a")], {}, r"cycle: a -> a"),
        ([("a", "x"), ("a", "x")], {}, r"edges\[1\]=\('a', 'x'\) is given twice"),
        ([], {}, r"at least one"),
        (["ab"], {}, r"edges\[0\]='ab' must be a pair"),
        ([3], {}, r"edges\[0\]=3 must be a pair"),
        ([("a", "b", "c")], {}, r"must be a pair"),
        ([("a", ["b"])], {}, r"must be a pair"),
        ([("a", "x")], {"dims": {"b": 2}}, r"'b' \(in dims\) is isolated"),
        ([("a", "x")], {"dims": {"a": 0}}, r"dims\['a'\]=0 must be an integer of at least 1"),
        ([("a", "x")], {"dims": {"a": 1.5}}, r"dims\['a'\]=1.5"),
        ([("a", "x")], {"dims": {"a": True}}, r"dims\['a'\]=True"),
        ([("a", "x")], {"observables": "x"}, r"not a string"),
        ([("a", "x")], {"observables": ["x", "y"]}, r"'y' \(in observables\) is isolated"),
        ([("x", "y")], {"observables": ["x", "y"]}, r"observable 'x' has children \('y'\)"),
        ([("a", "x"), ("a", "y")], {"observables": ["x"]}, r"'y' has no children"),
    ],
)
def test_refusals(edges, keywords, message):
    with pytest.raises(GraphError, match=message):
        LatentGraph(edges, **keywords)


def test_unknown_node():
    g = LatentGraph([(f"z{i}", "x") for i in range(10)])
    with pytest.raises(GraphError, match=r"'q' is not in the graph; its nodes are: z0, .*\.\.\."):
        g.parents("q")
    for ask in (g.children, g.level, g.ancestors):
        with pytest.raises(GraphError):
            ask("q")


def test_numpy_integers_are_dimensions():
    assert LatentGraph([("a", "x")], dims={"a": np.int64(3)}).dims["a"] == 3


def test_a_long_chain_is_no_recursion():
    n = 5000
    g = LatentGraph([(i, i + 1) for i in range(n)])
    assert g.level(0) == n and len(g.ancestors(n)) == n
