"""Controls: what they are given, and what they are not."""

import numpy as np
import pytest
from sklearn.decomposition import PCA

from maestrata.geometry import TokenGrid
from maestrata.masks import MaskPatches, evaluation_masks
from maestrata.model.mae import MAEConfig
from maestrata.regression.controls import Pca, Pixels, principal_axes
from maestrata.regression.encoders import ModelEncoder, initial_model
from maestrata.regression.views import EvalMasks, standard_masks

GRID = TokenGrid.for_leaves(16)


def _tokens(n=200, seed=0):
    return np.random.default_rng(seed).standard_normal((n, 16, 12)).astype(np.float32)


def _view(encoder, masks):
    ((layer, view),) = encoder.views(masks)
    assert layer == 3
    return view


@pytest.mark.parametrize("ratio", [0.0, 0.5])
def test_pixels_are_pooled_as_tokens_are(ratio):
    tokens, masks = _tokens(), standard_masks(ratio, GRID, 0, (150, 50))
    view = _view(Pixels(tokens, 3), masks)
    shown = np.ones((200, 16), bool)
    if masks.visible_ids is not None:
        shown = np.stack([np.isin(np.arange(16), ids) for ids in masks.visible_ids])
    kept = tokens * shown[..., None]
    np.testing.assert_allclose(
        view.vectors("global"), kept.sum(1) / shown.sum(1)[:, None], rtol=1e-4, atol=1e-6
    )
    np.testing.assert_array_equal(view.vectors("concat"), kept.reshape(200, -1))
    leaves = next(view.nodes())
    np.testing.assert_array_equal(leaves[shown], tokens[shown])
    assert np.isnan(leaves[~shown]).all()


@pytest.mark.parametrize("control", [lambda t: Pixels(t, 3), lambda t: Pca(t, 3, 150, 8)])
def test_controls_see_no_masked_pixel(control):
    tokens, masks = _tokens(), standard_masks(0.5, GRID, 0, (150, 50))
    other = tokens.copy()
    hidden = np.stack([np.setdiff1d(np.arange(16), ids) for ids in masks.visible_ids])
    np.put_along_axis(other, np.repeat(hidden[..., None], 12, -1), np.float32(9), axis=1)
    before, after = (_view(control(t), masks) for t in (tokens, other))
    for pooling in before.poolings:
        if pooling != "aligned":
            np.testing.assert_array_equal(before.vectors(pooling), after.vectors(pooling))
    for a, b in zip(before.nodes(), after.nodes(), strict=True):
        np.testing.assert_array_equal(a, b)


def test_components_are_those_of_the_training_images():
    tokens = _tokens() * np.linspace(0.1, 3, 12, dtype=np.float32) + 2
    view = _view(Pca(tokens, 3, 150, 8), standard_masks(0.0, GRID, 0, (150, 50)))
    flat = tokens.reshape(200, -1)
    oracle = PCA(8).fit(flat[:150].astype(np.float64))
    found = view.vectors("global")
    assert found.shape == (200, 8)
    expected = oracle.transform(flat)
    for k in range(8):
        assert abs(np.corrcoef(found[:, k], expected[:, k])[0, 1]) > 1 - 1e-6
    np.testing.assert_array_equal(view.vectors("cls"), found)
    widths = [features.shape[1:] for features in view.nodes()]
    assert widths == [(16, 8), (8, 8), (4, 8), (2, 8), (1, 8)]


def test_axes_of_few_values_span_them_all():
    axes = principal_axes(_tokens()[:, 0], 64)
    assert axes.shape == (12, 12)
    np.testing.assert_allclose(axes.T @ axes, np.eye(12), atol=1e-6)


def test_random_init_is_where_training_starts():
    cfg = MAEConfig(width=16, depth=1, decoder_width=16)
    same, other = (initial_model(cfg, seed).state_dict() for seed in (4, 5))
    again = initial_model(cfg, 4).state_dict()
    assert all((same[k] == again[k]).all() for k in same)
    assert not (same["embed.weight"] == other["embed.weight"]).all()


def test_views_of_a_model_read_every_layer_and_concat_at_the_last():
    cfg = MAEConfig(width=16, depth=2, decoder_width=16)
    images = np.random.default_rng(0).standard_normal((9, 3, 8, 8), dtype=np.float32)
    masks = EvalMasks.draw("training", GRID, 0, (5, 4), MaskPatches(GRID, 2, 1), 3)
    views = dict(ModelEncoder("trained", initial_model(cfg, 0), images).views(masks))
    assert sorted(views) == [0, 1, 2]
    assert ["concat" in views[layer].poolings for layer in range(3)] == [False, False, True]
    assert views[2].vectors("concat").shape == (9, 256)
    assert views[1].vectors("cls").shape == (9, 16)


def test_masks_are_the_same_for_every_model_and_differ_by_geometry():
    half = standard_masks(0.5, GRID, 0, (30, 20))
    assert half.label == "0.5" and standard_masks(0.0, GRID, 0, (30, 20)).label == "0"
    assert half.same_as(EvalMasks.draw("training", GRID, 0, (30, 20), MaskPatches(GRID), 8))
    assert not half.same_as(EvalMasks.draw("training", GRID, 1, (30, 20), MaskPatches(GRID), 8))
    assert not half.same_as(EvalMasks.draw("training", GRID, 0, (30, 20), MaskPatches(GRID), 7))
    assert not half.same_as(standard_masks(0.0, GRID, 0, (30, 20)))
    # a test image keeps its mask whatever the number of images: the exact posterior must see the same tokens
    np.testing.assert_array_equal(
        half.visible_ids[30:], evaluation_masks(0, MaskPatches(GRID), 8, 20, "test")[0]
    )
    present = half.present(1, 50)
    expected = [[any(t in ids for t in block) for block in GRID.blocks(1)] for ids in half.visible_ids]
    np.testing.assert_array_equal(present, expected)
    assert standard_masks(0.0, GRID, 0, (30, 20)).present(4, 50).all()
