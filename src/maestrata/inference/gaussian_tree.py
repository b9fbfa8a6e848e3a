"""Posterior on the Gaussian tree by message passing, for all images and masks at once.

Maps are orthogonal and noise isotropic, so every message has a scalar precision: a child with evidence of
precision ``a`` and information vector ``b`` sends its parent

    precision  rho^2 a / (1 + s^2 a),      information  rho Q^T b / (1 + s^2 a),      s^2 = 1 - rho^2

(a visible token: a -> infinity). The cost is linear in images and nodes, whatever the masks.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from maestrata.inference.base import Levels, Posterior, continuous_posterior
from maestrata.inference.linear_gaussian import GaussianModel
from maestrata.worlds.base import World
from maestrata.worlds.maps import apply_maps, token_variables


def infer(
    world: World, tokens: NDArray[np.float64], visible: NDArray[np.bool_], noise: bool, dtype: np.dtype[Any]
) -> Posterior:
    """Compute the posterior; see `maestrata.inference.posterior`."""
    rho, top, dim = world.settings["rho"], world.levels, world.dims[0]
    s2 = 1 - rho**2
    x = token_variables(world.params["P"], tokens) * visible[..., None]

    # upward: precision (n, nodes) and information (n, nodes, dim) from below, and as sent to the parent
    below_a: Levels = {}
    below_b: Levels = {}
    sent_a: Levels = {0: visible * (rho**2 / s2)}
    sent_b: Levels = {0: apply_maps(world.params["Q0"].swapaxes(-1, -2), x) * (rho / s2)}
    for level in range(1, top + 1):
        children = world.grid.children(level)
        below_a[level] = sent_a[level - 1][:, children].sum(2)
        below_b[level] = sent_b[level - 1][:, children].sum(2)
        if level < top:
            shrink = 1 / (1 + s2 * below_a[level])
            sent_a[level] = rho**2 * below_a[level] * shrink
            sent_b[level] = apply_maps(world.params[f"Q{level}"].swapaxes(-1, -2), below_b[level]) * (
                rho * shrink[..., None]
            )

    # downward: mean (n, nodes, dim) and scalar variance (n, nodes)
    variance: Levels = {top: 1 / (1 + below_a[top])}
    mean: Levels = {top: below_b[top] * variance[top][..., None]}
    for level in range(top - 1, -1, -1):
        parent = world.grid.parent(level)
        # the parent without what this child told it: precision at least 1, that of its prior
        cavity_a = 1 / variance[level + 1][:, parent] - sent_a[level]
        cavity_b = (mean[level + 1] / variance[level + 1][..., None])[:, parent] - sent_b[level]
        prior = rho * apply_maps(world.params[f"Q{level}"], cavity_b / cavity_a[..., None])
        prior_variance = rho**2 / cavity_a + s2
        if level:
            variance[level] = 1 / (1 / prior_variance + below_a[level])
            mean[level] = (prior / prior_variance[..., None] + below_b[level]) * variance[level][..., None]
        else:
            variance[0] = np.where(visible, 0.0, prior_variance)
            mean[0] = np.where(visible[..., None], x, prior)

    drawn: Levels | None = None
    if noise:
        drawn = {top: mean[top]}
        for level in range(top):
            expected = rho * apply_maps(
                world.params[f"Q{level}"], mean[level + 1][:, world.grid.parent(level)]
            )
            drawn[level] = (mean[level] - expected) / np.sqrt(s2)
    covariance = {level: v[..., None, None] * np.eye(dim) for level, v in variance.items()}
    return continuous_posterior(world, "closed form", tokens, visible, mean, covariance, drawn, dtype)


def joint(world: World) -> GaussianModel:
    """Return the joint of latents and token variables, named as in ``world.graph``."""
    rho, top = world.settings["rho"], world.node_names(world.levels)[0]
    weights, noise = {}, {top: np.eye(world.dims[world.levels])}
    for level in range(world.levels):
        above = world.node_names(level + 1)
        for i, (name, p) in enumerate(zip(world.node_names(level), world.grid.parent(level), strict=True)):
            weights[above[p], name] = rho * world.params[f"Q{level}"][i]
            noise[name] = (1 - rho**2) * np.eye(world.dims[level])
    return GaussianModel.from_dag(world.graph, weights, noise)


def explained(world: World) -> dict[int, float]:
    """Share of the variance of tokens that the latents of each level explain, ``rho**(2 level)``."""
    return {level: float(world.settings["rho"] ** (2 * level)) for level in range(1, world.levels + 1)}


def information(world: World, masked: Sequence[str], visible: Sequence[str], given: Sequence[str]) -> float:
    """I(masked; visible | given) in nats, from log-determinants."""
    return joint(world).mutual_information(masked, visible, given)
