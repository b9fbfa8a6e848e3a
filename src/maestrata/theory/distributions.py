"""Where the shared information sits over a whole distribution of masks.

For a graph, mask patches and a masking ratio: the probability that a node is in c, the expected number,
dimension and intrinsic dimension of c by level, its mean level under the highest and the lowest tie, and the
share of masks whose c is unique, each with its Monte Carlo standard error (0 where all masks are enumerated).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, get_args

import numpy as np
from numpy.typing import NDArray

from maestrata.errors import GraphError
from maestrata.geometry import TokenGrid
from maestrata.graphs import LatentGraph
from maestrata.masks import MaskPatches
from maestrata.theory.arrays import GraphArrays
from maestrata.theory.ensembles import ENUMERATED, MaskEnsemble, mask_ensemble
from maestrata.theory.flow import Tie, separators_by_flow
from maestrata.theory.profiles import Drawing
from maestrata.theory.shared import Reading, lowest_shared
from maestrata.theory.trees import colour, separators_by_tree

if TYPE_CHECKING:
    import xarray as xr

READINGS: tuple[Reading, ...] = get_args(Reading)
TIES: tuple[Tie, ...] = get_args(Tie)

# masks worked on at once, so that the arrays of a 64-leaf tree stay in the cache
_CHUNK = 1024


def tree_graph(grid: TokenGrid, dims: dict[int, int] | None = None) -> LatentGraph:
    """Return the binary tree over a token grid: nodes ``z{level}.{i}``, tokens ``x{i}``, i in raster order.

    Parameters
    ----------
    grid : TokenGrid
    dims : dict, optional
        Dimension by level, 0 (tokens) to L; 1 where a level is not named.
    """
    names = [
        [f"z{level}.{i}" if level else f"x{i}" for i in range(grid.n_nodes(level))]
        for level in range(grid.levels + 1)
    ]
    edges = [
        (names[level + 1][parent], names[level][i])
        for level in range(grid.levels - 1, -1, -1)
        for i, parent in enumerate(grid.parent(level))
    ]
    by_node = {name: (dims or {}).get(level, 1) for level, row in enumerate(names) for name in row}
    return LatentGraph(edges, by_node)


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
    arrays = GraphArrays(graph)
    tokens = token_of_leaf(graph, patches.grid)
    ensemble = mask_ensemble(patches, mask_ratio, drawing, n_masks, rng, enumerate_up_to)
    masked = ensemble.masked[:, tokens]
    sets, tied, unique = shared_of_masks(arrays, masked)
    return _summary(arrays, ensemble, sets, tied, unique)


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


def shared_of_masks(
    arrays: GraphArrays, masked: NDArray[np.bool_]
) -> tuple[dict[tuple[Reading, Tie], NDArray[np.bool_]], dict[Tie, NDArray[np.bool_]], NDArray[np.bool_]]:
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
    solve = _separators_of_tree if arrays.graph.is_tree else _separators_of_dag
    chunks = [solve(arrays, masked[i : i + _CHUNK]) for i in range(0, len(masked), _CHUNK)]
    sets: dict[tuple[Reading, Tie], NDArray[np.bool_]] = {}
    lowest = np.concatenate(
        [lowest_shared(arrays, masked[i : i + _CHUNK]) for i in range(0, len(masked), _CHUNK)]
    )
    for tie in TIES:
        sets["separator", tie] = np.concatenate([chunk[0][tie] for chunk in chunks])
        sets["invertible", tie] = lowest
    tied = {tie: np.concatenate([chunk[1][tie] for chunk in chunks]) for tie in TIES}
    return sets, tied, np.concatenate([chunk[2] for chunk in chunks])


def _separators_of_tree(arrays: GraphArrays, masked: NDArray[np.bool_]) -> Any:
    def solve(tie: Tie | None, near: Any, where: NDArray[np.bool_]) -> NDArray[np.bool_]:
        return separators_by_tree(arrays, masked[where], tie, near)

    every = np.ones(len(masked), bool)
    sides = [solve(None, near, every) for near in ("visible", "masked")]
    unique = (sides[0] == sides[1]).all(1)
    sets, tied = {}, {}
    for tie in TIES:
        sets[tie], tied[tie] = sides[0].copy(), np.zeros(len(masked), bool)
        # the only smallest set is highest and lowest at once
        if tie == "highest" and arrays.monotone:
            sets[tie][~unique] = colour(arrays, masked[~unique])
        elif not unique.all():
            sets[tie][~unique] = solve(tie, "visible", ~unique)
        if not unique.all():
            tied[tie][~unique] = (solve(tie, "masked", ~unique) != sets[tie][~unique]).any(1)
    return sets, tied, unique


def _separators_of_dag(arrays: GraphArrays, masked: NDArray[np.bool_]) -> Any:
    sets = {tie: np.zeros((len(masked), arrays.n_nodes), bool) for tie in TIES}
    tied = {tie: np.zeros(len(masked), bool) for tie in TIES}
    unique = np.ones(len(masked), bool)
    for i, mask in enumerate(masked):
        if mask.all() or not mask.any():
            continue
        cuts = separators_by_flow(arrays, mask, TIES)
        unique[i] = cuts.unique
        for tie in TIES:
            sets[tie][i, cuts.sets[tie]] = True
            tied[tie][i] = cuts.tied[tie]
    return sets, tied, unique


def _summary(
    arrays: GraphArrays,
    ensemble: MaskEnsemble,
    sets: dict[tuple[Reading, Tie], NDArray[np.bool_]],
    tied: dict[Tie, NDArray[np.bool_]],
    unique: NDArray[np.bool_],
) -> xr.Dataset:
    import xarray as xr

    levels = np.arange(1, arrays.level.max() + 1)
    names = [str(arrays.graph.nodes[i]) for i in arrays.latents]
    shape = (len(READINGS), len(TIES))
    by_level = ("p_in_c", "number", "dim", "intrinsic_dim")
    sizes = dict.fromkeys(by_level, (len(levels),)) | {
        "p_node": (len(names),),
        "mean_level": (),
        "tied_share": (),
    }
    mean = {name: np.full((*shape, *size), np.nan) for name, size in sizes.items()}
    error = {name: np.full((*shape, *size), np.nan) for name, size in sizes.items()}

    def put(name: str, at: tuple[int, int], estimate: tuple[Any, Any]) -> None:
        mean[name][at], error[name][at] = estimate

    for i, reading in enumerate(READINGS):
        for j, tie in enumerate(TIES):
            chosen = sets[reading, tie]
            at = (i, j)
            tie_left = tied[tie] if reading == "separator" else np.zeros(len(chosen), bool)
            values = _by_level(arrays, chosen, levels)
            for name in by_level:
                put(name, at, ensemble.mean(values[name]))
            put("p_node", at, ensemble.mean(chosen[:, arrays.latents]))
            put("tied_share", at, ensemble.mean(tie_left))
            number = values["number"]
            put("mean_level", at, ensemble.ratio(number @ levels, number.sum(1)))
    axes: dict[str, tuple[str, ...]] = dict.fromkeys(by_level, ("reading", "tie", "level"))
    axes |= {
        "p_node": ("reading", "tie", "node"),
        "mean_level": ("reading", "tie"),
        "tied_share": ("reading", "tie"),
    }
    variables: dict[str, Any] = {}
    for name, dims in axes.items():
        variables[name] = (dims, mean[name])
        variables[f"{name}_error"] = (dims, error[name])
    # the invertible reading is unique for every mask (Theorem 1)
    share, share_error = ensemble.mean(np.stack([unique, np.ones_like(unique)], 1))
    variables["unique_share"] = ("reading", share)
    variables["unique_share_error"] = ("reading", share_error)
    variables["n_masks"] = ((), len(ensemble.masked))
    coords = {"reading": list(READINGS), "tie": list(TIES), "level": levels, "node": names}
    node_level = ("node", arrays.level[arrays.latents])
    return xr.Dataset(variables, {**coords, "node_level": node_level}, {"exact": int(ensemble.exact)})


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
