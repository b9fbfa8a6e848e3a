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
from maestrata.theory.flow import Tie, separators_by_flow
from maestrata.theory.trees import colour, separators_by_tree

Reading = Literal["separator", "invertible"]
READINGS: tuple[Reading, ...] = get_args(Reading)
TIES: tuple[Tie, ...] = get_args(Tie)

# masks worked on at once, so that the arrays of a 64-leaf tree stay in the cache
_CHUNK = 1024


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
    if tie not in TIES:
        raise MaskError(f"tie={one_of(tie, TIES)}")
    arrays = GraphArrays(graph)
    mask = arrays.leaf_mask(check_masked(graph, masked))
    unique, tied = True, False
    if reading == "invertible":
        chosen = lowest_shared(arrays, mask[None])[0]
    else:
        solved = _separators(arrays, mask[None], (tie,))
        chosen, tied, unique = solved[0][tie][0], bool(solved[1][tie][0]), bool(solved[2][0])
    names = frozenset(graph.nodes[i] for i in np.flatnonzero(chosen))
    intrinsic = None
    if arrays.noise_dims is not None:
        # ancestors one by one: the full closure of a large graph would not fit in memory
        above = names | graph.ancestors_of(names)
        intrinsic = int(sum(arrays.noise_dims[arrays.index[node]] for node in above))
    return SharedInformation(names, int(arrays.dims[chosen].sum()), intrinsic, unique, tied)


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
    shared = arrays.above(masked) & arrays.above(~masked)
    has_shared_child = np.zeros_like(shared)
    for group in arrays.upward:
        has_shared_child[group.nodes] = group.reduce(np.logical_or, shared[group.relatives])
    return (shared & ~has_shared_child).T


_Sets = dict[Tie, NDArray[np.bool_]]


def shared_of_masks(
    arrays: GraphArrays, masked: NDArray[np.bool_]
) -> tuple[dict[tuple[Reading, Tie], NDArray[np.bool_]], _Sets, NDArray[np.bool_]]:
    """Return c of many masks, both readings, both ties.

    Parameters
    ----------
    arrays : GraphArrays
    masked : bool array (n_masks, n_leaves)
        In the order of ``graph.leaves``; an empty or full mask has an empty c.

    Returns
    -------
    sets : dict
        (reading, tie) -> bool array (n_masks, n_nodes), True where the node is in c.
    tied : dict
        tie -> bool array (n_masks,): several separating sets are left even by the tie rule.
    unique : bool array (n_masks,)
        Whether the smallest separating set is the only one.
    """
    chunks = [masked[i : i + _CHUNK] for i in range(0, len(masked), _CHUNK)]
    lowest = np.concatenate([lowest_shared(arrays, chunk) for chunk in chunks])
    sets, tied, unique = zip(*(_separators(arrays, chunk, TIES) for chunk in chunks), strict=True)
    by_reading: dict[tuple[Reading, Tie], NDArray[np.bool_]] = {}
    for tie in TIES:
        by_reading["separator", tie] = np.concatenate([part[tie] for part in sets])
        by_reading["invertible", tie] = lowest
    by_tie = {tie: np.concatenate([part[tie] for part in tied]) for tie in TIES}
    return by_reading, by_tie, np.concatenate(unique)


def _separators(
    arrays: GraphArrays, masked: NDArray[np.bool_], ties: tuple[Tie, ...]
) -> tuple[_Sets, _Sets, NDArray[np.bool_]]:
    """Return the smallest separating sets of many masks: as `shared_of_masks`, by tie rule alone."""
    solve = _separators_of_tree if arrays.graph.is_tree else _separators_of_dag
    return solve(arrays, masked, ties)


def _separators_of_tree(
    arrays: GraphArrays, masked: NDArray[np.bool_], ties: tuple[Tie, ...]
) -> tuple[_Sets, _Sets, NDArray[np.bool_]]:
    near_visible, near_masked = (separators_by_tree(arrays, masked, None, s) for s in ("visible", "masked"))
    unique = (near_visible == near_masked).all(1)
    sets: _Sets = {}
    tied: _Sets = {}
    several = masked[~unique]
    for tie in ties:
        # the only smallest set is highest and lowest at once
        sets[tie], tied[tie] = near_visible.copy(), np.zeros(len(masked), bool)
        if not len(several):
            continue
        if tie == "highest" and arrays.monotone:
            sets[tie][~unique] = colour(arrays, several)
        else:
            sets[tie][~unique] = separators_by_tree(arrays, several, tie, "visible")
        other = separators_by_tree(arrays, several, tie, "masked")
        tied[tie][~unique] = (other != sets[tie][~unique]).any(1)
    return sets, tied, unique


def _separators_of_dag(
    arrays: GraphArrays, masked: NDArray[np.bool_], ties: tuple[Tie, ...]
) -> tuple[_Sets, _Sets, NDArray[np.bool_]]:
    sets = {tie: np.zeros((len(masked), arrays.n_nodes), bool) for tie in ties}
    tied = {tie: np.zeros(len(masked), bool) for tie in ties}
    unique = np.ones(len(masked), bool)
    for i in np.flatnonzero(masked.any(1) & ~masked.all(1)):
        cuts = separators_by_flow(arrays, masked[i], ties)
        unique[i] = cuts.unique
        for tie in ties:
            sets[tie][i, cuts.sets[tie]] = True
            tied[tie][i] = cuts.tied[tie]
    return sets, tied, unique


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
    if reading not in READINGS:
        raise MaskError(f"reading={one_of(reading, READINGS)}")
