"""What worlds are made of: random maps, a map to every node, parents to children, token variables to pixels.

Everything but the drawing runs on any array library, with any leading batch axes.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from array_api_compat import array_namespace
from numpy.typing import NDArray

from maestrata.geometry import TokenGrid, unpatchify


def orthogonal(
    rng: np.random.Generator, shape: tuple[int, ...], dim: int, columns: int | None = None
) -> NDArray[np.float64]:
    """Draw matrices (*shape, dim, columns) with orthonormal columns, uniformly (Haar); square by default."""
    gauss = rng.standard_normal((*shape, dim, dim))
    q, r = np.linalg.qr(gauss)
    # the sign of R's diagonal makes the factor unique, hence uniform
    q = q * np.sign(np.diagonal(r, axis1=-2, axis2=-1))[..., None, :]
    return q if columns is None else q[..., :columns]


def apply_maps(maps: Any, vectors: Any) -> Any:
    """Apply one matrix per node, (nodes, out, in), to vectors (..., nodes, in): result (..., nodes, out)."""
    xp = array_namespace(vectors)
    lead = tuple(vectors.shape[:-2])
    nodes, wide = vectors.shape[-2:]
    flat = xp.reshape(vectors, (-1, nodes, wide))
    # nodes first: a batched matrix product is several times faster than a broadcast one
    out = xp.matmul(xp.permute_dims(flat, (1, 0, 2)), xp.permute_dims(maps, (0, 2, 1)))
    return xp.reshape(xp.permute_dims(out, (1, 0, 2)), (*lead, nodes, maps.shape[-2]))


def to_children(values: Any, grid: TokenGrid, level: int) -> Any:
    """Give every node at `level` what its tree parent holds: (..., nodes above, dim) -> (..., nodes, dim).

    By shape alone: an index would have to be copied to the device, which a captured CUDA graph forbids.
    """
    return place_children(values[..., None, :], grid, level)


def place_children(pairs: Any, grid: TokenGrid, level: int) -> Any:
    """Put what each parent gives its children into raster order.

    From (..., nodes above, 2, dim), top or left child first, to (..., nodes, dim). Where the axis of children
    has length 1 both get the same.
    """
    xp = array_namespace(pairs)
    *lead, _, given, dim = pairs.shape
    height, width = grid.block_shape(level + 1)
    rows, columns = grid.height // height, grid.width // width
    pairs = xp.reshape(pairs, (*lead, rows, columns, given, dim))
    pairs = xp.broadcast_to(pairs, (*lead, rows, columns, 2, dim))
    if height > grid.block_shape(level)[0]:  # one above the other: the row of a child comes before its column
        k = len(lead)
        pairs = xp.permute_dims(pairs, (*range(k), k, k + 2, k + 1, k + 3))
    return xp.reshape(pairs, (*lead, 2 * rows * columns, dim))


def draw_token_map(rng: np.random.Generator, n_tokens: int, values: int, dim: int) -> NDArray[np.float64]:
    """Draw ``P`` (n_tokens, values, dim): orthogonal columns, scaled to a mean pixel variance of 1."""
    return orthogonal(rng, (n_tokens,), values, dim) * np.sqrt(values / dim)


def tokens_to_images(token_map: Any, variables: Any, grid: TokenGrid, token_pixels: int) -> Any:
    """Map token variables (..., token, dim) to images (..., channel, y, x)."""
    return unpatchify(apply_maps(token_map, variables), grid, token_pixels)


def token_variables(token_map: Any, tokens: Any) -> Any:
    """Recover token variables (..., token, dim) from the pixels of tokens (..., token, values)."""
    values, dim = token_map.shape[-2:]
    return apply_maps(token_map.swapaxes(-1, -2) * (dim / values), tokens)


def one_hot(labels: NDArray[np.integer], classes: int) -> NDArray[np.float32]:
    """Return labels (...) from 0 to `classes` - 1 as rows of zeros and a one: (..., classes)."""
    return np.eye(classes, dtype=np.float32)[labels]
