"""Shared information against brute force: every set of latents of small random graphs is looked at."""

from __future__ import annotations

from itertools import chain, combinations

import networkx as nx
import numpy as np
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from maestrata.geometry import TokenGrid
from maestrata.graphs import LatentGraph, tree_graph
from maestrata.theory.arrays import GraphArrays
from maestrata.theory.flow import separators_by_flow
from maestrata.theory.shared import lowest_shared, shared_information
from maestrata.theory.trees import colour, separators_by_tree

TIES = ("highest", "lowest")
SLOW = settings(max_examples=500, deadline=None, suppress_health_check=[HealthCheck.too_slow])


# what is drawn


@st.composite
def graphs(draw, max_latents=6, max_leaves=6):
    """Random DAGs: several parents, skip edges, chains, latents with one child, several components."""
    n_latents = draw(st.integers(1, max_latents))
    n_leaves = draw(st.integers(2, max_leaves))
    latents = [f"z{i}" for i in range(n_latents)]
    leaves = [f"x{i}" for i in range(n_leaves)]
    edges = set()
    for i, latent in enumerate(latents[1:], 1):
        edges |= {(latents[j], latent) for j in draw(st.sets(st.integers(0, i - 1), max_size=3))}
    for leaf in leaves:
        edges |= {
            (latents[j], leaf) for j in draw(st.sets(st.integers(0, n_latents - 1), min_size=1, max_size=3))
        }
    for i, latent in enumerate(latents):  # a latent without children would be an observable
        if not any(parent == latent for parent, _ in edges):
            below = [*latents[i + 1 :], *leaves]
            edges.add((latent, draw(st.sampled_from(below))))
    dims = {node: draw(st.integers(1, 4)) for node in [*latents, *leaves]}
    return LatentGraph(sorted(edges), dims)


@st.composite
def forests(draw, max_latents=7, max_leaves=6, monotone=False):
    """Random trees (now and then several), every node with at most one parent."""
    n_latents = draw(st.integers(1, max_latents))
    latents = [f"z{i}" for i in range(n_latents)]
    leaves = [f"x{i}" for i in range(draw(st.integers(2, max_leaves)))]
    edges, dims = [], {"z0": draw(st.integers(1, 3))}
    for i in range(1, n_latents):
        parent = draw(st.integers(-1, i - 1)) if not monotone else draw(st.integers(0, i - 1))
        more = draw(st.integers(0, 2)) if monotone and parent >= 0 else 0
        base = dims[latents[parent]] if monotone and parent >= 0 else draw(st.integers(1, 4))
        dims[latents[i]] = base + more
        if parent >= 0:
            edges.append((latents[parent], latents[i]))
    for leaf in leaves:
        edges.append((draw(st.sampled_from(latents)), leaf))
    for latent in latents:
        if all(parent != latent for parent, _ in edges):
            extra = f"y{latent}"
            edges.append((latent, extra))
    used = {node for edge in edges for node in edge}
    return LatentGraph(edges, {node: dim for node, dim in dims.items() if node in used})


def masks(graph, data):
    n = len(graph.leaves)
    number = data.draw(st.integers(1, 2**n - 2))
    return frozenset(leaf for i, leaf in enumerate(graph.leaves) if number >> i & 1)


# brute force


def subsets(items):
    return chain.from_iterable(combinations(items, k) for k in range(len(items) + 1))


def separating_sets(graph, masked):
    """All sets of latents that d-separate masked from visible observables, by networkx."""
    dag = nx.DiGraph(list(graph.edges))
    visible = set(graph.leaves) - masked
    return [
        frozenset(s) for s in subsets(graph.latents) if nx.is_d_separator(dag, set(masked), visible, set(s))
    ]


def smallest_by_brute_force(graph, masked):
    """Smallest separating sets, and the one under each tie rule with whether it is tied."""
    separating = separating_sets(graph, masked)
    dim = {s: sum(graph.dims[v] for v in s) for s in separating}
    smallest = [s for s in separating if dim[s] == min(dim.values())]
    chosen, tied = {}, {}
    for tie, sign in (("highest", 1), ("lowest", -1)):
        height = {s: sign * sum(graph.dims[v] * graph.level(v) for v in s) for s in smallest}
        best = [s for s in smallest if height[s] == max(height.values())]
        chosen[tie] = nearest_visible(graph, masked, best)
        tied[tie] = len(best) > 1
    return smallest, chosen, tied


def nearest_visible(graph, masked, sets):
    """The set whose visible side, in the moral graph, lies within that of every other."""
    moral = nx.moral_graph(nx.DiGraph(list(graph.edges)))
    visible = set(graph.leaves) - masked
    side = {}
    for s in sets:
        rest = moral.subgraph(set(moral) - s)
        side[s] = set().union(*(nx.node_connected_component(rest, leaf) for leaf in visible))
    inner = [s for s in sets if all(side[s] <= side[t] for t in sets)]
    assert len(inner) == 1, "minimum cuts form a lattice"
    return inner[0]


def theorem_1_sets(graph, masked):
    """Sets c that meet conditions 1 and 2 of Theorem 1, in terms of the noise that each variable holds.

    Under Assumption 1 a variable is as good as the noise of itself and of all its ancestors. Then (1) says
    that the masked part's noise is that of c and s_m, the visible part's that of c and s_v; (2) that s_m
    shares no noise with c and s_v.
    """
    holds = {node: graph.ancestors(node) | {node} for node in graph.nodes}

    def noise_of(nodes):
        return frozenset().union(*(holds[node] for node in nodes))

    of_masked, of_visible = noise_of(masked), noise_of(set(graph.leaves) - masked)
    sets = []
    for s in subsets(graph.latents):
        of_c = noise_of(s)
        if not (of_c <= of_masked and of_c <= of_visible):
            continue  # c would not be a function of the masked and of the visible part
        s_m = of_masked - of_c
        s_v = of_visible - of_c
        if not s_m & (of_c | s_v):
            sets.append(frozenset(s))
    return sets


# separator


@SLOW
@given(graphs(), st.data())
def test_separator_is_the_smallest_of_all_sets(graph, data):
    masked = masks(graph, data)
    smallest, chosen, tied = smallest_by_brute_force(graph, masked)
    for tie in TIES:
        shared = shared_information(graph, masked, tie=tie)
        assert shared.nodes == chosen[tie]
        assert shared.dim == sum(graph.dims[v] for v in chosen[tie])
        assert shared.unique == (len(smallest) == 1)
        assert shared.tied == tied[tie]


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(forests(), st.data())
def test_dynamic_programme_equals_brute_force_and_flow_on_trees(graph, data):
    masked = masks(graph, data)
    smallest, chosen, tied = smallest_by_brute_force(graph, masked)
    arrays = GraphArrays(graph)
    mask = arrays.leaf_mask(masked)
    flow = separators_by_flow(arrays, mask, TIES)
    for tie in TIES:
        by_tree = shared_information(graph, masked, tie=tie)
        assert by_tree.nodes == chosen[tie] == {graph.nodes[i] for i in flow.sets[tie]}
        assert by_tree.unique == flow.unique == (len(smallest) == 1)
        assert by_tree.tied == flow.tied[tie] == tied[tie]


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(forests(max_latents=10, max_leaves=10, monotone=True), st.data())
def test_colouring_where_no_child_has_fewer_dimensions(graph, data):
    arrays = GraphArrays(graph)
    assert arrays.monotone
    mask = arrays.leaf_mask(masks(graph, data))[None]
    highest = separators_by_tree(arrays, mask, "highest")
    assert np.array_equal(colour(arrays, mask), highest)
    # on such trees the tie rule leaves no choice
    assert np.array_equal(highest, separators_by_tree(arrays, mask, "highest", "masked"))


@settings(max_examples=60, deadline=None)
@given(graphs(max_latents=14, max_leaves=12), st.data())
def test_larger_graphs_by_networkx(graph, data):
    """The set separates, no subset does, and its dimension is that of networkx's minimum cut."""
    masked = masks(graph, data)
    shared = shared_information(graph, masked)
    dag = nx.DiGraph(list(graph.edges))
    visible = set(graph.leaves) - masked
    assert nx.is_d_separator(dag, set(masked), visible, set(shared.nodes))
    for node in shared.nodes:
        assert not nx.is_d_separator(dag, set(masked), visible, set(shared.nodes) - {node})
    split = nx.DiGraph()
    for node in graph.nodes:
        split.add_edge(
            (node, 0), (node, 1), **({"capacity": graph.dims[node]} if node in graph.latents else {})
        )
    for a, b in nx.moral_graph(dag).edges:
        split.add_edge((a, 1), (b, 0))
        split.add_edge((b, 1), (a, 0))
    for leaf in masked:
        split.add_edge("source", (leaf, 0))
    for leaf in visible:
        split.add_edge((leaf, 1), "sink")
    assert shared.dim == nx.maximum_flow_value(split, "source", "sink")


# invertible


@SLOW
@given(graphs(), st.data())
def test_invertible_meets_the_conditions_of_theorem_1(graph, data):
    masked = masks(graph, data)
    shared = shared_information(graph, masked, reading="invertible")
    candidates = theorem_1_sets(graph, masked)
    dim = {s: sum(graph.dims[v] for v in s) for s in candidates}
    smallest = [s for s in candidates if dim[s] == min(dim.values())]
    assert smallest == [shared.nodes]  # condition 3, and unique
    assert shared.dim == dim[shared.nodes] and shared.unique and not shared.tied


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(graphs(), st.data())
def test_intrinsic_dimension_counts_all_noise_above(graph, data):
    masked = masks(graph, data)
    # dimensions that Assumption 1 allows: those of the parents together, and some noise
    dims = {}
    for node in graph.nodes:
        dims[node] = max(1, sum(dims[p] for p in graph.parents(node)) + data.draw(st.integers(0, 2)))
    noise = {node: dims[node] - sum(dims[p] for p in graph.parents(node)) for node in graph.nodes}
    possible = LatentGraph(graph.edges, dims)
    for reading in ("invertible", "separator"):
        shared = shared_information(possible, masked, reading=reading)
        above = set(shared.nodes).union(*(possible.ancestors(v) for v in shared.nodes))
        assert shared.intrinsic_dim == sum(noise[v] for v in above)


def test_masks_together_equal_masks_one_by_one():
    rng = np.random.default_rng(5)
    edges = [
        ("a", "b"),
        ("a", "c"),
        ("b", "d"),
        ("c", "d"),
        ("c", "e"),
        *[(p, f"x{i}") for i, p in enumerate("bddeeca")],
    ]
    graph = LatentGraph(edges, {"a": 2, "b": 3, "c": 1, "d": 2, "e": 2})
    arrays = GraphArrays(graph)
    masked = rng.random((40, len(graph.leaves))) < 0.5
    together = lowest_shared(arrays, masked)
    for row, mask in zip(together, masked, strict=True):
        names = [leaf for leaf, m in zip(graph.leaves, mask, strict=True) if m]
        if 0 < len(names) < len(graph.leaves):
            one = shared_information(graph, names, reading="invertible").nodes
            assert one == {graph.nodes[i] for i in np.flatnonzero(row)}
        else:
            assert not row.any()


# all masks of an 8-leaf tree


def test_all_masks_of_an_8_leaf_tree():
    graph = tree_graph(TokenGrid.for_leaves(8))
    arrays = GraphArrays(graph)
    numbers = np.arange(1, 255)
    every = (numbers[:, None] >> np.arange(8) & 1).astype(bool)
    lowest, highest = (separators_by_tree(arrays, every, tie) for tie in ("lowest", "highest"))
    coloured = colour(arrays, every)
    not_unique = 0
    for row, mask in enumerate(every):
        masked = frozenset(leaf for leaf, m in zip(graph.leaves, mask, strict=True) if m)
        smallest, chosen, _ = smallest_by_brute_force(graph, masked)
        not_unique += len(smallest) > 1
        flow = separators_by_flow(arrays, mask, TIES)
        assert flow.unique == (len(smallest) == 1)
        for tie, in_c in (("highest", highest), ("lowest", lowest), ("highest", coloured)):
            names = {graph.nodes[i] for i in np.flatnonzero(in_c[row])}
            assert names == chosen[tie] == {graph.nodes[i] for i in flow.sets[tie]}
        assert shared_information(graph, masked, "invertible").nodes in theorem_1_sets(graph, masked)
    assert not_unique == 110
