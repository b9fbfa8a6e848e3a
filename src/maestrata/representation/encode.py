"""Encode images in batches, layer by layer, from visible tokens alone.

The encoder is handed the visible tokens and nothing else: what a masked token holds cannot reach a
representation (tests change it and look).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from maestrata.errors import ProbeError
from maestrata.geometry import TokenGrid, patchify
from maestrata.model.mae import MAE, MAEConfig
from maestrata.representation.pooling import pool

BATCH = 256
"""Images encoded at a time: on one CPU core larger batches are no faster, and fall out of its cache."""


def image_tokens(images: NDArray[np.floating], cfg: MAEConfig) -> NDArray[np.float32]:
    """Cut images (n, channel, y, x) into the tokens of a model's input, (n, n_tokens, token_values).

    Raises
    ------
    ProbeError
        If the images are no floating-point numbers, or do not fit the model's grid and token size.
    """
    images = np.asarray(images)
    if images.ndim != 4 or images.dtype.kind != "f":
        raise ProbeError(
            f"images of shape {images.shape} and type {images.dtype} must be numbers of floating point, of "
            "shape (n, channel, y, x), with mean 0 and variance about 1 like those of the model's training"
        )
    _, channels, height, width = images.shape
    side = height // cfg.grid_height
    if (side * cfg.grid_height, side * cfg.grid_width, channels * side * side) != (
        height,
        width,
        cfg.token_values,
    ):
        raise ProbeError(
            f"images of {channels}x{height}x{width} do not fit a model of {cfg.grid_height}x{cfg.grid_width} "
            f"tokens of {cfg.token_values} values (weights of another world?)"
        )
    return np.ascontiguousarray(patchify(images, side), dtype=np.float32)


@torch.no_grad()
def represent(
    model: MAE,
    images: NDArray[np.floating],
    visible_ids: NDArray[np.int64] | None = None,
    layers: Sequence[int] | None = None,
    batch: int = BATCH,
) -> dict[int, NDArray[np.float32]]:
    """Encode images.

    Parameters
    ----------
    model : MAE
        On any device; encoding is in float32.
    images : ndarray (n, channel, y, x)
    visible_ids : ndarray (n, k) of int, optional
        Raster ids of the visible tokens, ascending; None shows the whole image (k = n_tokens).
    layers : sequence of int, optional
        Layers to keep, 0 (embedding) to depth (last block, after the final LayerNorm); all by default.
    batch : int
        Images encoded at a time; bounds the memory that is needed on top of the result.

    Returns
    -------
    dict of int to ndarray of float32, (n, 1 + k, width)
        [CLS] first, then the visible tokens in the order of their ids.

    Raises
    ------
    ProbeError
        If a layer does not exist, the images do not fit the model or the masks do not fit the images.
    """
    depth = model.cfg.depth
    wanted = list(range(depth + 1)) if layers is None else list(layers)
    for layer in wanted:
        if not 0 <= layer <= depth:
            raise ProbeError(f"layer={layer} must lie in 0..{depth} (depth of the model)")
    if batch < 1:
        raise ProbeError(f"batch={batch} must be at least 1")
    tokens = image_tokens(images, model.cfg)
    n = len(tokens)
    if visible_ids is not None and len(visible_ids) != n:
        raise ProbeError(f"{len(visible_ids)} masks do not fit {n} images")
    k = model.cfg.n_tokens if visible_ids is None else visible_ids.shape[1]
    out = {layer: np.empty((n, 1 + k, model.cfg.width), np.float32) for layer in wanted}
    device = next(model.parameters()).device
    training = model.training
    model.eval()
    try:
        for start in range(0, n, batch):
            rows = slice(start, start + batch)
            ids = None if visible_ids is None else torch.from_numpy(visible_ids[rows]).to(device)
            every = model.encode(torch.from_numpy(tokens[rows]).to(device), ids, layers=True)
            for layer in wanted:
                out[layer][rows] = every[layer].float().cpu().numpy()
    finally:
        model.train(training)
    return out


def last_layer(
    model: MAE,
    images: NDArray[np.floating],
    pooling: str = "global",
    visible_ids: NDArray[np.int64] | None = None,
) -> NDArray[np.float32]:
    """Encode images and pool the last layer, after its norm: by default the mean of all tokens, (n, width).

    That is what the primary features are at the root.

    Parameters
    ----------
    model : MAE
    images : ndarray (n, channel, y, x)
    pooling : {"global", "cls", "concat"}
    visible_ids : ndarray (n, k) of int, optional
        As of `represent`.
    """
    layer, cfg = model.cfg.depth, model.cfg
    tokens = represent(model, images, visible_ids, [layer])[layer]
    return pool(tokens, visible_ids, pooling, TokenGrid(cfg.grid_height, cfg.grid_width))


def layer_passes(
    layers: Sequence[int], values_per_layer: int, budget: int = 150_000_000
) -> Iterator[list[int]]:
    """Split layers into groups whose representations fit in memory together.

    Encoding gives all layers at once, so with small images everything is encoded in one pass; with
    large ones it is encoded once a group, which costs time and keeps memory bounded.

    Parameters
    ----------
    layers : sequence of int
    values_per_layer : int
        Numbers in one layer's representation of all images.
    budget : int
        Numbers kept at once (150 million float32 are 600 MB). A group holds at least one layer.
    """
    size = max(1, budget // max(1, values_per_layer))
    for start in range(0, len(layers), size):
        yield list(layers[start : start + size])
