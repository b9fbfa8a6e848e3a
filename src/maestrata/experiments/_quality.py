"""What whole images become in a model, and how alike they are to the images themselves, one by one."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray

from maestrata.experiments._similarity_index import LARGEST_SIDE, fsim, mean_squared_error, ssim
from maestrata.experiments.settings import WINDOW
from maestrata.geometry import TokenGrid, unpatchify
from maestrata.model.mae import MAE
from maestrata.representation.encode import BATCH, image_tokens
from maestrata.training.controls import reconstruct_all
from maestrata.worlds.base import GREY_LEVELS

Floats = NDArray[np.float64]
Float32 = NDArray[np.float32]


@torch.no_grad()
def pass_through(model: MAE, images: Float32) -> Float32:
    """Pass whole images (n, channel, y, x), nothing masked, through encoder and decoder: the same shape."""
    tokens = image_tokens(images, model.cfg)
    out = np.empty_like(tokens)
    for start in range(0, len(tokens), BATCH):
        rows = slice(start, start + BATCH)
        out[rows] = reconstruct_all(model, torch.from_numpy(tokens[rows])).numpy()
    grid = TokenGrid(model.cfg.grid_height, model.cfg.grid_width)
    return np.asarray(unpatchify(out, grid, images.shape[2] // grid.height))


def quality(images: Floats, others: Floats) -> dict[str, Floats]:
    """Score images against the true ones, image by image, as means over channels.

    Parameters
    ----------
    images, others : ndarray (n, channel, y, x)
        In grey levels, 0 to 255.

    Returns
    -------
    dict of str to ndarray (n,)
        ``psnr`` in dB; ``ssim`` and ``fsim`` where the sides, 11 to 383 pixels, allow them.
    """
    n, channels = images.shape[:2]
    one, other = (part.reshape(n * channels, *part.shape[2:]) for part in (images, others))

    def per_image(values: Floats) -> Floats:
        return values.reshape(n, channels).mean(1)

    with np.errstate(divide="ignore"):  # of two equal images it is infinite
        scores = {"psnr": 10 * np.log10(GREY_LEVELS**2 / per_image(mean_squared_error(one, other)))}
    if min(one.shape[1:]) >= WINDOW and max(one.shape[1:]) <= LARGEST_SIDE:
        scores = {"ssim": per_image(ssim(one, other)), "fsim": per_image(fsim(one, other)), **scores}
    return scores


def pixel_error(images: Float32, others: Float32) -> Floats:
    """Mean squared error of each image, in the pixel values that models see, (n,)."""
    error: Floats = np.square(others.astype(np.float64) - images).mean((1, 2, 3))
    return error
