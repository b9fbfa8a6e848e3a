"""The smallest separating set on trees, for many masks at once.

On a tree the moral graph is the tree itself, and a smallest separating set is found by one pass up and one
pass down. Every node is cut, or belongs to a connected piece of uncut nodes that holds masked leaves only,
visible leaves only, or no leaf at all (empty). Written with the least cost below a node in each state::

    cut     = w + sum over children of min(cut, masked, visible, empty)
    masked  = sum over children of min(cut, masked, empty)
    visible = sum over children of min(cut, visible, empty)
    empty   = sum over children of min(cut, empty)

Costs are integers that order sets by dimension, then by level, then by nearness to one side:
``w = n (dim * K -+ dim * level)``, plus 1 for every uncut node of a visible (or of a masked) piece. Minimum
cuts form a lattice, so the last term singles out the cut nearest that side, and a set is the only one iff
the cuts nearest either side agree.
"""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from maestrata.errors import GraphError
from maestrata.theory.arrays import GraphArrays
from maestrata.theory.flow import Tie

_CUT, _MASKED, _VISIBLE, _EMPTY = range(4)


def separators_by_tree(
    arrays: GraphArrays,
    masked: NDArray[np.bool_],
    tie: Tie | None,
    near: Literal["masked", "visible"] = "visible",
) -> NDArray[np.bool_]:
    """Find the smallest separating set of each mask on a tree with any dimensions.

    Parameters
    ----------
    arrays : GraphArrays
        Of a graph in which no node has two parents.
    masked : bool array (n_masks, n_leaves)
        In the order of ``graph.leaves``; empty and full masks give the empty set.
    tie : {"highest", "lowest"} or None
        Which of the smallest sets: greatest or least sum of dim x level; None leaves the level out.
    near : {"masked", "visible"}
        Side that the cut lies nearest to, where several sets are left.

    Returns
    -------
    bool array (n_masks, n_nodes)
        True where the node is in the set.

    Raises
    ------
    GraphError
        If the graph is not a tree.
    """
    if not arrays.graph.is_tree:
        raise GraphError("the dynamic programme needs a tree, in which no node has more than one parent")
    weight, far = _weights(arrays, tie)
    n_masks = masked.shape[0]
    cost = np.zeros((4, arrays.n_nodes, n_masks), weight.dtype)
    # one more than any sum: a state that a leaf cannot be in
    cost[_CUT, arrays.leaves] = cost[_EMPTY, arrays.leaves] = far
    cost[_MASKED, arrays.leaves] = np.where(masked.T, 0, far)
    cost[_VISIBLE, arrays.leaves] = np.where(masked.T, far, 0)
    sided = _VISIBLE if near == "visible" else _MASKED
    for group in arrays.upward:
        least = _least_below(cost[:, group.relatives])
        for state in (_CUT, _MASKED, _VISIBLE, _EMPTY):
            own = weight[group.nodes][:, None] if state == _CUT else int(state == sided)
            # capped, so that forbidden states cannot add up to an overflow
            cost[state, group.nodes] = np.minimum(group.reduce(np.add, least[state]) + own, far)
    return _walk_down(arrays, cost).T


def _least_below(cost: NDArray[Any]) -> tuple[NDArray[Any], ...]:
    """Return the least cost of children among the states allowed under a parent, by the parent's state."""
    empty = np.minimum(cost[_CUT], cost[_EMPTY])
    masked = np.minimum(empty, cost[_MASKED])
    return np.minimum(masked, cost[_VISIBLE]), masked, np.minimum(empty, cost[_VISIBLE]), empty


def _weights(arrays: GraphArrays, tie: Tie | None) -> tuple[NDArray[Any], int]:
    """Return the cost of cutting each node, and a number above every total; exact beyond 64 bits too."""
    dims = arrays.dims.astype(object)
    by_level = dims * arrays.level * {"highest": -1, "lowest": 1, None: 0}[tie]
    # an uncut node adds at most one, so one step of the rest must outweigh all nodes
    weight = (arrays.n_nodes + 1) * (dims * (int(abs(by_level).sum()) + 1) + by_level)
    far = int(weight.sum()) + arrays.n_nodes + 1
    largest = far * (int(np.bincount(arrays.parent).max()) + 1)
    exact = next((t for t, limit in ((np.int32, 2**31), (np.int64, 2**63)) if largest < limit), object)
    return weight.astype(exact), far


def _walk_down(arrays: GraphArrays, cost: NDArray[Any]) -> NDArray[np.bool_]:
    """Choose the best state of every root, then of every child given its parent's; return where it is cut."""
    state = np.empty(cost.shape[1:], np.int8)
    roots = np.setdiff1d(np.arange(arrays.n_nodes), arrays.child)
    state[roots] = cost[:, roots].argmin(0)
    for group in reversed(arrays.upward):
        cut, masked, visible, empty = cost[:, group.relatives]
        above = state[group.owner]
        # a side is open to a child unless its parent stands on the other side or on none
        with_masked = (above == _CUT) | (above == _MASKED)
        with_visible = (above == _CUT) | (above == _VISIBLE)
        best = np.where(empty < cut, np.int8(_EMPTY), np.int8(_CUT))
        least = np.minimum(cut, empty)
        better = with_masked & (masked < least)
        np.copyto(best, np.int8(_MASKED), where=better)
        np.copyto(least, masked, where=better)
        np.copyto(best, np.int8(_VISIBLE), where=with_visible & (visible < least))
        state[group.relatives] = best
    return state == _CUT


def colour(arrays: GraphArrays, masked: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Find the highest smallest separating set of each mask by colouring the tree from the leaves up.

    A node is in the set iff its children that are not themselves cut off include both an all-masked and an
    all-visible one. Right only on trees in which no latent has fewer dimensions than its parent, and
    several times faster than `separators_by_tree`.

    Parameters
    ----------
    arrays : GraphArrays
    masked : bool array (n_masks, n_leaves)

    Returns
    -------
    bool array (n_masks, n_nodes)

    Raises
    ------
    GraphError
        If the graph is not such a tree.
    """
    if not arrays.monotone:
        raise GraphError("colouring needs a tree in which no latent has fewer dimensions than its parent")
    has_masked = np.zeros((arrays.n_nodes, masked.shape[0]), bool)
    has_visible = np.zeros_like(has_masked)
    cut = np.zeros_like(has_masked)
    has_masked[arrays.leaves] = masked.T
    has_visible[arrays.leaves] = ~masked.T
    for group in arrays.upward:
        m = group.reduce(np.logical_or, has_masked[group.relatives])
        v = group.reduce(np.logical_or, has_visible[group.relatives])
        cut[group.nodes] = m & v
        # what is cut passes nothing up
        has_masked[group.nodes] = m & ~v
        has_visible[group.nodes] = v & ~m
    return cut.T
