"""Worlds of folds with additive noise (those whose class says `folds`) as one list of edges.

Every node is ``c = sum_e F_e(parent_e) + sigma eps`` with ``F_e(u) = gain_e B_e (|w| + fold w - mean_e)``,
``w = A_e u``, the gain per coordinate. A root is its noise.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from math import sqrt
from typing import Any

import numpy as np
from numpy.typing import NDArray

from maestrata.errors import InferenceError
from maestrata.worlds.base import World

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Folds:
    """The edges of a world. Rows count the nodes: level L, then L - 1, down to the tokens, raster order in
    each.

    Attributes
    ----------
    rows : dict
        ``level -> slice`` of the rows of a level.
    parent, child : int arrays (edges,)
        Rows.
    a, b : arrays (edges, d, d)
    gain, mean : arrays (edges, d)
    fold, sigma : float
    """

    rows: dict[int, slice]
    parent: NDArray[np.int64]
    child: NDArray[np.int64]
    a: Array
    b: Array
    gain: Array
    mean: Array
    fold: float
    sigma: float

    @classmethod
    def of(cls, world: World) -> Folds:
        """Read the edges of a world.

        Raises
        ------
        InferenceError
            If the world is not made of folds.
        """
        if not world.folds:
            raise InferenceError(f"world {world.name!r} is not made of folds: ask for its posterior")
        p, rho = world.params, world.settings["rho"]
        ends = np.cumsum([0, *(world.n_nodes[level] for level in range(world.levels, -1, -1))])
        rows = {world.levels - k: slice(int(a), int(b)) for k, (a, b) in enumerate(pairwise(ends))}
        parts: dict[str, list[NDArray[Any]]] = {
            key: [] for key in ("parent", "child", "a", "b", "gain", "mean")
        }
        for level in range(world.levels - 1, -1, -1):
            nodes, slots = world.n_nodes[level], len(p[f"A{level}"]) // world.n_nodes[level]
            above = p.get(f"parent{level}", rows[level + 1].start + world.grid.parent(level))
            share = p.get(f"share{level}", np.ones((nodes, 1)))
            used = np.flatnonzero(share[:, 0])  # an empty slot has weight 0
            parts["parent"].append(above[used])
            parts["child"].append(np.tile(rows[level].start + np.arange(nodes), slots)[used])
            parts["a"].append(p[f"A{level}"][used])
            parts["b"].append(p[f"B{level}"][used])
            parts["gain"].append((rho * share / p[f"scale{level}"])[used])
            parts["mean"].append(p[f"mean{level}"][used])
        joined = {key: np.concatenate(values) for key, values in parts.items()}
        return cls(rows, **joined, fold=float(world.settings["fold"]), sigma=sqrt(1 - rho**2))

    @property
    def n_latents(self) -> int:
        """Rows of latents; those of tokens follow."""
        return self.rows[0].start

    @property
    def n_rows(self) -> int:
        """All rows."""
        return self.rows[0].stop

    def descendants(self) -> NDArray[np.bool_]:
        """Return which tokens are below each row, or are it: (rows, tokens)."""
        below = np.zeros((self.n_rows, self.n_rows - self.n_latents), bool)
        below[self.n_latents :] = np.eye(below.shape[1], dtype=bool)
        for edge in np.argsort(-self.child, kind="stable"):  # children before their parents
            below[self.parent[edge]] |= below[self.child[edge]]
        return below

    def contribution(self, edges: NDArray[np.int64], parents: Array) -> Array:
        """Return ``F_e`` of each edge (n, edges, d) from the values of its parent (n, edges, d)."""
        w = np.einsum("eij,nej->nei", self.a[edges], parents, optimize=True)
        folded = self.gain[edges] * (np.abs(w) + self.fold * w - self.mean[edges])
        out: Array = np.einsum("eij,nej->nei", self.b[edges], folded, optimize=True)
        return out

    def means(self, z: Array) -> Array:
        """Return the mean of every row given its parents, (n, rows, d); 0 for a root."""
        out = np.zeros_like(z)
        parts = self.contribution(np.arange(len(self.parent)), z[:, self.parent])
        for edge, child in enumerate(self.child):
            out[:, child] += parts[:, edge]
        return out

    def noise_scale(self) -> Array:
        """Return the deviation of each row's noise, (rows,): 1 for a root."""
        scale = np.full(self.n_rows, self.sigma)
        scale[np.setdiff1d(np.arange(self.n_rows), self.child)] = 1.0
        return scale
