"""A random grammar on a binary tree: discrete latents, on which belief propagation is exact.

Every symbol of a level has m productions, each an ordered pair of symbols of the level below; no two symbols
of a level share a pair, so a pair of children determines its parent. A child alone does not: Assumption 1
fails here.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from array_api_compat import array_namespace

from maestrata.errors import WorldError
from maestrata.geometry import unpatchify
from maestrata.random import stream
from maestrata.worlds.base import Noise, NoiseSpec, World, check_number
from maestrata.worlds.maps import place_children


class GrammarTree(World):
    """Grammar tree.

    Parameters
    ----------
    seed : int
    leaves : int
        Tokens, a power of two.
    symbols : int
        Symbols of each level, q.
    productions : int
        Productions of each symbol, m; ``q > 2 m`` (with ``m = q`` and every pair used the leaves are
        independent).
    pixel_noise : float
        Standard deviation of the normal noise added to a token's pattern, whose values have unit variance.
    token_pixels : int
        Side of a token.

    Notes
    -----
    The rules of a level are shared by its nodes. Noise: at level L the root's symbol and its production, at
    levels L-1 to 1 the production of each node, at level 0 the pixel noise. In the graph a node stands for
    its symbol together with its production, of which its children's symbols are functions; a probe regresses
    the symbol.
    """

    name = "grammar_tree"
    discrete = True

    def __init__(
        self,
        seed: int,
        leaves: int = 16,
        symbols: int = 12,
        productions: int = 2,
        pixel_noise: float = 0.2,
        token_pixels: int = 2,
    ) -> None:
        super().__init__(
            seed,
            leaves=leaves,
            token_pixels=token_pixels,
            settings={"symbols": symbols, "productions": productions, "pixel_noise": pixel_noise},
        )
        check_number(self.name, "symbols", symbols, 3, 4096, integer=True)
        check_number(self.name, "productions", productions, 1, 4096, integer=True)
        check_number(self.name, "pixel_noise", pixel_noise, 1e-6, 100)
        if symbols <= 2 * productions:
            raise WorldError(
                f"{self.name}: symbols={symbols} must be more than twice productions={productions}"
            )
        q, m = symbols, productions
        self.n_symbols = q
        self.dims = dict.fromkeys(range(self.levels + 1), 1)
        self.noise_spec = {
            level: NoiseSpec("choice", (n, 1), (m,))
            for level, n in self.n_nodes.items()
            if 0 < level < self.levels
        }
        self.noise_spec[self.levels] = NoiseSpec("choice", (1, 2), (q, m))
        self.noise_spec[0] = NoiseSpec("normal", (self.grid.n_tokens, self.token_values))
        rng = stream(seed, "world")
        for level in range(self.levels, 0, -1):
            pairs = rng.choice(q * q, size=q * m, replace=False)
            self.params[f"rules{level}"] = np.stack(np.divmod(pairs, q), -1).reshape(q, m, 2)
        patterns = rng.standard_normal((q, self.token_values))
        patterns -= patterns.mean(0)
        self.params["patterns"] = patterns / patterns.std()

    def forward(self, params: Mapping[str, Any], noise: Noise) -> tuple[Any, dict[int, Any]]:
        """Map noise to images and latents (symbols); see `World.forward`."""
        m = self.settings["productions"]
        symbols, production = noise[self.levels][..., :1], noise[self.levels][..., 1:]
        xp = array_namespace(symbols)
        latents = {self.levels: symbols}
        for level in range(self.levels, 0, -1):
            table = xp.reshape(params[f"rules{level}"], (-1, 2))
            pair = _rows(table, (symbols * m + production)[..., 0])  # (..., nodes, 2)
            symbols = place_children(pair[..., None], self.grid, level - 1)
            if level > 1:
                latents[level - 1] = symbols
                production = noise[level - 1]
        tokens = _rows(params["patterns"], symbols[..., 0]) + self.settings["pixel_noise"] * noise[0]
        return unpatchify(tokens, self.grid, self.token_pixels), latents


def _rows(table: Any, index: Any) -> Any:
    """Take rows of a table (rows, width) at an index (...): (..., width)."""
    xp = array_namespace(table)
    return xp.reshape(xp.take(table, xp.reshape(index, (-1,)), axis=0), (*index.shape, table.shape[-1]))
