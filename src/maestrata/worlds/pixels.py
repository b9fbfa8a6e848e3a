"""From token variables to pixels: one orthonormal map per token, shared by the continuous worlds."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from maestrata.geometry import TokenGrid, patchify, unpatchify
from maestrata.worlds.base import apply_maps, orthogonal


def draw_token_map(rng: np.random.Generator, n_tokens: int, values: int, dim: int) -> NDArray[np.float64]:
    """Draw ``P`` (n_tokens, values, dim): orthogonal columns, scaled to a mean pixel variance of 1."""
    return orthogonal(rng, (n_tokens,), values, dim) * np.sqrt(values / dim)


def tokens_to_images(token_map: Any, variables: Any, grid: TokenGrid, token_pixels: int) -> Any:
    """Map token variables (..., token, dim) to images (..., channel, y, x)."""
    return unpatchify(apply_maps(token_map, variables), grid, token_pixels)


def images_to_tokens(token_map: Any, images: Any, token_pixels: int) -> Any:
    """Recover token variables (..., token, dim) from images: exact, the map's columns being orthogonal."""
    values, dim = token_map.shape[-2:]
    transposed = token_map.swapaxes(-1, -2) * (dim / values)
    return apply_maps(transposed, patchify(images, token_pixels))
