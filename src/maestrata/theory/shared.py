"""Where the information that masked and visible part share sits: the set c of Theorem 1.

Two readings are computed. ``invertible`` takes Assumption 1 to the letter: a node determines its ancestors,
so c holds the lowest of the shared ancestors. ``separator`` needs no invertibility: c is the set of latents
of smallest total dimension that d-separates the masked from the visible observables. The paper's own
algorithms are in an appendix that we have not; these are reconstructions (docs/theory.md).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from maestrata.errors import GraphError, MaskError, one_of
from maestrata.graphs import LatentGraph
from maestrata.theory.arrays import GraphArrays
from maestrata.theory.flow import Cuts, Tie, separators_by_flow
from maestrata.theory.trees import cuts_of_tree

Reading = Literal["separator", "invertible"]


@dataclass(frozen=True)
class SharedInformation:
    """The set c of one mask.

    Attributes
    ----------
    nodes : frozenset
        The latents in c; empty where masked and visible part share nothing.
    dim : int
        Sum of their dimensions.
    intrinsic_dim : int or None
        Noise dimensions over c and all its ancestors, which is what an encoder must hold: members of c
        share ancestors. None where the dimensions rule invertibility out.
    unique : bool
        Whether no other set has as small a dimension.
    tied : bool
        Whether, among the smallest sets, even the tie rule leaves more than one.
    """

    nodes: frozenset[Any]
    dim: int
    intrinsic_dim: int | None
    unique: bool
    tied: bool


def shared_information(
    graph: LatentGraph, masked: Iterable[Any], reading: Reading = "separator", tie: Tie = "highest"
) -> SharedInformation:
    """Return the set c of latents that a mask makes masked and visible part share.

    Parameters
    ----------
    graph : LatentGraph
    masked : iterable of nodes
        The masked observables: at least one, and not all.
    reading : {"separator", "invertible"}
    tie : {"highest", "lowest"}
        Which of several smallest separating sets: the one with the greatest or the least sum of
        dim x level; if two still tie, the cut nearest the visible observables, and `tied` is told.

    Returns
    -------
    SharedInformation

    Raises
    ------
    GraphError
        If `graph` is not a `LatentGraph`.
    MaskError
        If the mask is empty or full, or names what is not an observable; if the reading or the tie rule is
        unknown.

    Examples
    --------
    >>> g = LatentGraph([("z0", "z1"), ("z0", "z2"), ("z1", "x0"), ("z1", "x1"), ("z2", "x2"), ("z2", "x3")])
    >>> shared_information(g, {"x0", "x1"}).nodes, shared_information(g, {"x0", "x1"}).unique
    (frozenset({'z0'}), False)
    >>> sorted(shared_information(g, {"x0", "x2"}, reading="invertible").nodes)
    ['z1', 'z2']
    """
    if not isinstance(graph, LatentGraph):
        raise GraphError(f"graph must be a LatentGraph, not {type(graph).__name__}")
    check_reading(reading)
    check_tie(tie)
    arrays = GraphArrays(graph)
    mask = arrays.leaf_mask(check_masked(graph, masked))
    if reading == "invertible":
        nodes = np.flatnonzero(lowest_shared(arrays, mask[None])[0])
        cuts = Cuts({tie: nodes}, {tie: False}, True)
    elif graph.is_tree:
        cuts = cuts_of_tree(arrays, mask, (tie,))
    else:
        cuts = separators_by_flow(arrays, mask, (tie,))
    chosen = cuts.sets[tie]
    names = frozenset(graph.nodes[i] for i in chosen)
    intrinsic = None
    if arrays.noise_dims is not None:
        # ancestors one by one: the full closure of a large graph would not fit in memory
        above = names | graph.ancestors_of(names)
        intrinsic = int(sum(arrays.noise_dims[arrays.index[node]] for node in above))
    return SharedInformation(names, int(arrays.dims[chosen].sum()), intrinsic, cuts.unique, cuts.tied[tie])


def lowest_shared(arrays: GraphArrays, masked: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Return the shared ancestors that have no child among them (the ``invertible`` reading), of many masks.

    Parameters
    ----------
    arrays : GraphArrays
        Of any DAG.
    masked : bool array (n_masks, n_leaves)

    Returns
    -------
    bool array (n_masks, n_nodes)
    """
    above_masked = np.zeros((arrays.n_nodes, masked.shape[0]), bool)
    above_visible = np.zeros_like(above_masked)
    above_masked[arrays.leaves] = masked.T
    above_visible[arrays.leaves] = ~masked.T
    has_shared_child = np.zeros_like(above_masked)
    for group in arrays.upward:
        m, v = above_masked[group.relatives], above_visible[group.relatives]
        above_masked[group.nodes] = group.reduce(np.logical_or, m)
        above_visible[group.nodes] = group.reduce(np.logical_or, v)
        has_shared_child[group.nodes] = group.reduce(np.logical_or, m & v)
    return (above_masked & above_visible & ~has_shared_child).T


def check_masked(graph: LatentGraph, masked: Iterable[Any]) -> frozenset[Any]:
    """Return the masked observables as a set, or refuse them with a MaskError."""
    if isinstance(masked, str) or not isinstance(masked, Iterable):
        raise MaskError(f"masked={masked!r} must be a collection of observables")
    chosen = frozenset(masked)
    leaves = set(graph.leaves)
    for node in sorted(chosen - leaves, key=str):
        what = "is a latent" if node in graph else "is not in the graph"
        shown = ", ".join(map(str, graph.leaves[:8])) + (", ..." if len(leaves) > 8 else "")
        raise MaskError(f"masked {node!r} {what}; the observables are: {shown}")
    if not chosen:
        raise MaskError("masked is empty: at least one observable must be masked")
    if len(chosen) == len(leaves):
        raise MaskError(f"masked holds all {len(leaves)} observables: at least one must be visible")
    return chosen


def check_reading(reading: str) -> None:
    """Refuse an unknown reading of Theorem 1."""
    if reading not in get_args(Reading):
        raise MaskError(f"reading={one_of(reading, get_args(Reading))}")


def check_tie(tie: str) -> None:
    """Refuse an unknown tie rule."""
    if tie not in get_args(Tie):
        raise MaskError(f"tie={one_of(tie, get_args(Tie))}")
