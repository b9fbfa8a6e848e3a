"""A Markov chain over the latents of a world of folds that keeps their exact posterior.

A step moves every node of a set along one line through it, to a point drawn from its exact distribution on
that line: along a line a fold is piecewise linear, so the density is Gaussian between the places where some
``w`` changes sign, and each piece has a known mass. The nodes of a set are neither parent and child nor
parents of one child, so they move independently. Each step is a conditional expectation (a projection):
self-adjoint, positive. A sequence of steps followed by the same sequence backwards is therefore positive
too, whatever the sequence:

    Cov(z_0, z_T) >= 0,   so   E (z_0 - z_T)^2 / 2  <=  E Var(z | visible)   for z_0 from the posterior.

The true latents of an image are such a z_0.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import log_ndtr, ndtri_exp

from maestrata.inference.folds import Folds

Array = NDArray[np.float64]
Step = tuple[
    int, NDArray[np.int64], int
]  # set of nodes, child edge that names the direction of each, coordinate


@dataclass(frozen=True)
class _Set:
    """Nodes that move together: their rows, and their child edges padded to one number (pad: False)."""

    nodes: NDArray[np.int64]
    edges: NDArray[np.int64]
    real: NDArray[np.bool_]


class Chain:
    """The latents of n images as they move.

    Parameters
    ----------
    folds : Folds
    z : array (n, rows, d)
        Start: a draw from the posterior, such as the truth.
    visible : bool array (n, tokens)
    """

    def __init__(self, folds: Folds, z: Array, visible: NDArray[np.bool_]) -> None:
        self.folds = folds
        # rows first: a set of nodes is then a stack of matrices
        self._z = np.array(z.swapaxes(0, 1), order="C")
        # what has no visible token below it says nothing about its parents
        self.seen = (visible.astype(np.float32) @ folds.descendants().T.astype(np.float32)) > 0
        self._mean = np.array(folds.means(z).swapaxes(0, 1), order="C")
        self.scale = folds.noise_scale()
        self.sets = _independent_sets(folds)

    @property
    def z(self) -> Array:
        """All rows, (n, rows, d)."""
        return self._z.swapaxes(0, 1)

    @property
    def mean(self) -> Array:
        """Mean of every row given its parents, (n, rows, d)."""
        return self._mean.swapaxes(0, 1)

    def mix(self, sweeps: int, rng: np.random.Generator) -> None:
        """Move along `sweeps` random sweeps over all nodes and directions, then the same backwards."""
        steps = [step for _ in range(sweeps) for step in self._sweep(rng)]
        for step in [*steps, *steps[-2::-1]]:  # the last step is a projection: twice is once
            self._move(step, rng)
        self._draw_unseen(rng)

    def _sweep(self, rng: np.random.Generator) -> list[Step]:
        steps: list[Step] = []
        for i in rng.permutation(len(self.sets)):
            part = self.sets[i]
            pick = (rng.random(len(part.nodes)) * part.real.sum(1)).astype(np.int64)
            edges = part.edges[np.arange(len(part.nodes)), pick]
            steps += [(int(i), edges, int(k)) for k in rng.permutation(self._z.shape[2])]
        return steps

    def _move(self, step: Step, rng: np.random.Generator) -> None:
        part, folds = self.sets[step[0]], self.folds
        edges, z = part.edges, self._z[part.nodes]
        c, g = edges.shape
        n, d = z.shape[1:]
        direction = folds.a[step[1], step[2]]  # (nodes, d): one coordinate of one child's w, of length 1
        maps = folds.a[edges].reshape(c, g * d, d)
        w, rate = z @ maps.swapaxes(1, 2), maps @ direction[..., None]
        rate = np.broadcast_to(rate[:, None, :, 0], w.shape)
        gain = folds.gain[edges].reshape(c, 1, g * d)
        # what an edge has to explain of its child, in the frame of the fold
        child = folds.child[edges]
        rest = (self._z[child] - self._mean[child]) @ folds.b[edges]
        folded = np.abs(w) + folds.fold * w
        wanted = rest.swapaxes(1, 2).reshape(c, n, g * d) + gain * folded
        active = np.repeat(self.seen.T[child] & part.real[..., None], d, axis=1).swapaxes(1, 2) / folds.sigma

        own = self.scale[part.nodes] ** -2.0
        slope = ((self._mean[part.nodes] - z) @ direction[..., None])[..., 0] * own[:, None]
        terms = _terms(w, rate, gain * active, wanted * active, folds.fold)
        t = _draw_on_line(terms, own[:, None], slope, rng)[..., None]

        self._z[part.nodes] = z + t * direction[:, None]
        w = w + t * rate
        change = (gain * (np.abs(w) + folds.fold * w - folded)).reshape(c, n, g, d).swapaxes(1, 2)
        moved = change @ folds.b[edges].swapaxes(2, 3)
        self._mean[child[part.real]] += moved[part.real]

    def _draw_unseen(self, rng: np.random.Generator) -> None:
        """Draw what has no visible token below it from its parents, from the root down."""
        for rows in self.folds.rows.values():
            self._mean[rows] = self.folds.means(self.z).swapaxes(0, 1)[rows]
            fresh = self._mean[rows] + self.scale[rows, None, None] * rng.standard_normal(self._z[rows].shape)
            self._z[rows] = np.where(self.seen.T[rows, :, None], self._z[rows], fresh)


def _terms(w: Array, rate: Array, gain: Array, wanted: Array, fold: float) -> tuple[Array, ...]:
    """Exponents ``-(wanted - gain kappa (w + t rate))^2 / 2`` on both sides of each fold.

    Returns
    -------
    place : where ``w + t rate`` changes sign
    precision, slope, constant of the quadratic in t before it, and their changes there; one array for each.
    """
    up, down = 1.0 + fold, fold - 1.0
    flat = np.abs(rate) < 1e-12
    place = np.where(flat, np.inf, -w / np.where(flat, 1.0, rate))
    first = np.where(np.where(flat, w > 0, rate < 0), up, down)
    second = np.where(np.where(flat, w > 0, rate > 0), up, down)
    sides = []
    for kappa in (first, second):
        lean, miss = gain * kappa * rate, wanted - gain * kappa * w
        sides.append((lean**2, lean * miss, -(miss**2) / 2))
    return place, *sides[0], *(b - a for a, b in zip(*sides, strict=True))


def _draw_on_line(terms: tuple[Array, ...], own: Array, slope: Array, rng: np.random.Generator) -> Array:
    """Draw t (nodes, n) from the density that the terms, a prior precision and slope make, exactly."""
    place, *quadratics = terms
    order = np.argsort(place, axis=-1)
    place = np.take_along_axis(place, order, -1)
    start = [np.sum(q, -1, keepdims=True) for q in quadratics[:3]]
    jumps = [np.cumsum(np.take_along_axis(q, order, -1), -1) for q in quadratics[3:]]
    precision, lean, constant = (np.concatenate([s, s + j], -1) for s, j in zip(start, jumps, strict=True))
    precision += own[..., None]
    lean += slope[..., None]
    center, spread = lean / precision, 1 / np.sqrt(precision)
    edge = np.full((*place.shape[:-1], 1), np.inf)
    low = (np.concatenate([-edge, place], -1) - center) / spread
    high = (np.concatenate([place, edge], -1) - center) / spread
    flip = low > 0  # work in the lower tail, where differences of the normal distribution keep their digits
    low, high = np.where(flip, -high, low), np.where(flip, -low, high)
    below, above = log_ndtr(low), log_ndtr(high)
    # logs throughout: evidence may lie where no floating-point number holds the normal distribution
    with np.errstate(divide="ignore", invalid="ignore"):
        mass = np.where(high > low, above + np.log(-np.expm1(below - above)), -np.inf)
    logs = constant + lean * center / 2 + np.log(spread) + mass
    total = np.cumsum(np.exp(logs - logs.max(-1, keepdims=True)), -1)
    u = rng.random((2, *place.shape[:-1], 1))
    piece = np.minimum((total < u[0] * total[..., -1:]).sum(-1, keepdims=True), place.shape[-1])
    below, mass, center, spread, low, high, flip = (
        np.take_along_axis(part, piece, -1) for part in (below, mass, center, spread, low, high, flip)
    )
    with np.errstate(divide="ignore"):
        at = np.clip(ndtri_exp(np.logaddexp(below, np.log(u[1]) + mass)), low, high)
    drawn: Array = (center + np.where(flip, -at, at) * spread)[..., 0]
    return drawn


def _independent_sets(folds: Folds) -> list[_Set]:
    """Split the latents, greedily from the root, into sets without parent and child or parents of one
    child.
    """
    n = folds.n_latents
    near = np.zeros((folds.n_rows, folds.n_rows), bool)
    near[folds.parent, folds.child] = True
    together = near[:n].astype(int) @ near[:n].T.astype(int) > 0
    clash = near[:n, :n] | near[:n, :n].T | together
    np.fill_diagonal(clash, False)
    color = np.full(n, -1)
    for node in range(n):
        taken = set(color[clash[node]])
        color[node] = next(k for k in range(n) if k not in taken)
    sets = []
    for k in range(color.max() + 1):
        nodes = np.flatnonzero(color == k)
        of_node = [np.flatnonzero(folds.parent == node) for node in nodes]
        width = max(map(len, of_node))
        edges = np.stack([np.pad(f, (0, width - len(f)), mode="edge") for f in of_node])
        real = np.arange(width) < np.array([len(f) for f in of_node])[:, None]
        sets.append(_Set(nodes, edges, real))
    return sets
