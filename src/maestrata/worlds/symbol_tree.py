"""A tree of symbols that tell their causes surely, in part, or as poorly as those of a grammar.

Every node draws a digit of its own; with the symbol of its parent that makes its symbol, by a table. Where
no two entries of a table are equal, a child determines its parent and its digit: Assumption 1 to the letter,
with symbols. The more often a symbol stands in a table, the less it tells: `ambiguity` is how often that is,
on average.
"""

from __future__ import annotations

from collections.abc import Mapping
from math import ceil
from typing import Any

import numpy as np
from array_api_compat import array_namespace
from numpy.typing import NDArray

from maestrata.errors import WorldError
from maestrata.worlds.base import Noise, NoiseSpec
from maestrata.worlds.checks import check_number
from maestrata.worlds.maps import place_children
from maestrata.worlds.symbols import DiscreteTree, choose, rows

MOST_SYMBOLS = 4096


class SymbolTree(DiscreteTree):
    """Symbol tree: ``child = table[side][parent, own digit]``.

    Parameters
    ----------
    seed : int
    leaves : int
        Tokens, a power of two.
    root : int
        Symbols of the root.
    digits : int
        Digits of a node, each equally likely.
    ambiguity : float
        Entries of a table that hold the same symbol, on average: 1 (a child determines its parent) to
        `digits`. A level whose parents have q symbols has ``ceil(digits q / ambiguity)``.
    pixel_noise : float
        Standard deviation of the normal noise added to a token's pattern, whose values have unit variance.
    token_pixels : int
        Side of a token.
    patterns : str
        What a token shows, ``random`` or ``oriented``; see `DiscreteTree`.

    Notes
    -----
    The two tables of a level (top or left, and bottom or right child) are shared by its nodes. Noise: at
    level L the root's symbol, at levels L-1 to 1 the digit of each node, at level 0 a normal variable that
    leads the token's digit (`maestrata.worlds.symbols.choose`) and the pixel noise.
    """

    name = "symbol_tree"

    def __init__(
        self,
        seed: int,
        leaves: int = 16,
        root: int = 4,
        digits: int = 2,
        ambiguity: float = 1.0,
        pixel_noise: float = 0.2,
        token_pixels: int = 2,
        patterns: str = "random",
    ) -> None:
        super().__init__(
            seed, leaves, pixel_noise, token_pixels, patterns, root=root, digits=digits, ambiguity=ambiguity
        )

    def _choices(self) -> int:
        return 1

    def _draw(self, rng: np.random.Generator) -> None:
        root, digits = self.settings["root"], self.settings["digits"]
        check_number(self.name, "root", root, 2, MOST_SYMBOLS, integer=True)
        check_number(self.name, "digits", digits, 2, MOST_SYMBOLS, integer=True)
        check_number(self.name, "ambiguity", self.settings["ambiguity"], 1, digits)
        self.n_symbols = {self.levels: root}
        self.noise_spec[self.levels] = NoiseSpec("choice", (1, 1), (root,))
        for level in range(self.levels, 0, -1):
            q = self.n_symbols[level]
            # a ratio that is whole but for its rounding is whole
            below = ceil(digits * q / self.settings["ambiguity"] - 1e-9)
            if below > MOST_SYMBOLS:
                raise WorldError(
                    f"{self.name}: root={root}, digits={digits} make {below} symbols at level {level - 1}: "
                    f"at most {MOST_SYMBOLS}"
                )
            self.n_symbols[level - 1] = below
            if level > 1:
                self.noise_spec[level - 1] = NoiseSpec("choice", (self.n_nodes[level - 1], 1), (digits,))
            self.params[f"tables{level}"] = np.stack([_spread(rng, q, digits, below) for _ in range(2)], 1)

    def rules(self, level: int) -> NDArray[np.int64]:
        """Return the children of each symbol for every pair of their digits; see `DiscreteTree.rules`."""
        left, right = np.moveaxis(self.params[f"tables{level}"], 1, 0)  # (symbols, digits) each
        pairs = np.broadcast_arrays(left[:, :, None], right[:, None, :])
        return np.stack(pairs, -1).reshape(len(left), -1, 2)

    def derive(self, params: Mapping[str, Any], noise: Noise) -> dict[int, Any]:
        """Return the symbols of all levels; see `DiscreteTree.derive`."""
        digits = self.settings["digits"]
        symbols = noise[self.levels]
        xp = array_namespace(symbols)
        derived = {self.levels: symbols}
        for level in range(self.levels, 0, -1):
            table = xp.reshape(params[f"tables{level}"], (-1, 2 * digits))
            pairs = rows(table, symbols[..., 0])
            pairs = xp.reshape(pairs, (*pairs.shape[:-1], 2, digits))
            options = place_children(pairs, self.grid, level - 1)  # (..., nodes, digits)
            own = noise[level - 1] if level > 1 else choose(noise[0][..., :1], digits)
            symbols = sum(options[..., d : d + 1] * (own == d) for d in range(digits))
            derived[level - 1] = symbols
        return derived

    def show(self, patterns: Any, noise: Any) -> Any:
        """Return the tokens; see `DiscreteTree.show`."""
        return super().show(patterns, noise[..., 1:])


def _spread(rng: np.random.Generator, parents: int, digits: int, symbols: int) -> NDArray[np.int64]:
    """Draw a table (parents, digits) of symbols: all stand in it, as evenly as can be, no two alike in a row.

    Where there are fewer symbols than digits, rows repeat.
    """
    entries = parents * digits
    counted = np.concatenate([np.tile(np.arange(symbols), entries // symbols), rng.permutation(symbols)])
    table = rng.permutation(counted[:entries]).reshape(parents, digits)
    while symbols >= digits and len(repeated := _repeated(table)):
        row, column = repeated[0]
        other = np.unravel_index(rng.integers(entries), table.shape)
        table[row, column], table[other] = table[other], table[row, column]
    return table


def _repeated(table: NDArray[np.int64]) -> NDArray[np.int64]:
    """Entries that are equal to an earlier one of their row: their places, (n, 2)."""
    equal = table[:, :, None] == table[:, None, :]
    return np.argwhere(np.tril(equal, -1).any(-1))
