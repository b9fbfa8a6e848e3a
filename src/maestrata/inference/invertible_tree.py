"""Posterior on the invertible tree: inversion of what has a visible descendant, Monte Carlo for the rest.

A node is ``M(parent, noise)`` with M invertible, so one visible token determines all its ancestors and
their noise. A node without a visible descendant has no evidence but its lowest determined ancestor: its
posterior is the world run forward from there, by `DRAWS` points of a randomly shifted lattice (one lattice
dimension for every step below the determined ancestor and coordinate of noise; the shift is drawn anew for
every image and node).
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri

from maestrata.inference.base import Levels, Posterior, continuous_posterior, pool_up
from maestrata.random import stream
from maestrata.worlds.base import World
from maestrata.worlds.maps import token_variables

Array = NDArray[np.float64]
DRAWS = 64
BATCH = 512  # images at a time: bounds the memory of the draws


def infer(
    world: World, tokens: NDArray[np.float64], visible: NDArray[np.bool_], noise: bool, dtype: np.dtype[Any]
) -> Posterior:
    """Compute the posterior; see `maestrata.inference.posterior`."""
    known = pool_up(world.grid, visible)
    mean, drawn = invert_tree(world, tokens, known)
    n = len(tokens)
    covariance: Levels = {
        level: np.zeros((n, nodes, world.dims[level], world.dims[level]))
        for level, nodes in world.n_nodes.items()
    }
    rng = stream(world.seed, "inference")
    for start in range(0, n, BATCH):
        rows = slice(start, min(start + BATCH, n))
        views = [{level: part[rows] for level, part in of.items()} for of in (mean, covariance, known)]
        _fill_hidden(world, views[0], views[1], views[2], rng)
    method = f"inversion; {DRAWS} draws for nodes without a visible descendant"
    of_noise = drawn if noise else None
    return continuous_posterior(world, method, tokens, visible, mean, covariance, of_noise, dtype)


def invert_tree(world: World, tokens: Array, known: dict[int, NDArray[np.bool_]]) -> tuple[Levels, Levels]:
    """Recover every node that has a visible descendant, and its noise, from the first such child.

    Returns
    -------
    nodes, noise : dict of arrays
        ``level -> (n, nodes, dim)``; 0 where there is nothing to recover from. (That is the prior mean of
        the noise of a node without a visible descendant, which is independent of everything visible.)
    """
    x = token_variables(world.params["P"], tokens)
    nodes: Levels = {0: x * known[0][..., None]}
    noise: Levels = {}
    for level in range(world.levels):
        joined = world.invert(world.params, level, nodes[level])  # type: ignore[attr-defined]
        dim = world.dims[level + 1]
        noise[level] = joined[..., dim:] * known[level][..., None]
        children = world.grid.children(level + 1)
        first = known[level][:, children[:, 0], None]
        above = np.where(first, joined[:, children[:, 0], :dim], joined[:, children[:, 1], :dim])
        nodes[level + 1] = above * known[level + 1][..., None]
    noise[world.levels] = nodes[world.levels]
    return nodes, noise


def _fill_hidden(
    world: World,
    mean: Levels,
    covariance: Levels,
    known: dict[int, NDArray[np.bool_]],
    rng: np.random.Generator,
) -> None:
    """Fill mean and covariance of the nodes without a visible descendant, in place."""
    lattice = _lattice(DRAWS, world.levels * max(world.noise_spec[0].shape[1], 1))
    # draws of the hidden nodes of the level above: (images, draws, dim) per node, with the images they are of
    above: dict[int, tuple[NDArray[np.int64], Array, NDArray[np.int64]]] = {}
    for level in range(world.levels - 1, -1, -1):
        here: dict[int, tuple[NDArray[np.int64], Array, NDArray[np.int64]]] = {}
        for node, parent in enumerate(world.grid.parent(level)):
            images = np.flatnonzero(~known[level][:, node])
            if not len(images):
                continue
            start = np.broadcast_to(
                mean[level + 1][images, parent][:, None], (len(images), DRAWS, world.dims[level + 1])
            )
            depth = np.zeros(len(images), np.int64)
            if parent in above:
                hidden, values, steps = above[parent]
                where = np.searchsorted(images, hidden)  # hidden images of the parent are hidden here too
                start = start.copy()
                start[where], depth[where] = values, steps + 1
            width = world.noise_spec[level].shape[1]
            columns = depth[:, None] * width + np.arange(width)
            shift = rng.random((len(images), 1, width))
            eps = ndtri(np.clip((lattice.T[columns].swapaxes(1, 2) + shift) % 1.0, 1e-12, 1 - 1e-12))
            values = _child(world, level, node, np.concatenate([start, eps], -1))
            center = values.mean(1)
            apart = values - center[:, None]
            mean[level][images, node] = center
            covariance[level][images, node] = apart.swapaxes(1, 2) @ apart / (DRAWS - 1)
            here[node] = images, values, depth
        above = here


def _child(world: World, level: int, node: int, joined: Array) -> Array:
    params = {f"Q{q}_{level}": world.params[f"Q{q}_{level}"][node : node + 1] for q in range(3)}
    child: Array = world.child(params, level, joined[..., None, :])[..., 0, :]  # type: ignore[attr-defined]
    return child


def _lattice(points: int, dims: int) -> Array:
    """Korobov lattice (points, dims), points a power of two: ``i g^k / points`` modulo 1, with g = 19."""
    powers = np.array([pow(19, k, points) for k in range(dims)])
    return (np.arange(points)[:, None] * powers % points) / points
