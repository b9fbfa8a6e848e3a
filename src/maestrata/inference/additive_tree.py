"""Posterior on the additive tree with 2-dimensional nodes, by belief propagation on grids (see `grid`).

The step is at most a quarter of the noise's deviation. Each image is first tried on a core grid, which
holds all but the outermost values of every node; images that lean against its rim are done again on a wide
one.
"""

from __future__ import annotations

from math import sqrt
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np
from numpy.typing import NDArray

from maestrata.errors import InferenceError
from maestrata.inference.base import Levels, Posterior, continuous_posterior, pool_up
from maestrata.inference.grid import LIFT, Edge, NodeGrid, combine, flush, product
from maestrata.random import stream
from maestrata.worlds.base import World
from maestrata.worlds.maps import token_variables

Array = NDArray[np.float64]
Float32 = NDArray[np.float32]
EXACT = {"dim": 2}
COST = 20  # milliseconds of a core for an image of 16 tokens
STEPS_PER_SIGMA = 4
CORE, RANGE_DRAWS = 0.9995, 65_536
RIM_MASS = 0.01  # posterior mass within two sigma of the core's rim that sends an image to the wide grid
MEMORY = 1 << 24  # numbers held at a time
Moments = tuple[Levels, Levels, Levels]
"""Posterior means and covariances, and means of each node given its parent's posterior: what differs from
these is the noise."""
_CACHE: WeakKeyDictionary[World, dict[Any, TreeGrid]] = WeakKeyDictionary()


def infer(
    world: World,
    tokens: NDArray[np.float64],
    visible: NDArray[np.bool_],
    noise: bool,
    dtype: np.dtype[Any],
    steps_per_sigma: int = STEPS_PER_SIGMA,
) -> Posterior:
    """Compute the posterior; see `maestrata.inference.posterior`. `steps_per_sigma`: points per noise
    deviation.
    """
    if world.dims[0] != 2:
        raise InferenceError(
            f"additive_tree with dim={world.dims[0]} has no exact posterior (on a grid: dim=2 only); "
            "maestrata.inference.bounds gives bounds"
        )
    n, sigma = len(tokens), sqrt(1 - world.settings["rho"] ** 2)
    x = token_variables(world.params["P"], tokens)
    mean, covariance, predicted = moments = _no_moments(world, n)
    todo = np.arange(n)
    rim = np.zeros(n)
    for wide in (False, True):
        if len(todo):
            rim[todo] = _tree_grid(world, steps_per_sigma, wide).fill(x, visible, moments, todo)
        todo = np.flatnonzero(~(rim <= RIM_MASS))
    lost = np.flatnonzero(~(rim <= 0.5))
    if len(lost):
        raise InferenceError(
            f"image {lost[0]} is not of this world: its visible tokens ask for latents beyond all "
            f"of {RANGE_DRAWS} draws with noise half as large again (inference on a grid)"
        )
    mean[0] = np.where(visible[..., None], x, mean[0])
    covariance[0] *= ~visible[..., None, None]
    drawn: Levels | None = None
    if noise:
        drawn = {level: (mean[level] - predicted[level]) / sigma for level in range(world.levels)}
        drawn[world.levels] = mean[world.levels]
    method = f"belief propagation on a grid, {steps_per_sigma} steps per noise deviation"
    return continuous_posterior(world, method, tokens, visible, mean, covariance, drawn, dtype)


def halving_error(world: World, tokens: Array, visible: NDArray[np.bool_]) -> dict[int, float]:
    """Root mean square change of the posterior means at half the step: ``level -> value``.

    On the images that the core grid serves; a node's deviation is about 1.
    """
    means = []
    x = token_variables(world.params["P"], tokens)
    kept = np.ones(len(x), bool)
    for steps in (STEPS_PER_SIGMA, 2 * STEPS_PER_SIGMA):
        moments = _no_moments(world, len(x))
        rim = TreeGrid(world, steps, wide=False).fill(x, visible, moments, np.arange(len(x)))
        kept &= rim <= RIM_MASS
        means.append(moments[0])
    if not kept.any():
        raise InferenceError(f"none of {len(x)} images is served by the core grid: give more images")
    coarse, fine = means
    return {level: float(np.sqrt(np.mean((coarse[level] - fine[level])[kept] ** 2))) for level in coarse}


def _no_moments(world: World, n: int) -> Moments:
    mean, covariance, predicted = (
        {level: np.zeros((n, nodes, *shape)) for level, nodes in world.n_nodes.items()}
        for shape in ((2,), (2, 2), (2,))
    )
    return mean, covariance, predicted


def _tree_grid(world: World, steps_per_sigma: int, wide: bool) -> TreeGrid:
    made = _CACHE.setdefault(world, {})
    if (steps_per_sigma, wide) not in made:
        made[steps_per_sigma, wide] = TreeGrid(world, steps_per_sigma, wide)
    return made[steps_per_sigma, wide]


class TreeGrid:
    """Grids of all latents of a world, and the operators between them."""

    def __init__(self, world: World, steps_per_sigma: int, wide: bool) -> None:
        self.tree, self.levels = world.grid, world.levels
        self.sigma = sqrt(1 - world.settings["rho"] ** 2)
        self.grids = _cover(world, self.sigma / steps_per_sigma, wide)
        # evidence and message of every node are held at once
        self.batch = max(4, MEMORY // (2 * sum(grid.size for grid in self.grids.values())))
        self.edges: dict[tuple[int, int], Edge] = {}
        self.features: dict[tuple[int, int], Float32] = {}
        self.evidence: dict[int, Float32] = {}
        for (level, node), grid in self.grids.items():
            made = [
                self._child_means(world, level - 1, child, grid) for child in self.tree.children(level)[node]
            ]
            if level == 1:
                # exponent of N(x; F, sigma^2) over the grid, linear in (x, 1) for each of the two tokens
                parts = [np.column_stack([f, -np.square(f).sum(1) / 2]) / self.sigma**2 for f in made]
                self.evidence[node] = np.hstack(parts).astype(np.float32)
            else:
                for child, f in zip(self.tree.children(level)[node], made, strict=True):
                    self.edges[level - 1, child] = Edge(grid, self.grids[level - 1, child], f, self.sigma)
            columns = [np.ones(grid.size), grid.rim(2 * self.sigma)]
            for values in [grid.points, *made]:
                columns += [*values.T, values[:, 0] ** 2, values[:, 0] * values[:, 1], values[:, 1] ** 2]
            self.features[level, node] = flush(np.array(columns, np.float32))

    @staticmethod
    def _child_means(world: World, level: int, child: int, grid: NodeGrid) -> Array:
        """F(u) = rho f(u) of one child over its parent's grid, (points, 2)."""
        a, b = world.params[f"A{level}"][child], world.params[f"B{level}"][child]
        w = grid.points @ a.T
        folded = np.abs(w) + world.settings["fold"] * w
        standard = (folded - world.params[f"mean{level}"][child]) / world.params[f"scale{level}"][child]
        means: Array = world.settings["rho"] * standard @ b.T
        return means

    def fill(self, x: Array, visible: NDArray[np.bool_], out: Moments, rows: NDArray[np.int64]) -> Array:
        """Fill posterior moments at `rows` of `out`; return the largest mass on a rim, NaN where all is 0."""
        batches = np.split(rows, range(self.batch, len(rows), self.batch))
        return np.concatenate([self._fill(x[part], visible[part], out, part) for part in batches])

    def _fill(self, x: Array, visible: NDArray[np.bool_], out: Moments, rows: NDArray[np.int64]) -> Array:
        seen = pool_up(self.tree, visible)
        evidence: dict[tuple[int, int], Float32] = {}
        message: dict[tuple[int, int], Float32] = {}
        for level in range(1, self.levels + 1):
            for node, children in enumerate(self.tree.children(level)):
                if level == 1:
                    evidence[1, node] = self._token_evidence(node, x[:, children], visible[:, children])
                    continue
                for child in children:
                    sent = self.edges[level - 1, child].up(evidence[level - 1, child])
                    sent[:, ~seen[level - 1][:, child]] = 1.0
                    message[level - 1, child] = sent
                evidence[level, node] = combine(*(message[level - 1, child] for child in children))

        rim = np.zeros(len(x))
        root = self.grids[self.levels, 0]
        prior = {0: np.exp(-np.square(root.points).sum(1, keepdims=True) / 2).astype(np.float32)}
        for level in range(self.levels, 0, -1):
            below: dict[int, Float32] = {}
            for node, children in enumerate(self.tree.children(level)):
                belief = combine(evidence.pop((level, node)), prior[node])
                self._moments(level, node, belief, out, rows, rim)
                if level > 1:
                    for child, other in (children, children[::-1]):
                        cavity = combine(prior[node], message[level - 1, other])
                        below[child] = self.edges[level - 1, child].down(cavity)
            prior = below
        return rim

    def _token_evidence(self, node: int, x: Array, visible: NDArray[np.bool_]) -> Float32:
        features = np.concatenate([x, np.ones((*x.shape[:2], 1))], -1) * visible[..., None]
        logs: Float32 = self.evidence[node] @ features.reshape(len(x), -1).T.astype(np.float32)
        logs -= logs.max(0)
        return flush(np.exp(logs, out=logs))

    def _moments(self, level: int, node: int, belief: Float32, out: Moments, rows: Any, rim: Array) -> None:
        mean, covariance, predicted = out
        sums = product(self.features[level, node], LIFT * belief).astype(np.float64)
        with np.errstate(invalid="ignore", divide="ignore"):
            sums /= sums[0]
        np.maximum(rim, sums[1], out=rim)
        parts = sums[2:].T.reshape(len(rows), 3, 5)
        mean[level][rows, node] = parts[:, 0, :2]
        covariance[level][rows, node] = _spread(parts[:, 0])
        for part, child in zip((1, 2), self.tree.children(level)[node], strict=True):
            predicted[level - 1][rows, child] = parts[:, part, :2]
            if level == 1:  # a masked token is its mean given the parent plus its own noise
                mean[0][rows, child] = parts[:, part, :2]
                covariance[0][rows, child] = _spread(parts[:, part]) + self.sigma**2 * np.eye(2)


def _spread(moments: Array) -> Array:
    """Covariances (n, 2, 2) from raw moments (n, 5): both means, then second moments 11, 12, 22."""
    first, second = moments[:, :2], moments[:, [2, 3, 3, 4]].reshape(-1, 2, 2)
    spread: Array = second - first[:, :, None] * first[:, None, :]
    return spread


def _cover(world: World, step: float, wide: bool) -> dict[tuple[int, int], NodeGrid]:
    """Choose every node's grid from the range of its values in a large sample of the world."""
    sigma = sqrt(1 - world.settings["rho"] ** 2)
    noise = world.draw(RANGE_DRAWS, stream(world.seed, "inference", 0))
    # the wide grid holds what noise half as large again makes: no image of the world is beyond that
    sample = world.generate({level: (1.5 if wide else 1.0) * eps for level, eps in noise.items()})
    grids = {}
    for level in range(world.levels, 0, -1):
        for node in range(world.n_nodes[level]):
            frame = world.params[f"B{level}"][node] if level < world.levels else np.eye(2)
            values = sample.latents[level][:, node].astype(np.float64) @ frame
            ends = (values.min(0), values.max(0)) if wide else np.quantile(values, [1 - CORE, CORE], axis=0)
            margin = 2 * sigma
            if level == world.levels:  # N(0, I): nothing but its own tail bounds it
                ends, margin = (np.full(2, -5.0), np.full(2, 5.0)), 1.5 * wide
            grids[level, node] = NodeGrid.cover(frame, ends[0] - margin, ends[1] + margin, step)
    return grids
