"""Self-attention of the encoder: which tokens look where, in any block, head by head."""

from __future__ import annotations

from typing import cast

import numpy as np
import torch
from numpy.typing import NDArray

from maestrata.errors import ProbeError
from maestrata.model.mae import MAE, Block
from maestrata.representation.encode import BATCH, represent


@torch.no_grad()
def attention_weights(
    model: MAE,
    images: NDArray[np.floating],
    layer: int | None = None,
    visible_ids: NDArray[np.int64] | None = None,
    batch: int = BATCH,
) -> NDArray[np.float32]:
    """Return the attention of one block of the encoder, softmax(q k / sqrt(width of a head)).

    Parameters
    ----------
    model : MAE
        On any device; the weights are computed in float32.
    images : ndarray (n, channel, y, x)
    layer : int, optional
        Block, 1 to depth (layer 0 is the embedding, which attends to nothing); by default the last.
    visible_ids : ndarray (n, k) of int, optional
        As of `maestrata.representation.encode.represent`: k = n_tokens by default.
    batch : int
        Images encoded at a time.

    Returns
    -------
    ndarray of float32 (n, heads, 1 + k, 1 + k)
        Queries, then keys, [CLS] first; each row sums to 1.

    Raises
    ------
    ProbeError
        If there is no such block, the images do not fit the model or the masks do not fit the images.
    """
    depth = model.cfg.depth
    at = depth if layer is None else layer
    if not 1 <= at <= depth:
        raise ProbeError(f"layer={at} must lie in 1..{depth} (depth of the model): layer 0 has no attention")
    block = cast(Block, model.blocks[at - 1])
    before = represent(model, images, visible_ids, [at - 1], batch)[at - 1]
    weights = np.empty((len(before), block.heads, before.shape[1], before.shape[1]), np.float32)
    device = next(model.parameters()).device
    for start in range(0, len(before), batch):
        x = torch.from_numpy(before[start : start + batch]).to(device)
        query, key, _ = block.qkv(block.norm1(x)).chunk(3, dim=-1)
        query, key = block.split_heads(query), block.split_heads(key)  # (b, heads, 1 + k, d / heads)
        scores = query @ key.transpose(-1, -2) * query.shape[-1] ** -0.5
        weights[start : start + batch] = scores.softmax(-1).float().cpu().numpy()
    return weights
