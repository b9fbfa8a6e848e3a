"""Supply: what the visible part tells of the latents, on the Gaussian twin of a graph.

Every node of the twin is one standard normal number, ``z = rho * (sum of parents, standardised) + sqrt(1 -
rho^2) * noise``, and visible leaves are observed exactly. The R2 of every latent given the visible leaves
is then exact: by passing messages on a tree, by dense conditioning on any graph. On `gaussian_tree` this is
the ceiling itself; elsewhere it says what the graph alone would let through at that correlation per edge.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from maestrata.errors import GraphError
from maestrata.theory.arrays import GraphArrays

_CHUNK = 1024


def supply_of_masks(arrays: GraphArrays, masked: NDArray[np.bool_], rho: float) -> NDArray[np.float64]:
    """Return the R2 of every latent given the visible leaves, for many masks.

    Parameters
    ----------
    arrays : GraphArrays
    masked : bool array (n_masks, n_leaves)
    rho : float
        Correlation of a node with the sum of its parents, in [0, 1).

    Returns
    -------
    float array (n_masks, n_latents)
        In the order of ``graph.latents``.

    Raises
    ------
    GraphError
        If rho is out of range.
    """
    if isinstance(rho, bool) or not isinstance(rho, int | float | np.floating) or not 0 <= rho < 1:
        raise GraphError(f"rho={rho!r} must lie in [0, 1)")
    solve = _by_messages if arrays.graph.is_tree else _by_conditioning
    return np.concatenate([solve(arrays, masked[i : i + _CHUNK], rho) for i in range(0, len(masked), _CHUNK)])


def _through(rho: float, evidence: NDArray[np.float64]) -> NDArray[np.float64]:
    """Carry evidence along an edge. Evidence t is precision added to the prior's 1, so R2 = t / (1 + t)."""
    r2 = rho**2 * evidence / (1 + evidence)
    return r2 / (1 - r2)


def _by_messages(arrays: GraphArrays, masked: NDArray[np.bool_], rho: float) -> NDArray[np.float64]:
    """R2 on a tree: the evidence of a node is the sum of what its children and its parent send."""
    at_leaf = np.zeros((arrays.n_nodes, masked.shape[0]))
    # a visible leaf is known: infinite evidence, of which an edge lets rho^2 / (1 - rho^2) through
    known = rho**2 / (1 - rho**2)
    sent = np.zeros_like(at_leaf)
    sent[arrays.leaves] = np.where(masked.T, 0.0, known)
    evidence = np.zeros_like(at_leaf)
    for group in arrays.upward:
        evidence[group.nodes] = group.reduce(np.add, sent[group.relatives])
        sent[group.nodes] = _through(rho, evidence[group.nodes])
    is_latent = np.zeros(arrays.n_nodes, bool)
    is_latent[arrays.latents] = True
    for group in reversed(arrays.upward):
        inner = is_latent[group.relatives]
        parents, children = group.owner[inner], group.relatives[inner]
        # what the child itself sent up must not come back to it
        evidence[children] += _through(rho, np.maximum(evidence[parents] - sent[children], 0.0))
    latent = evidence[arrays.latents].T
    return latent / (1 + latent)


def twin_covariance(arrays: GraphArrays, rho: float) -> NDArray[np.float64]:
    """Return the covariance of all nodes of the Gaussian twin, shape (n_nodes, n_nodes)."""
    above: list[list[int]] = [[] for _ in range(arrays.n_nodes)]
    for parent, child in zip(arrays.parent, arrays.child, strict=True):
        above[child].append(int(parent))
    covariance = np.eye(arrays.n_nodes)
    for node, parents in enumerate(above):  # nodes are in topological order
        if not parents:
            continue
        spread = np.sqrt(covariance[np.ix_(parents, parents)].sum())
        covariance[node, :node] = rho / spread * covariance[parents, :node].sum(0)
        covariance[:node, node] = covariance[node, :node]
    return covariance


def _by_conditioning(arrays: GraphArrays, masked: NDArray[np.bool_], rho: float) -> NDArray[np.float64]:
    covariance = twin_covariance(arrays, rho)
    leaves, latents = arrays.leaves, arrays.latents
    visible = (~masked).astype(float)
    # masked leaves are replaced by independent ones that tell nothing
    observed = covariance[np.ix_(leaves, leaves)] * visible[:, :, None] * visible[:, None, :]
    index = np.arange(len(leaves))
    observed[:, index, index] = 1.0
    cross = covariance[np.ix_(leaves, latents)] * visible[:, :, None]
    return np.einsum("mxz,mxz->mz", cross, np.linalg.solve(observed, cross))
