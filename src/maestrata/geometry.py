"""Geometry of nodes, blocks, patches and tokens: the one place where they are related.

The image is a grid of tokens. A binary tree halves it: going up, odd levels join two blocks in
height and even levels in width, so that a node at level ``l`` covers a block of ``2**l`` tokens.
Level 0 is the token, which is observed; levels 1 to L are latent, L the root. Tokens and nodes are
numbered in raster order (row by row); within a token the values run over (channel, y, x).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from maestrata.errors import MaskError


@dataclass(frozen=True)
class TokenGrid:
    """A grid of ``height x width`` tokens, each a power of two.

    Raises
    ------
    MaskError
        If the grid is not one that a binary tree halves alternately (height first, going up).
    """

    height: int
    width: int

    def __post_init__(self) -> None:
        n = self.height * self.width
        levels = n.bit_length() - 1
        if n < 2 or n != 1 << levels or self.height != 1 << ((levels + 1) // 2):
            raise MaskError(
                f"token grid {self.height}x{self.width} must be 2**ceil(L/2) by 2**floor(L/2) tokens, "
                "such as 4x2, 4x4, 8x4 or 8x8"
            )

    @classmethod
    def for_leaves(cls, leaves: int) -> TokenGrid:
        """Return the grid of a binary tree with `leaves` leaves (a power of two, at least 2)."""
        if isinstance(leaves, bool) or not isinstance(leaves, int) or leaves < 2 or leaves & (leaves - 1):
            raise MaskError(f"leaves={leaves!r} must be a power of two, at least 2")
        levels = leaves.bit_length() - 1
        return cls(1 << ((levels + 1) // 2), 1 << (levels // 2))

    @property
    def n_tokens(self) -> int:
        """Number of tokens."""
        return self.height * self.width

    @property
    def levels(self) -> int:
        """Level of the root, L."""
        return self.n_tokens.bit_length() - 1

    def block_shape(self, level: int) -> tuple[int, int]:
        """Height and width, in tokens, of the block under a node at `level` (0 to L)."""
        if not 0 <= level <= self.levels:
            raise MaskError(
                f"level={level} must lie in 0..{self.levels} on a {self.height}x{self.width} grid"
            )
        return 1 << ((level + 1) // 2), 1 << (level // 2)

    def n_nodes(self, level: int) -> int:
        """Number of nodes at `level`."""
        height, width = self.block_shape(level)
        return self.n_tokens // (height * width)

    def node_of_token(self, level: int) -> NDArray[np.int64]:
        """Node at `level` above each token, shape (n_tokens,)."""
        return _node_of_token(self, level)

    def blocks(self, level: int) -> NDArray[np.int64]:
        """Tokens under each node at `level`, shape (n_nodes, 2**level), ascending in each row."""
        return np.argsort(self.node_of_token(level), kind="stable").reshape(self.n_nodes(level), -1)

    def parent(self, level: int) -> NDArray[np.int64]:
        """Index at ``level + 1`` of the parent of each node at `level`, shape (n_nodes,)."""
        return self.node_of_token(level + 1)[self.blocks(level)[:, 0]]

    def children(self, level: int) -> NDArray[np.int64]:
        """Indices at ``level - 1`` of each node's two children, shape (n_nodes, 2); top or left first."""
        return np.argsort(self.parent(level - 1), kind="stable").reshape(-1, 2)


@lru_cache(maxsize=256)
def _node_of_token(grid: TokenGrid, level: int) -> NDArray[np.int64]:
    height, width = grid.block_shape(level)
    y, x = np.divmod(np.arange(grid.n_tokens), grid.width)
    nodes = (y // height) * (grid.width // width) + x // width
    nodes.setflags(write=False)
    return nodes


def patchify(images: Any, token_pixels: int) -> Any:
    """Cut images into tokens.

    Parameters
    ----------
    images : array (..., channel, y, x)
        NumPy or torch; y and x are multiples of `token_pixels`.
    token_pixels : int
        Side of a token in pixels.

    Returns
    -------
    array (..., token, channel * token_pixels**2)
        Tokens in raster order, values over (channel, y, x).
    """
    *lead, channel, y, x = images.shape
    p = token_pixels
    if y % p or x % p:
        raise MaskError(f"images of {y}x{x} pixels are not a whole number of {p}x{p}-pixel tokens")
    parts = images.reshape(*lead, channel, y // p, p, x // p, p)
    k = len(lead)
    order = (*range(k), k + 1, k + 3, k, k + 2, k + 4)
    parts = parts.transpose(order) if isinstance(parts, np.ndarray) else parts.permute(order)
    return parts.reshape(*lead, (y // p) * (x // p), channel * p * p)


def unpatchify(tokens: Any, grid: TokenGrid, token_pixels: int) -> Any:
    """Put tokens (..., token, value) back into images (..., channel, y, x): the inverse of `patchify`."""
    *lead, _, values = tokens.shape
    p = token_pixels
    channel = values // (p * p)
    parts = tokens.reshape(*lead, grid.height, grid.width, channel, p, p)
    k = len(lead)
    order = (*range(k), k + 2, k, k + 3, k + 1, k + 4)
    parts = parts.transpose(order) if isinstance(parts, np.ndarray) else parts.permute(order)
    return parts.reshape(*lead, channel, grid.height * p, grid.width * p)
