"""Poolings: how the tokens of an image become the features of a probe.

=========== ==============================================================================================
``global``  mean of the visible patch tokens, without [CLS]: (n, width)
``cls``     the [CLS] token: (n, width)
``concat``  all patch tokens in raster order, zeros where masked: (n, n_tokens * width)
``aligned`` for each node of the tree, the mean of the visible tokens under it: (n, n_nodes, width), NaN where
            the node is wholly masked
``tokens``  for each node, the tokens under it themselves, zeros where masked: (n, n_nodes, 2**level, width)
=========== ==============================================================================================
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice

import numpy as np
from numpy.typing import NDArray

from maestrata.errors import ProbeError, one_of
from maestrata.geometry import TokenGrid
from maestrata.masks import mask_matrix

POOLINGS = ("global", "cls", "concat", "aligned", "tokens")
BY_NODE = ("aligned", "tokens")
"""Poolings that give each node features of its own."""


def pool(
    tokens: NDArray[np.float32],
    visible_ids: NDArray[np.int64] | None,
    pooling: str,
    grid: TokenGrid,
    level: int | None = None,
    *,
    has_cls: bool = True,
) -> NDArray[np.float32]:
    """Pool the tokens of each image.

    Parameters
    ----------
    tokens : ndarray (n, 1 + k, width)
        [CLS], then the visible tokens; (n, k, width) without [CLS].
    visible_ids : ndarray (n, k) of int, or None
        Raster ids of the visible tokens, ascending; None: all, k = n_tokens.
    pooling : str
        One of `POOLINGS`.
    grid : TokenGrid
    level : int, optional
        Level of the nodes; for those `BY_NODE` only, and needed there.
    has_cls : bool
        Whether the first token is [CLS].

    Returns
    -------
    ndarray of float32
        See the module's docstring.

    Raises
    ------
    ProbeError
        If the pooling is unknown or cannot be made from these tokens.
    """
    if pooling not in POOLINGS:
        raise ProbeError(f"pooling {one_of(pooling, POOLINGS)}")
    if (pooling in BY_NODE) != (level is not None):
        raise ProbeError(
            f"pooling={pooling!r}, level={level!r}: a level goes with 'aligned' and 'tokens', nothing else"
        )
    if level is not None:
        grid.block_shape(level)  # refuses a level that is not there
    if pooling == "cls":
        if not has_cls:
            raise ProbeError("pooling='cls' needs tokens with [CLS] first")
        return np.ascontiguousarray(tokens[:, 0])
    patches = tokens[:, 1:] if has_cls else tokens
    n, k, width = patches.shape
    if k != (grid.n_tokens if visible_ids is None else visible_ids.shape[1]):
        raise ProbeError(f"{k} patch tokens do not fit the masks of a {grid.height}x{grid.width} token grid")
    if pooling == "global":
        return patches.mean(1, dtype=np.float32)
    placed = place_tokens(patches, visible_ids, grid.n_tokens)
    if level is None:
        return placed.reshape(n, grid.n_tokens * width)
    if pooling == "tokens":
        return placed[:, grid.blocks(level)]
    return next(islice(node_means(placed, visible_ids, grid), level, None))


def pooled(
    tokens: NDArray[np.float32],
    visible_ids: NDArray[np.int64] | None,
    poolings: Iterable[str],
    grid: TokenGrid,
    *,
    has_cls: bool = True,
) -> Iterator[tuple[str, NDArray[np.float32] | Iterator[NDArray[np.float32]]]]:
    """Yield tokens pooled in several ways, each made when it is asked for.

    Parameters are those of `pool`.

    Yields
    ------
    pooling : str
    features : ndarray (n, p)
        Of those `BY_NODE` an iterator over the levels, from 0.
    """
    for pooling in poolings:
        if pooling in BY_NODE:
            patches = tokens[:, 1:] if has_cls else tokens
            placed = place_tokens(patches, visible_ids, grid.n_tokens)
            aligned = pooling == "aligned"
            yield pooling, node_means(placed, visible_ids, grid) if aligned else node_tokens(placed, grid)
        else:
            yield pooling, pool(tokens, visible_ids, pooling, grid, has_cls=has_cls)


def place_tokens(
    patches: NDArray[np.float32], visible_ids: NDArray[np.int64] | None, n_tokens: int
) -> NDArray[np.float32]:
    """Put visible tokens (n, k, width) at their raster positions, zeros elsewhere: (n, n_tokens, width)."""
    if visible_ids is None:
        return np.ascontiguousarray(patches)
    placed = np.zeros((len(patches), n_tokens, patches.shape[2]), np.float32)
    placed[np.arange(len(patches))[:, None], visible_ids] = patches
    return placed


def node_means(
    placed: NDArray[np.float32], visible_ids: NDArray[np.int64] | None, grid: TokenGrid
) -> Iterator[NDArray[np.float32]]:
    """Yield, level by level from 0, the mean of the visible tokens under each node.

    Parameters
    ----------
    placed : ndarray (n, n_tokens, width)
        From `place_tokens`.
    visible_ids : ndarray (n, k) of int, or None
    grid : TokenGrid

    Yields
    ------
    ndarray of float32, (n, n_nodes, width)
        NaN where no token under the node is visible.
    """
    n, _, width = placed.shape
    total = placed
    for level in range(grid.levels + 1):
        if level:
            # a node's two children lie side by side: their sums are two strided halves of the level below
            shape = grid.block_shape(level)
            high, wide = grid.height // shape[0], grid.width // shape[1]
            pairs = total.reshape((n, high, 2, wide, width) if level % 2 else (n, high, wide, 2, width))
            total = (
                (pairs[:, :, 0] + pairs[:, :, 1]) if level % 2 else (pairs[:, :, :, 0] + pairs[:, :, :, 1])
            )
            total = total.reshape(n, high * wide, width)
        if visible_ids is None:
            yield total * np.float32(1 / 2**level)
        else:
            count = visible_under(visible_ids, grid, level)
            with np.errstate(divide="ignore"):
                share = np.where(count > 0, 1 / count, np.nan).astype(np.float32)
            yield total * share[..., None]


def node_tokens(placed: NDArray[np.float32], grid: TokenGrid) -> Iterator[NDArray[np.float32]]:
    """Yield, level by level from 0, the tokens under each node: (n, n_nodes, 2**level, width)."""
    for level in range(grid.levels + 1):
        yield np.take(placed, grid.blocks(level), axis=1)


def visible_under(visible_ids: NDArray[np.int64], grid: TokenGrid, level: int) -> NDArray[np.int64]:
    """Count the visible tokens under each node at `level`: (n, n_nodes)."""
    return mask_matrix(visible_ids, grid.n_tokens)[:, grid.blocks(level)].sum(-1)
