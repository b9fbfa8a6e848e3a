"""Encoding: layers, batches, and that masked pixels cannot reach a representation."""

import numpy as np
import pytest
import torch

from maestrata.errors import ProbeError
from maestrata.geometry import TokenGrid, patchify, unpatchify
from maestrata.masks import MaskPatches, evaluation_masks
from maestrata.model.mae import MAE, MAEConfig
from maestrata.representation.encode import image_tokens, last_layer, layer_passes, represent
from maestrata.representation.pooling import pool

GRID = TokenGrid.for_leaves(16)
CFG = MAEConfig(width=16, depth=2, decoder_width=16)


def _model(seed=0):
    return MAE(CFG).initialise(torch.Generator().manual_seed(seed))


def _images(n=20, seed=0):
    return np.random.default_rng(seed).standard_normal((n, 3, 8, 8), dtype=np.float32)


def test_layers_are_the_models_own():
    model, images = _model(), _images()
    visible, _ = evaluation_masks(0, MaskPatches(GRID), 5, len(images))
    layers = represent(model, images, visible, batch=7)
    expected = model.encode(torch.from_numpy(patchify(images, 2)), torch.from_numpy(visible), layers=True)
    assert sorted(layers) == [0, 1, 2]
    for layer, tokens in layers.items():
        assert tokens.shape == (20, 6, 16) and tokens.dtype == np.float32
        np.testing.assert_allclose(tokens, expected[layer].detach().numpy(), atol=1e-5)


def test_a_chosen_layer_is_the_same_as_among_all():
    model, images = _model(), _images()
    alone = represent(model, images, layers=[2])
    assert list(alone) == [2]
    np.testing.assert_array_equal(alone[2], represent(model, images)[2])


@pytest.mark.parametrize("patches", [MaskPatches(GRID), MaskPatches(GRID, 2, 1, True)])
def test_masked_pixels_leave_no_trace(patches):
    model, images = _model(), _images()
    visible, masked = evaluation_masks(3, patches, patches.n_patches // 2, len(images))
    other = patchify(images, 2).copy()
    np.put_along_axis(other, np.repeat(masked[..., None], 12, -1), np.float32(1e6), axis=1)
    before = represent(model, images, visible)
    after = represent(model, unpatchify(other, GRID, 2), visible)
    for layer in before:
        np.testing.assert_array_equal(before[layer], after[layer])
    # and a visible pixel does leave one
    np.put_along_axis(other, np.repeat(visible[:, :1, None], 12, -1), np.float32(3.0), axis=1)
    assert not np.array_equal(represent(model, unpatchify(other, GRID, 2), visible)[2], before[2])


def test_the_last_layer_is_pooled_from_visible_tokens():
    model, images = _model(), _images(5)
    visible = np.tile(np.array([0, 3, 9]), (5, 1))
    for ids in (None, visible):
        tokens = represent(model, images, ids)[2]
        np.testing.assert_array_equal(last_layer(model, images, visible_ids=ids), tokens[:, 1:].mean(1))
        np.testing.assert_array_equal(last_layer(model, images, "cls", ids), tokens[:, 0])
        np.testing.assert_array_equal(
            last_layer(model, images, "concat", ids), pool(tokens, ids, "concat", GRID)
        )
    with pytest.raises(ProbeError, match="pooling='aligned'"):
        last_layer(model, images, "aligned")


def test_the_model_is_left_as_it_was():
    model = _model().train()
    represent(model, _images(2))
    assert model.training and all(p.grad is None for p in model.parameters())


def test_bad_input_is_named():
    model, images = _model(), _images(4)
    with pytest.raises(ProbeError, match=r"layer=3 must lie in 0\.\.2"):
        represent(model, images, layers=[3])
    with pytest.raises(ProbeError, match="3 masks do not fit 4 images"):
        represent(model, images, np.zeros((3, 2), np.int64))
    with pytest.raises(ProbeError, match="do not fit a model of 4x4 tokens of 12 values"):
        image_tokens(np.zeros((4, 3, 16, 16), np.float32), model.cfg)
    with pytest.raises(ProbeError, match="batch=0"):
        represent(model, images, batch=0)


@pytest.mark.parametrize(
    "images",
    [
        np.zeros((2, 3, 8, 8), np.uint8),
        np.zeros((2, 3, 8, 8), np.int64),
        np.zeros((3, 8, 8), np.float32),
        np.full((2, 3, 8, 8), "a"),
        [[1, 2], [3, 4]],
    ],
)
def test_what_is_no_image_of_floats_is_refused_in_one_line(images):
    for encode in (represent, last_layer):
        with pytest.raises(ProbeError, match="must be numbers of floating point") as caught:
            encode(_model(), images)
        assert "\n" not in str(caught.value)


def test_images_of_double_precision_are_as_good():
    images = _images(2)
    np.testing.assert_array_equal(last_layer(_model(), images), last_layer(_model(), images.astype(float)))


def test_passes_cover_all_layers_within_the_budget():
    assert list(layer_passes(range(5), 100, budget=250)) == [[0, 1], [2, 3], [4]]
    assert list(layer_passes(range(3), 100, budget=10)) == [[0], [1], [2]]
    assert list(layer_passes(range(3), 100)) == [[0, 1, 2]]
