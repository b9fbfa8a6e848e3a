"""The linear case: a Gaussian tree, in which every posterior and every loss is known in closed form."""

from __future__ import annotations

from collections.abc import Mapping
from math import sqrt
from typing import Any

from maestrata.random import stream
from maestrata.worlds.base import Noise, NoiseSpec, World, apply_maps, check_number, orthogonal, to_children
from maestrata.worlds.pixels import draw_token_map, tokens_to_images


class GaussianTree(World):
    """Gaussian tree: ``child = rho Q parent + sqrt(1 - rho**2) noise``, Q orthogonal, every node N(0, I).

    Parameters
    ----------
    seed : int
    leaves : int
        Tokens, a power of two.
    dim : int
        Dimension of every node, 1 to the values in a token.
    rho : float
        Correlation of child and parent, in [0, 1). The root stays recoverable from ever deeper leaves only
        where ``2 rho**2 > 1`` (Kesten and Stigum).
    token_pixels : int
        Side of a token.
    """

    name = "gaussian_tree"

    def __init__(
        self, seed: int, leaves: int = 16, dim: int = 4, rho: float = 0.9, token_pixels: int = 2
    ) -> None:
        super().__init__(seed, leaves=leaves, token_pixels=token_pixels, settings={"dim": dim, "rho": rho})
        check_number(self.name, "dim", dim, 1, self.token_values, integer=True)
        check_number(self.name, "rho", rho, 0, 1 - 1e-6)
        self.dims = dict.fromkeys(range(self.levels + 1), dim)
        self.noise_spec = {level: NoiseSpec("normal", (n, dim)) for level, n in self.n_nodes.items()}
        rng = stream(seed, "world")
        for level in range(self.levels - 1, -1, -1):
            self.params[f"Q{level}"] = orthogonal(rng, (self.n_nodes[level],), dim)
        self.params["P"] = draw_token_map(rng, self.grid.n_tokens, self.token_values, dim)

    def forward(self, params: Mapping[str, Any], noise: Noise) -> tuple[Any, dict[int, Any]]:
        """Map noise to images and latents; see `World.forward`."""
        rho = self.settings["rho"]
        u = noise[self.levels]
        latents = {self.levels: u}
        for level in range(self.levels - 1, -1, -1):
            parents = to_children(u, self.grid, level)
            u = rho * apply_maps(params[f"Q{level}"], parents) + sqrt(1 - rho**2) * noise[level]
            if level:
                latents[level] = u
        return tokens_to_images(params["P"], u, self.grid, self.token_pixels), latents
