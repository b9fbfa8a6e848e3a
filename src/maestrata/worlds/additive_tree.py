"""A nonlinear tree with additive noise: the first world of the claims about masking ratio and patch size.

Each child is ``rho f(parent) + sqrt(1 - rho**2) noise``, with ``f(u) = B standardise(|A u| + fold A u)``
between orthogonal maps A and B of its own. The fold loses the sign of ``A u`` in part, so that a child
tells much about its parent, little of it linearly.
"""

from __future__ import annotations

from collections.abc import Mapping
from math import sqrt
from typing import Any

from array_api_compat import array_namespace

from maestrata.random import stream
from maestrata.worlds.base import Noise, NoiseSpec, World, apply_maps, check_number, orthogonal, to_children
from maestrata.worlds.pixels import draw_token_map, tokens_to_images

# samples by which a world's functions are standardised; more would slow every reading of a config
CALIBRATION = 16_384


class AdditiveTree(World):
    """Additive tree.

    Parameters
    ----------
    seed : int
    leaves : int
        Tokens, a power of two.
    dim : int
        Dimension of every node, 1 to the values in a token.
    rho : float
        Correlation of a child with the image of its parent, in [0, 1).
    fold : float
        Odd part of the fold: 0 folds completely; the larger, the closer to linear.
    token_pixels : int
        Side of a token.

    Notes
    -----
    ``|w| + fold w`` is standardised per coordinate by its mean and deviation over 16,384 draws of the stream
    ``("calibration", seed)``, level by level: to within the error of that sample every node has mean 0 and,
    on average over its dimensions, unit variance. (A single dimension has not: from two levels below the root
    the coordinates of ``|w|`` are correlated, and B mixes them; with 16 leaves variances lie between .6 and
    1.7.) A token's variable has the nodes' dimension; its pixels are an orthonormal map of it.
    """

    name = "additive_tree"
    folds = True

    def __init__(
        self,
        seed: int,
        leaves: int = 16,
        dim: int = 4,
        rho: float = 0.98,
        fold: float = 0.4,
        token_pixels: int = 2,
    ) -> None:
        super().__init__(
            seed, leaves=leaves, token_pixels=token_pixels, settings={"dim": dim, "rho": rho, "fold": fold}
        )
        check_number(self.name, "dim", dim, 1, self.token_values, integer=True)
        check_number(self.name, "rho", rho, 0, 1 - 1e-6)
        check_number(self.name, "fold", fold, 0, 100)
        self.dims = dict.fromkeys(range(self.levels + 1), dim)
        self.noise_spec = {level: NoiseSpec("normal", (n, dim)) for level, n in self.n_nodes.items()}
        rng = stream(seed, "world")
        for level in range(self.levels - 1, -1, -1):
            self.params[f"A{level}"] = orthogonal(rng, (self.n_nodes[level],), dim)
            self.params[f"B{level}"] = orthogonal(rng, (self.n_nodes[level],), dim)
        self.params["P"] = draw_token_map(rng, self.grid.n_tokens, self.token_values, dim)
        self._calibrate()

    def _calibrate(self) -> None:
        rho = self.settings["rho"]
        root = stream(self.seed, "calibration", self.levels)
        u = root.standard_normal((CALIBRATION, *self.noise_spec[self.levels].shape))
        for level in range(self.levels - 1, -1, -1):
            folded = self._fold(self.params, level, u)
            self.params[f"mean{level}"] = folded.mean(0)
            self.params[f"scale{level}"] = folded.std(0)
            if level:
                eps = stream(self.seed, "calibration", level).standard_normal(folded.shape)
                u = rho * self._standardise(self.params, level, folded) + sqrt(1 - rho**2) * eps

    def _fold(self, params: Mapping[str, Any], level: int, parents: Any) -> Any:
        w = apply_maps(params[f"A{level}"], to_children(parents, self.grid, level))
        return array_namespace(w).abs(w) + self.settings["fold"] * w

    @staticmethod
    def _standardise(params: Mapping[str, Any], level: int, folded: Any) -> Any:
        return apply_maps(params[f"B{level}"], (folded - params[f"mean{level}"]) / params[f"scale{level}"])

    def child_mean(self, params: Mapping[str, Any], level: int, parents: Any) -> Any:
        """Return E[node at `level` | parent], (..., nodes_level, dim), from the nodes at ``level + 1``."""
        return self.settings["rho"] * self._standardise(params, level, self._fold(params, level, parents))

    def forward(self, params: Mapping[str, Any], noise: Noise) -> tuple[Any, dict[int, Any]]:
        """Map noise to images and latents; see `World.forward`."""
        sigma = sqrt(1 - self.settings["rho"] ** 2)
        u = noise[self.levels]
        latents = {self.levels: u}
        for level in range(self.levels - 1, -1, -1):
            u = self.child_mean(params, level, u) + sigma * noise[level]
            if level:
                latents[level] = u
        return tokens_to_images(params["P"], u, self.grid, self.token_pixels), latents
