"""Where the shared information sits over a whole distribution of masks.

For a graph, mask patches and a masking ratio: the probability that a node is in c, the expected number,
dimension and intrinsic dimension of c by level, its mean level under the highest and the lowest tie, and the
share of masks whose c is unique, each with its Monte Carlo standard error (0 where all masks are enumerated).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from maestrata.errors import GraphError
from maestrata.geometry import TokenGrid
from maestrata.graphs import LatentGraph
from maestrata.masks import MaskPatches
from maestrata.theory.arrays import GraphArrays
from maestrata.theory.ensembles import ENUMERATED, MaskEnsemble, mask_ensemble
from maestrata.theory.profiles import Drawing
from maestrata.theory.shared import READINGS, TIES, shared_of_masks

if TYPE_CHECKING:
    import xarray as xr


def mask_distribution(
    graph: LatentGraph,
    patches: MaskPatches,
    mask_ratio: float,
    drawing: Drawing = "fixed",
    n_masks: int = ENUMERATED,
    rng: np.random.Generator | None = None,
    enumerate_up_to: int = ENUMERATED,
) -> xr.Dataset:
    """Return where c sits under a distribution of masks, both readings, both ties.

    Parameters
    ----------
    graph : LatentGraph
        Its observables are named ``x0`` to ``x{n-1}``, the tokens of the grid in raster order.
    patches : MaskPatches
    mask_ratio : float
    drawing : {"fixed", "independent"}
    n_masks : int
        Masks to draw where there are more than `enumerate_up_to`. On a graph that is no tree every mask costs
        up to three maximum flows (about 2 ms).
    rng : numpy.random.Generator, optional
        Needed only where masks are drawn.
    enumerate_up_to : int
        Most masks that are enumerated.

    Returns
    -------
    xarray.Dataset
        ``p_node(reading, tie, node)``: probability that a latent is in c. By level 1 to L, with dims
        (reading, tie, level): ``p_in_c``, the mean of `p_node`; ``number``, ``dim`` and ``intrinsic_dim``,
        expected over masks (the last NaN where the dimensions rule invertibility out). With dims (reading,
        tie): ``mean_level``, the level of a member of c (the ratio of expectations), and ``tied_share``.
        With dims (reading): ``unique_share``. ``n_masks``. Every one has its standard error, ``*_error``.

    Raises
    ------
    GraphError
        If the observables are not the tokens of the grid.
    MaskError
        If the ratio or the number of masks is out of range, or a generator is missing.
    """
    import xarray as xr

    arrays = GraphArrays(graph)
    tokens = token_of_leaf(graph, patches.grid)
    ensemble = mask_ensemble(patches, mask_ratio, drawing, n_masks, rng, enumerate_up_to)
    variables = distribution(arrays, tokens, ensemble)
    names = [str(arrays.graph.nodes[i]) for i in arrays.latents]
    coords = {"reading": list(READINGS), "tie": list(TIES), "level": _levels(arrays), "node": names}
    node_level = ("node", arrays.level[arrays.latents])
    return xr.Dataset(variables, {**coords, "node_level": node_level}, {"exact": int(ensemble.exact)})


def token_of_leaf(graph: LatentGraph, grid: TokenGrid) -> NDArray[np.int64]:
    """Return the token that each observable is, in the order of ``graph.leaves``, or refuse the graph."""
    expected = {f"x{i}": i for i in range(grid.n_tokens)}
    if set(graph.leaves) != set(expected):
        odd = sorted(set(graph.leaves) ^ set(expected), key=str)[:4]
        raise GraphError(
            f"observables must be x0 to x{grid.n_tokens - 1}, tokens of a {grid.height}x{grid.width} grid; "
            f"these are not in both: {', '.join(map(str, odd))}"
        )
    return np.array([expected[leaf] for leaf in graph.leaves])


def _levels(arrays: GraphArrays) -> NDArray[np.int64]:
    return np.arange(1, arrays.level.max() + 1)


def distribution(
    arrays: GraphArrays, tokens: NDArray[np.int64], ensemble: MaskEnsemble
) -> dict[str, tuple[tuple[str, ...], NDArray[Any]]]:
    """Return the variables of `mask_distribution`, each with its dimensions: without xarray.

    Parameters
    ----------
    arrays : GraphArrays
    tokens : int array (n_leaves,)
        Token that each leaf is.
    ensemble : MaskEnsemble
        The masks.
    """
    sets, tied, unique = shared_of_masks(arrays, ensemble.masked[:, tokens])
    levels = _levels(arrays)
    by_level = ("p_in_c", "number", "dim", "intrinsic_dim")
    axes: dict[str, tuple[str, ...]] = dict.fromkeys(by_level, ("level",))
    axes |= {"p_node": ("node",), "mean_level": (), "tied_share": ()}
    estimates: dict[str, list[tuple[Any, Any]]] = {name: [] for name in axes}  # mean and error
    for reading in READINGS:
        for tie in TIES:
            chosen = sets[reading, tie]
            values = _by_level(arrays, chosen, levels)
            for name in by_level:
                estimates[name].append(ensemble.mean(values[name]))
            estimates["p_node"].append(ensemble.mean(chosen[:, arrays.latents]))
            estimates["tied_share"].append(ensemble.mean(tied[tie] & (reading == "separator")))
            number = values["number"]
            estimates["mean_level"].append(ensemble.ratio(number @ levels, number.sum(1)))
    variables: dict[str, tuple[tuple[str, ...], NDArray[Any]]] = {}
    for name, dims in axes.items():
        for key, parts in zip((name, f"{name}_error"), zip(*estimates[name], strict=True), strict=True):
            stacked = np.reshape(parts, (len(READINGS), len(TIES), *np.shape(parts[0])))
            variables[key] = (("reading", "tie", *dims), stacked)
    # the invertible reading is unique for every mask (Theorem 1)
    share, share_error = ensemble.mean(np.stack([unique, np.ones_like(unique)], 1))
    variables["unique_share"] = (("reading",), share)
    variables["unique_share_error"] = (("reading",), share_error)
    variables["n_masks"] = ((), np.asarray(len(ensemble.masked)))
    return variables


def _by_level(
    arrays: GraphArrays, chosen: NDArray[np.bool_], levels: NDArray[Any]
) -> dict[str, NDArray[Any]]:
    """Per mask and level: share of nodes in c, their number and dimension, and the noise dimensions above."""
    on_level = (arrays.level[:, None] == levels).astype(np.float32)
    # products in 32 bits, which hold these integers exactly
    members = chosen.astype(np.float32)
    number = (members @ on_level).astype(np.float64)
    if arrays.noise_dims is None:
        intrinsic = np.full(number.shape, np.nan)
    else:
        above = (members @ arrays.closure.T.astype(np.float32)) > 0
        intrinsic = above.astype(np.float32) @ (on_level * arrays.noise_dims[:, None].astype(np.float32))
    dim = members @ (on_level * arrays.dims[:, None].astype(np.float32))
    return {"p_in_c": number / on_level.sum(0), "number": number, "dim": dim, "intrinsic_dim": intrinsic}
