"""What the trees with additive noise share: settings, noise, and the way from the root to the pixels."""

from __future__ import annotations

import abc
from collections.abc import Mapping
from math import sqrt
from typing import Any

import numpy as np

from maestrata.random import stream
from maestrata.worlds.base import Noise, NoiseSpec, World
from maestrata.worlds.checks import check_number
from maestrata.worlds.maps import draw_token_map, tokens_to_images


class NoisyTree(World):
    """Base of the worlds in which ``child = child_mean(parent) + sqrt(1 - rho**2) noise``.

    A token's variable has the dimension of the nodes; its pixels are an orthonormal map of it (``P``).

    Parameters
    ----------
    seed : int
    leaves : int
        Tokens, a power of two.
    dim : int
        Dimension of every node, 1 to the values in a token.
    rho : float
        Correlation of a child with what its parents say of it, in [0, 1).
    token_pixels : int
        Side of a token.
    **settings
        Those that only some of these worlds have, checked.
    """

    def __init__(
        self, seed: int, leaves: int, dim: int, rho: float, token_pixels: int, **settings: float
    ) -> None:
        super().__init__(
            seed, leaves=leaves, token_pixels=token_pixels, settings={"dim": dim, "rho": rho, **settings}
        )
        check_number(self.name, "dim", dim, 1, self.token_values, integer=True)
        check_number(self.name, "rho", rho, 0, 1 - 1e-6)
        self.dims = dict.fromkeys(range(self.levels + 1), dim)
        self.noise_spec = {level: NoiseSpec("normal", (n, dim)) for level, n in self.n_nodes.items()}
        rng = stream(seed, "world")
        for level in range(self.levels - 1, -1, -1):
            self._draw(rng, level)
        self.params["P"] = draw_token_map(rng, self.grid.n_tokens, self.token_values, dim)
        self._complete(rng)

    @property
    def sigma(self) -> float:
        """Standard deviation of a node's own noise, ``sqrt(1 - rho**2)``."""
        return sqrt(1 - self.settings["rho"] ** 2)

    @abc.abstractmethod
    def _draw(self, rng: np.random.Generator, level: int) -> None:
        """Draw the functions that lead to the nodes at a level, into `params`."""

    def _complete(self, rng: np.random.Generator) -> None:
        """Add to `params`, and to `noise_spec`, what follows when all levels and ``P`` are drawn."""

    @abc.abstractmethod
    def child_mean(self, params: Mapping[str, Any], level: int, parents: Any) -> Any:
        """Return E[node at `level` | parent], (..., nodes_level, dim), from the nodes at ``level + 1``."""

    def forward(self, params: Mapping[str, Any], noise: Noise) -> tuple[Any, dict[int, Any]]:
        """Map noise to images and latents; see `World.forward`."""
        u = noise[self.levels]
        latents = {self.levels: u}
        for level in range(self.levels - 1, 0, -1):
            u = latents[level] = self.child_mean(params, level, u) + self.sigma * noise[level]
        tokens = self.child_mean(params, 0, u) + self.sigma * noise[0]
        return tokens_to_images(params["P"], tokens, self.grid, self.token_pixels), latents
