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
from numpy.typing import NDArray

from maestrata.errors import WorldError
from maestrata.worlds.base import Noise, NoiseSpec
from maestrata.worlds.checks import check_number
from maestrata.worlds.maps import place_children
from maestrata.worlds.symbols import DiscreteTree, rows


class GrammarTree(DiscreteTree):
    """Grammar tree.

    Parameters
    ----------
    seed : int
    leaves : int
        Tokens, a power of two.
    symbols : int
        Symbols of each level, q.
    productions : int
        Productions of each symbol, m; ``q > 2 m``. Or ``m = q``: every pair is used, so that the leaves are
        independent, and nothing can be told of one part from another.
    pixel_noise : float
        Standard deviation of the normal noise added to a token's pattern, whose values have unit variance.
    token_pixels : int
        Side of a token.
    patterns : str
        What a token shows, ``random`` or ``oriented``; see `DiscreteTree`.

    Notes
    -----
    The rules of a level are shared by its nodes. Noise: at level L the root's symbol and its production, at
    levels L-1 to 1 the production of each node, at level 0 the pixel noise. In the graph a node stands for
    its symbol together with its production, of which its children's symbols are functions; a probe regresses
    the symbol.
    """

    name = "grammar_tree"

    def __init__(
        self,
        seed: int,
        leaves: int = 16,
        symbols: int = 12,
        productions: int = 2,
        pixel_noise: float = 0.2,
        token_pixels: int = 2,
        patterns: str = "random",
    ) -> None:
        super().__init__(
            seed, leaves, pixel_noise, token_pixels, patterns, symbols=symbols, productions=productions
        )

    def _draw(self, rng: np.random.Generator) -> None:
        q, m = self.settings["symbols"], self.settings["productions"]
        check_number(self.name, "symbols", q, 3, 4096, integer=True)
        check_number(self.name, "productions", m, 1, 4096, integer=True)
        if q <= 2 * m and q != m:
            raise WorldError(
                f"{self.name}: symbols={q} must be more than twice productions={m}, or as many (a null world)"
            )
        self.n_symbols = dict.fromkeys(range(self.levels + 1), q)
        for level in range(self.levels, 0, -1):
            self.noise_spec[level] = NoiseSpec("choice", (self.n_nodes[level], 1), (m,))
            pairs = rng.choice(q * q, size=q * m, replace=False)
            self.params[f"rules{level}"] = np.stack(np.divmod(pairs, q), -1).reshape(q, m, 2)
        self.noise_spec[self.levels] = NoiseSpec("choice", (1, 2), (q, m))

    def rules(self, level: int) -> NDArray[np.int64]:
        """Return the productions of each symbol; see `DiscreteTree.rules`."""
        return self.params[f"rules{level}"]

    def derive(self, params: Mapping[str, Any], noise: Noise) -> dict[int, Any]:
        """Return the symbols of all levels; see `DiscreteTree.derive`."""
        symbols, production = noise[self.levels][..., :1], noise[self.levels][..., 1:]
        xp = array_namespace(symbols)
        derived = {self.levels: symbols}
        for level in range(self.levels, 0, -1):
            table = xp.reshape(params[f"rules{level}"], (-1, 2))
            at = symbols * self.settings["productions"] + production
            pairs = rows(table, at[..., 0])  # (..., nodes, 2)
            symbols = derived[level - 1] = place_children(pairs[..., None], self.grid, level - 1)
            production = noise[level - 1]
        return derived
