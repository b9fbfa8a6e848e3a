"""The linear case: a Gaussian tree, in which every posterior and every loss is known in closed form."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from maestrata.worlds.maps import apply_maps, orthogonal, to_children
from maestrata.worlds.trees import NoisyTree


class GaussianTree(NoisyTree):
    """Gaussian tree: ``child = rho Q parent + sqrt(1 - rho**2) noise``, Q orthogonal, every node N(0, I).

    Parameters
    ----------
    seed : int
    leaves, dim, token_pixels : int
        As in `NoisyTree`.
    rho : float
        Correlation of child and parent, in [0, 1). The root stays recoverable from ever deeper leaves only
        where ``2 rho**2 > 1`` (Kesten and Stigum).
    """

    name = "gaussian_tree"

    def __init__(
        self, seed: int, leaves: int = 16, dim: int = 4, rho: float = 0.9, token_pixels: int = 2
    ) -> None:
        super().__init__(seed, leaves, dim, rho, token_pixels)

    def _draw(self, rng: np.random.Generator, level: int) -> None:
        self.params[f"Q{level}"] = orthogonal(rng, (self.n_nodes[level],), self.settings["dim"])

    def child_mean(self, params: Mapping[str, Any], level: int, parents: Any) -> Any:
        """Return E[node at `level` | parent]; see `NoisyTree`."""
        return self.settings["rho"] * apply_maps(params[f"Q{level}"], to_children(parents, self.grid, level))
