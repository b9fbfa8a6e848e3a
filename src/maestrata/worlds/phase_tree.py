"""A tree whose tokens hide their parents from every conditional mean: each pair of values has a random phase.

The additive tree down to the tokens' own variables; then every pair of a token's values is turned by
``2 pi Phi(noise)``, Phi the standard normal distribution function: by a phase that is uniform on the circle
and independent of all else. So ``E[token | everything but its own noise] = 0``, and the least mean squared
error of a masked token is reached by predicting 0, whatever is visible. What a token tells of its parent is
in the radii of its pairs.
"""

from __future__ import annotations

from collections.abc import Mapping
from math import pi, sqrt
from typing import Any

from array_api_compat import array_namespace
from scipy.special import erf

from maestrata.errors import WorldError
from maestrata.worlds.additive_tree import AdditiveTree
from maestrata.worlds.base import Noise, NoiseSpec
from maestrata.worlds.pixels import tokens_to_images


class PhaseTree(AdditiveTree):
    """Phase tree.

    Parameters
    ----------
    seed : int
    leaves : int
        Tokens, a power of two.
    dim : int
        Dimension of every node, even, 2 to the values in a token.
    rho, fold : float
        As in `AdditiveTree`.
    token_pixels : int
        Side of a token.

    Notes
    -----
    Functions and latents are those of the additive tree of the same seed and settings, number for number. The
    noise of a token has ``dim + dim / 2`` dimensions: that of the additive tree, then one for the phase of
    each pair. A token's variable has mean 0, uncorrelated values and, on average, unit variance.
    """

    name = "phase_tree"
    folds = False  # a token's phase is no fold

    def __init__(
        self,
        seed: int,
        leaves: int = 16,
        dim: int = 4,
        rho: float = 0.98,
        fold: float = 0.4,
        token_pixels: int = 2,
    ) -> None:
        super().__init__(seed, leaves=leaves, dim=dim, rho=rho, fold=fold, token_pixels=token_pixels)
        if dim % 2:
            raise WorldError(f"{self.name}: dim={dim!r} must be even: values are turned in pairs")
        self.noise_spec[0] = NoiseSpec("normal", (self.grid.n_tokens, dim + dim // 2))

    def forward(self, params: Mapping[str, Any], noise: Noise) -> tuple[Any, dict[int, Any]]:
        """Map noise to images and latents; see `World.forward`."""
        dim, sigma = self.settings["dim"], sqrt(1 - self.settings["rho"] ** 2)
        u = noise[self.levels]
        latents = {self.levels: u}
        for level in range(self.levels - 1, 0, -1):
            u = self.child_mean(params, level, u) + sigma * noise[level]
            latents[level] = u
        u = self.child_mean(params, 0, u) + sigma * noise[0][..., :dim]
        u = _turn(u, noise[0][..., dim:])
        return tokens_to_images(params["P"], u, self.grid, self.token_pixels), latents


def _turn(values: Any, noise: Any) -> Any:
    """Turn the pairs (0, 1), (2, 3), ... of values (..., dim) by 2 pi Phi(noise), noise (..., dim / 2)."""
    xp = array_namespace(values)
    # the array API has no error function: an array library of its own (torch) has, NumPy has SciPy's
    angle = pi * (1 + getattr(xp, "erf", erf)(noise / sqrt(2)))
    cos, sin = xp.cos(angle), xp.sin(angle)
    x, y = values[..., 0::2], values[..., 1::2]
    return xp.reshape(xp.stack([cos * x - sin * y, sin * x + cos * y], axis=-1), values.shape)
