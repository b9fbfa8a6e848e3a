"""Supply and demand: what the visible part tells of the latents, and how far a masked leaf needs its help.

Demand. From a masked leaf one climbs to the first ancestor that has a visible leaf below it; what lies
beneath is hidden altogether. The climb grows with the masking ratio, with no optimum inside (docs/theory.md).

Supply. Every node of the Gaussian twin of a graph is one standard normal number, ``z = rho * (sum of parents,
standardised) + sqrt(1 - rho^2) * noise``, and visible leaves are observed exactly. The R2 of every latent
given the visible leaves is then exact: by passing messages on a tree, by dense conditioning on any graph. On
`gaussian_tree` this is the ceiling itself; elsewhere it says what the graph alone would let through at that
correlation per edge.
"""

from __future__ import annotations

from math import comb
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from maestrata.errors import GraphError
from maestrata.masks import visible_count
from maestrata.theory.arrays import GraphArrays
from maestrata.theory.ensembles import MaskEnsemble
from maestrata.theory.profiles import Drawing, check_profile

if TYPE_CHECKING:
    import xarray as xr

_CHUNK = 1024


def demand(
    branching: int = 2,
    levels: int = 6,
    mask_ratio: float = 0.5,
    patch_level: int = 0,
    drawing: Drawing = "independent",
) -> xr.Dataset:
    """Return the climb from a masked leaf on a regular tree, in closed form.

    With independent masks a leaf climbs beyond level l with probability ``r^(b^l - 1)`` (b^l patches below,
    its own being masked), so ``climb = sum_{l=0}^{L-1} r^(b^l - 1)``. With exactly k of n patches masked
    the probability is ``C(n - s, k - s) / C(n - 1, k - 1)``, s = b^l. Where nothing is visible the climb
    ends at the root.

    Parameters
    ----------
    branching, levels, mask_ratio, patch_level, drawing
        As in `maestrata.theory.profiles.level_profile`.

    Returns
    -------
    xarray.Dataset
        ``share(level)``: share of masked leaves whose climb ends at the level, 1 to L; ``climb``: its mean.

    Raises
    ------
    MaskError
        If an argument is out of range.

    Examples
    --------
    >>> [round(float(demand(mask_ratio=r).climb), 2) for r in (.1, .25, .5, .75, .9)]
    [1.1, 1.27, 1.63, 2.32, 3.35]
    """
    import xarray as xr

    check_profile(branching, levels, mask_ratio, patch_level, drawing)
    n = branching ** (levels - patch_level)
    beyond = []
    for level in range(levels):
        # patches under the ancestor at this level, all of which must be masked to climb on
        size = branching ** max(level - patch_level, 0)
        if drawing == "independent":
            beyond.append(float(mask_ratio) ** (size - 1))
        else:
            masked = n - visible_count(n, mask_ratio)
            beyond.append(comb(n - size, masked - size) / comb(n - 1, masked - 1) if size <= masked else 0.0)
    share = -np.diff([*beyond, 0.0])
    return xr.Dataset(
        {"share": ("level", share), "climb": ((), float(sum(beyond)))},
        coords={"level": np.arange(1, levels + 1)},
        attrs={"branching": branching, "mask_ratio": mask_ratio, "drawing": drawing},
    )


def climb_of_masks(arrays: GraphArrays, masked: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Return how far every leaf must climb, for many masks on any graph.

    With several parents the lowest ancestor that has a visible leaf below counts.

    Parameters
    ----------
    arrays : GraphArrays
    masked : bool array (n_masks, n_leaves)

    Returns
    -------
    int64 array (n_masks, n_leaves)
        Level of the first ancestor with a visible leaf below; 0 for a visible leaf; the graph's height where
        there is none.
    """
    height = int(arrays.level.max())
    sees = arrays.above(~masked)
    climb = np.where(sees, arrays.level[:, None], height)
    # down again, parents before children: what does not see takes the lowest of what its parents found
    for group in arrays.downward:
        least = group.reduce(np.minimum, climb[group.relatives])
        climb[group.nodes] = np.where(sees[group.nodes], climb[group.nodes], least)
    return climb[arrays.leaves].T


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
    covariance = np.eye(arrays.n_nodes)
    for node, parents in enumerate(arrays.parents):  # nodes are in topological order
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


def supply_and_demand(
    arrays: GraphArrays, ensemble: MaskEnsemble, masked: NDArray[np.bool_], rho: float
) -> dict[str, tuple[NDArray[np.float64], NDArray[np.float64]]]:
    """Return the supply by level, the demand by level, and the mean climb, over an ensemble of masks.

    Parameters
    ----------
    arrays : GraphArrays
    ensemble : MaskEnsemble
    masked : bool array (n_masks, n_leaves)
        Its masks, in the order of ``graph.leaves``; none of them empty.
    rho : float
        Correlation per edge of the Gaussian twin.

    Returns
    -------
    dict
        ``supply`` (levels,), ``demand`` (levels,), ``climb`` (): means over masks with their standard errors.
    """
    levels = np.arange(1, arrays.level.max() + 1)
    on_level = (arrays.level[arrays.latents][:, None] == levels).astype(float)
    supplied = supply_of_masks(arrays, masked, rho) @ (on_level / on_level.sum(0))
    climb = climb_of_masks(arrays, masked)
    count = masked.sum(1)
    shares = np.stack([((climb == level) & masked).sum(1) / count for level in levels], 1)
    return {
        "supply": ensemble.mean(supplied),
        "demand": ensemble.mean(shares),
        "climb": ensemble.mean((climb * masked).sum(1) / count),
    }
