"""Reconstructions: originals where visible, the model's own prediction where masked."""

import numpy as np
import pytest
import torch

from maestrata.geometry import TokenGrid, patchify
from maestrata.masks import MaskPatches, evaluation_masks, mask_matrix
from maestrata.model.mae import MAE, MAEConfig
from maestrata.representation.reconstruct import reconstruct

GRID = TokenGrid.for_leaves(16)


@pytest.mark.parametrize("norm_pixels", [False, True])
def test_only_masked_tokens_are_filled(norm_pixels):
    model = MAE(MAEConfig(width=16, depth=1, decoder_width=16, norm_pixels=norm_pixels))
    images = np.random.default_rng(0).standard_normal((5, 3, 8, 8), dtype=np.float32) * 3 + 1
    visible, masked = evaluation_masks(0, MaskPatches(GRID, 2, 1), 3, 5)
    filled, flags = reconstruct(model, images, visible, masked)
    assert filled.shape == images.shape and filled.dtype == np.float32
    assert flags.shape == (5, 8, 8) and flags.dtype == np.int8
    tokens, seen = patchify(filled, 2), mask_matrix(visible, 16)
    np.testing.assert_array_equal(tokens[seen], patchify(images, 2)[seen])
    np.testing.assert_array_equal(patchify(flags[:, None], 2), np.repeat(seen[..., None], 4, -1))
    # its error is the loss that training minimises
    true = patchify(images, 2)[~seen].astype(np.float64)
    deviation = true.std(-1, ddof=1, keepdims=True) if norm_pixels else 1.0
    error = np.square((tokens[~seen] - true) / deviation).mean()
    arguments = [torch.from_numpy(a) for a in (patchify(images, 2), visible, masked)]
    np.testing.assert_allclose(error, model.loss(*arguments).item(), rtol=1e-4)
