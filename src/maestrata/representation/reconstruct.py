"""Reconstructions: what the model fills in where an image is masked."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray

from maestrata.geometry import TokenGrid, unpatchify
from maestrata.masks import mask_matrix
from maestrata.model.mae import MAE, NORM_PIXELS_EPS
from maestrata.representation.encode import image_tokens


@torch.no_grad()
def reconstruct(
    model: MAE, images: NDArray[np.float32], visible_ids: NDArray[np.int64], masked_ids: NDArray[np.int64]
) -> tuple[NDArray[np.float32], NDArray[np.int8]]:
    """Fill the masked tokens of images with the model's prediction.

    A model that predicts normalised pixels is given each token's true mean and deviation, as its authors do
    to show it.

    Parameters
    ----------
    model : MAE
    images : ndarray (n, channel, y, x)
    visible_ids, masked_ids : ndarrays (n, k), (n, m)

    Returns
    -------
    prediction : ndarray (n, channel, y, x) of float32
        The original where visible.
    visible : ndarray (n, y, x) of int8
        1 where the encoder saw the pixel.
    """
    tokens = image_tokens(images, model.cfg)
    device = next(model.parameters()).device
    arguments = (torch.from_numpy(a).to(device) for a in (tokens, visible_ids, masked_ids))
    predicted = model(*arguments).float().cpu().numpy()
    if model.cfg.norm_pixels:
        truth = np.take_along_axis(tokens, masked_ids[..., None], axis=1)
        deviation = np.sqrt(truth.var(-1, ddof=1, keepdims=True) + NORM_PIXELS_EPS)
        predicted = predicted * deviation + truth.mean(-1, keepdims=True)
    filled = tokens.copy()
    np.put_along_axis(filled, np.repeat(masked_ids[..., None], tokens.shape[-1], axis=-1), predicted, axis=1)
    grid = TokenGrid(model.cfg.grid_height, model.cfg.grid_width)
    side = images.shape[2] // grid.height
    seen = mask_matrix(visible_ids, grid.n_tokens).astype(np.int8)
    flags = np.repeat(seen[..., None], side * side, axis=-1)  # a one-channel image of flags
    return unpatchify(filled, grid, side), unpatchify(flags, grid, side)[:, 0]
