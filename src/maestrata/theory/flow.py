"""The smallest separating set of latents on any DAG, by maximum flow.

A set of latents d-separates the masked from the visible observables iff it separates them in the moral
graph (all variables are ancestors of observables, or observables). So the smallest is a minimum vertex cut:
every latent is split into an entry and an exit, joined by an arc that costs its dimensions; all else
is uncuttable. A family, a node with its parents, is a clique of the moral graph: one hub joined to all
members says the same with linearly many arcs.

Among the smallest sets the one with the greatest (or least) sum of dim x level is wanted. One pass with
capacities ``dim * K - dim * level`` would find it, but needs large integers, and
`scipy.sparse.csgraph.maximum_flow` silently truncates to 32 bits. Instead the minimum cuts are kept as what
they are, the closed sets of the first flow's residual graph (Picard and Queyranne 1980), and a second flow
over that graph, with capacities ``dim * (L - level)`` or ``dim * level``, chooses among them.
"""

from __future__ import annotations

from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array
from scipy.sparse.csgraph import breadth_first_order, maximum_flow

from maestrata.theory.arrays import GraphArrays

Tie = Literal["highest", "lowest"]

# scipy's flow is computed in int32, and a residual capacity can reach twice an arc's capacity
_SCIPY_LIMIT = 2**30 - 1


class Cuts(NamedTuple):
    """Smallest separating sets as node indices: one per tie rule, and whether there is a choice at all."""

    sets: dict[Tie, NDArray[np.int64]]
    tied: dict[Tie, bool]
    unique: bool


class _Network(NamedTuple):
    """Arcs of a flow network; a negative capacity stands for infinity."""

    tail: NDArray[np.int64]
    head: NDArray[np.int64]
    capacity: NDArray[np.int64]
    n: int


def separators_by_flow(arrays: GraphArrays, masked: NDArray[np.bool_], ties: tuple[Tie, ...]) -> Cuts:
    """Find the smallest separating sets of one mask.

    Parameters
    ----------
    arrays : GraphArrays
    masked : bool array (n_leaves,)
        In the order of ``graph.leaves``.
    ties : tuple of {"highest", "lowest"}
        Which of the smallest sets are wanted. If two tie even so, the cut nearest the visible leaves.

    Returns
    -------
    Cuts
    """
    network = _moral_network(arrays, masked)
    residual = _residual(network)
    near_masked, near_visible = _both_cuts(arrays, residual)
    unique = np.array_equal(near_masked, near_visible)
    if unique:
        return Cuts(dict.fromkeys(ties, near_visible), dict.fromkeys(ties, False), True)
    sets, tied = {}, {}
    for tie in ties:
        level = arrays.level if tie == "lowest" else arrays.level.max() - arrays.level
        refined = _residual(_among_minimum_cuts(arrays, residual, arrays.dims * level))
        other, sets[tie] = _both_cuts(arrays, refined)
        tied[tie] = not np.array_equal(other, sets[tie])
    return Cuts(sets, tied, False)


def _moral_network(arrays: GraphArrays, masked: NDArray[np.bool_]) -> _Network:
    """Build the split moral graph: source 0, sink 1, entry of node v at 2 + 2v, exit at 3 + 2v, then hubs."""
    is_leaf = np.zeros(arrays.n_nodes, bool)
    is_leaf[arrays.leaves] = True
    is_masked = np.zeros(arrays.n_nodes, bool)
    is_masked[arrays.leaves[masked]] = True
    parent, child = arrays.parent, arrays.child
    to_leaf = is_leaf[child]
    # the parents of a masked leaf are joined to the source, so their moral edge adds nothing
    above_masked = np.unique(parent[to_leaf & is_masked[child]])
    above_visible = np.unique(parent[to_leaf & ~is_masked[child]])
    p, c = parent[~to_leaf], child[~to_leaf]
    n_parents = np.bincount(c, minlength=arrays.n_nodes)
    single = n_parents[c] == 1
    a, b = p[single], c[single]
    families, hub = np.unique(c[~single], return_inverse=True)
    members = np.concatenate([p[~single], families])
    hubs = 2 + 2 * arrays.n_nodes + np.concatenate([hub, np.arange(len(families))])
    latents = arrays.latents
    tails = [2 + 2 * latents, np.zeros_like(above_masked), 3 + 2 * above_visible, 3 + 2 * a, 3 + 2 * b]
    heads = [3 + 2 * latents, 2 + 2 * above_masked, np.ones_like(above_visible), 2 + 2 * b, 2 + 2 * a]
    tail = np.concatenate([*tails, 3 + 2 * members, hubs])
    head = np.concatenate([*heads, hubs, 2 + 2 * members])
    capacity = np.full(len(tail), -1, np.int64)
    capacity[: len(latents)] = arrays.dims[latents]
    return _Network(tail, head, capacity, 2 + 2 * arrays.n_nodes + len(families))


def _among_minimum_cuts(arrays: GraphArrays, residual: csr_array, cost: NDArray[np.int64]) -> _Network:
    """Network whose cuts are the minimum cuts of the first flow, each at the summed `cost` of its nodes.

    An arc of the residual graph leads from a closed set nowhere but into it: infinite. What a minimum cut
    can cut are the saturated entry-exit arcs, those that are not in the residual graph.
    """
    rows = np.repeat(np.arange(residual.shape[0]), np.diff(residual.indptr))
    latents = arrays.latents
    arcs = residual.shape[0] * rows + residual.indices
    saturated = latents[~np.isin(residual.shape[0] * (2 + 2 * latents) + 3 + 2 * latents, arcs)]
    tail = np.concatenate([rows, 2 + 2 * saturated])
    head = np.concatenate([residual.indices, 3 + 2 * saturated])
    capacity = np.concatenate([np.full(len(rows), -1, np.int64), cost[saturated]])
    return _Network(tail, head, capacity, residual.shape[0])


def _residual(network: _Network) -> csr_array:
    """Return the residual graph of a maximum flow from node 0 to node 1, as the arcs with capacity left."""
    total = int(network.capacity[network.capacity > 0].sum())
    # no flow exceeds the sum of the finite capacities, so one more is as good as infinity
    capacity = np.where(network.capacity < 0, total + 1, network.capacity)
    shape = (network.n, network.n)
    if total > _SCIPY_LIMIT:
        return _residual_by_networkx(network, capacity)
    graph = csr_array((capacity.astype(np.int32), (network.tail, network.head)), shape=shape)
    flow = maximum_flow(graph, 0, 1).flow
    left = csr_array(graph.astype(np.int64) - flow.astype(np.int64))
    left.eliminate_zeros()
    left.sort_indices()
    return left


def _residual_by_networkx(network: _Network, capacity: NDArray[np.int64]) -> csr_array:
    """The same in Python integers, slowly, for capacities beyond 32 bits."""
    import networkx as nx
    from networkx.algorithms.flow import dinitz

    graph = nx.DiGraph()
    graph.add_nodes_from((0, 1))
    arcs = zip(network.tail.tolist(), network.head.tolist(), capacity.tolist(), strict=True)
    graph.add_edges_from((t, h, {"capacity": c}) for t, h, c in arcs)
    solved = dinitz(graph, 0, 1)
    ends = [(t, h) for t, h, arc in solved.edges(data=True) if arc["capacity"] - arc["flow"] > 0]
    tail, head = np.array(ends, np.int64).reshape(-1, 2).T
    left = csr_array((np.ones(len(tail), np.int64), (tail, head)), shape=(network.n, network.n))
    left.sort_indices()
    return left


def _both_cuts(arrays: GraphArrays, residual: csr_array) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the minimum cut nearest the source (masked) and the one nearest the sink (visible)."""
    from_source = np.zeros(residual.shape[0], bool)
    from_source[breadth_first_order(residual, 0, return_predecessors=False)] = True
    to_sink = np.zeros(residual.shape[0], bool)
    to_sink[breadth_first_order(csr_array(residual.T), 1, return_predecessors=False)] = True
    entry, exit_ = 2 + 2 * arrays.latents, 3 + 2 * arrays.latents
    near_masked = arrays.latents[from_source[entry] & ~from_source[exit_]]
    near_visible = arrays.latents[~to_sink[entry] & to_sink[exit_]]
    return near_masked, near_visible
