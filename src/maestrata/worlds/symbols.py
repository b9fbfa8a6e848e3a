"""What the trees of symbols share: settings, the patterns that tokens show, and the way to the pixels."""

from __future__ import annotations

import abc
from collections.abc import Mapping
from math import sqrt
from typing import Any

import numpy as np
from array_api_compat import array_namespace
from numpy.typing import NDArray
from scipy.special import ndtri

from maestrata.geometry import unpatchify
from maestrata.random import stream
from maestrata.worlds.base import Noise, NoiseSpec, World
from maestrata.worlds.checks import check_number
from maestrata.worlds.patterns import check_patterns, draw_patterns


class DiscreteTree(World):
    """Base of the worlds whose latents are symbols: a token shows the pattern of its symbol, plus noise.

    Parameters
    ----------
    seed : int
    leaves : int
        Tokens, a power of two.
    pixel_noise : float
        Standard deviation of the normal noise added to a token's pattern, whose values have unit variance.
    token_pixels : int
        Side of a token.
    patterns : str
        ``random``: the values of a pattern are drawn one by one. ``oriented``: a smooth grating, with a
        direction, a phase and a colour (`maestrata.worlds.patterns`); tokens of 4 pixels a side at least.
    **settings
        Those that only some of these worlds have.
    """

    discrete = True

    def __init__(
        self, seed: int, leaves: int, pixel_noise: float, token_pixels: int, patterns: str, **settings: Any
    ) -> None:
        super().__init__(
            seed,
            leaves=leaves,
            token_pixels=token_pixels,
            settings={**settings, "pixel_noise": pixel_noise, "patterns": patterns},
        )
        check_number(self.name, "pixel_noise", pixel_noise, 1e-6, 100)
        check_patterns(self.name, patterns, token_pixels)
        self.dims = dict.fromkeys(range(self.levels + 1), 1)
        self.noise_spec[0] = NoiseSpec("normal", (self.grid.n_tokens, self._choices() + self.token_values))
        rng = stream(seed, "world")
        self._draw(rng)
        self.params["patterns"] = draw_patterns(rng, patterns, self.n_symbols[0], self.channels, token_pixels)

    def _choices(self) -> int:
        """Return how many choices a token makes, each led by a dimension of its noise, before the pixels'."""
        return 0

    @abc.abstractmethod
    def _draw(self, rng: np.random.Generator) -> None:
        """Check the settings, set `n_symbols` and the noise of levels 1 to L, draw what leads to children."""

    @abc.abstractmethod
    def rules(self, level: int) -> NDArray[np.int64]:
        """Return the pairs of children that a symbol may have, (symbols, pairs, 2), each equally likely.

        Top or left child first. What is drawn for a node and its children picks one pair.
        """

    @abc.abstractmethod
    def derive(self, params: Mapping[str, Any], noise: Noise) -> dict[int, Any]:
        """Return the symbols of all levels, ``level -> (..., nodes, 1)``, level 0 included."""

    def show(self, patterns: Any, noise: Any) -> Any:
        """Return tokens (..., token, values) that show patterns (..., token, values); noise is level 0's."""
        return patterns + self.settings["pixel_noise"] * noise

    def forward(self, params: Mapping[str, Any], noise: Noise) -> tuple[Any, dict[int, Any]]:
        """Map noise to images and latents (symbols); see `World.forward`."""
        latents = self.derive(params, noise)
        patterns = rows(params["patterns"], latents.pop(0)[..., 0])
        return unpatchify(self.show(patterns, noise[0]), self.grid, self.token_pixels), latents


def rows(table: Any, index: Any) -> Any:
    """Take rows of a table (rows, width) at an index (...): (..., width)."""
    xp = array_namespace(table)
    return xp.reshape(xp.take(table, xp.reshape(index, (-1,)), axis=0), (*index.shape, table.shape[-1]))


def choose(noise: Any, choices: int) -> Any:
    """Turn standard normal noise into one of `choices`, each equally likely: 0 to choices - 1."""
    xp = array_namespace(noise)
    steps = [xp.astype(noise > float(ndtri(k / choices)), xp.int64) for k in range(1, choices)]
    return sum(steps, start=xp.zeros_like(noise, dtype=xp.int64))


def mean_noise(choices: int) -> NDArray[np.float64]:
    """Return the mean of the noise that led to each choice, (choices,); see `choose`."""
    edges = ndtri(np.arange(choices + 1) / choices)
    density = np.exp(-np.square(edges) / 2) / sqrt(2 * np.pi)
    return np.asarray(choices * (density[:-1] - density[1:]))
