"""Controls: what they are given, and what they are not."""

import numpy as np
import pytest
import torch
from sklearn.decomposition import PCA

import maestrata.worlds as worlds
from maestrata.geometry import TokenGrid, patchify
from maestrata.inference.gaussian_tree import joint as joint_of
from maestrata.masks import MaskPatches, evaluation_masks
from maestrata.model.mae import MAEConfig
from maestrata.regression.controls import LinearMAEControl, Pca, Pixels, principal_axes
from maestrata.regression.encoders import ModelEncoder, PositionsEncoder
from maestrata.regression.views import EvalMasks, standard_masks
from maestrata.theory.linear import linear_mae, linear_r2
from maestrata.training.data import initial_model

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


def _linear(tokens, width=8, patches=None, visible=4, n_train=150):
    return LinearMAEControl(tokens, 3, n_train, width, patches or MaskPatches(GRID), visible)


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


def test_the_linear_mae_sees_no_masked_pixel_and_a_masked_one_counts_as_the_mean():
    tokens, masks = _tokens() + 2, standard_masks(0.5, GRID, 0, (150, 50))
    control = _linear(tokens)
    before = _view(control, masks).vectors("global")
    mean = tokens[:150].mean(0)
    hidden = np.stack([np.setdiff1d(np.arange(16), ids) for ids in masks.visible_ids])
    filled = tokens.copy()
    for image, ids in zip(filled, hidden, strict=True):
        image[ids] = mean[ids]
    np.testing.assert_allclose(
        before, (filled - mean).reshape(200, -1) @ control.encoder.T, rtol=1e-3, atol=1e-4
    )
    control.tokens = filled
    np.testing.assert_array_equal(_view(control, masks).vectors("cls"), before)


@pytest.mark.parametrize(("patch", "visible"), [((1, 1), 8), ((2, 1), 2)])
def test_the_linear_mae_is_the_formula_on_a_gaussian_tree(patch, visible):
    """Fitted to images it reads what the map of the true covariance reads, W = S [a S + (1 - a) D]^-1."""
    world = worlds.make("gaussian_tree", 0, leaves=16, dim=2, rho=0.8)
    joint = joint_of(world)
    at = joint.index(world.node_names(0))
    mix = np.zeros((16 * 12, 16 * 2))
    for token in range(16):
        mix[12 * token : 12 * token + 12, 2 * token : 2 * token + 2] = world.params["P"][token]
    covariance = mix @ joint.covariance[np.ix_(at, at)] @ mix.T
    patches = MaskPatches(world.grid, *patch)
    n = patches.n_patches
    # by hand: the leading directions of what the best map predicts from masked images. Eight of them, since
    # the tree's symmetry makes equal ones of 2, 2, 4, 8 and 16, and a part of such a group is not unique
    of = np.repeat(patches.patch_of_token, 12)
    a = (visible - 1) / (n - 1)
    moment = np.where(of[:, None] == of, 1, a) * covariance
    best = covariance @ np.linalg.pinv(moment, rcond=1e-10, hermitian=True)
    lead = np.linalg.eigh(best @ moment @ best.T)[1][:, ::-1][:, :8]
    by_hand = lead.T @ best
    library = linear_mae(covariance, of, 1 - visible / n, "all", rank=8).encoder
    # R2 of every latent from whole images, the true moments taken
    latents = joint.index([name for level in range(1, 5) for name in world.node_names(level)])
    cross = mix @ joint.covariance[np.ix_(at, latents)]
    expected = linear_r2(by_hand, covariance, cross)
    np.testing.assert_allclose(linear_r2(library, covariance, cross), expected, atol=1e-8)
    tokens = patchify(world.sample(20_000, "probe-train").images, 2)
    control = _linear(tokens, 8, patches, visible, n_train=20_000)
    assert control.encoder.shape == (8, 192)
    np.testing.assert_allclose(linear_r2(control.encoder, covariance, cross), expected, atol=0.02)


def test_the_linear_mae_depends_on_patch_and_ratio():
    world = worlds.make("invertible_tree", 0, leaves=16)
    tokens = patchify(world.sample(2000, "probe-train").images, 2)
    cases = ((MaskPatches(GRID), 8), (MaskPatches(GRID), 2), (MaskPatches(GRID, 2, 1), 4))
    spaces = [np.linalg.qr(_linear(tokens, 8, *case, 2000).encoder.T)[0] for case in cases]
    for i, j in ((0, 1), (0, 2), (1, 2)):
        overlap = np.linalg.svd(spaces[i].T @ spaces[j])[1]
        assert overlap.min() < 0.999


def test_positions_see_the_mask_and_no_pixel():
    model = initial_model(MAEConfig(width=16, depth=2, decoder_width=16), 0)
    encoder = PositionsEncoder(model, (3, 8, 8))
    assert list(encoder.views(standard_masks(0.0, GRID, 0, (150, 50)))) == []
    masks = standard_masks(0.5, GRID, 0, (150, 50))
    ((layer, view),) = encoder.views(masks)
    assert layer == 2 and view.poolings == ("global", "cls")
    blank = torch.zeros(200, 16, 12)
    with torch.no_grad():
        encoded = model.encode(blank, torch.from_numpy(masks.visible_ids)).numpy()
    np.testing.assert_allclose(view.vectors("global"), encoded[:, 1:].mean(1), atol=1e-5)
    np.testing.assert_allclose(view.vectors("cls"), encoded[:, 0], atol=1e-5)
    # equal masks, equal vectors; others differ
    few = EvalMasks.draw("training", GRID, 0, (150, 50), MaskPatches(GRID, 4, 4 // 2), 1)
    ((_, view),) = encoder.views(few)
    first = few.visible_ids[:, 0]
    vectors = view.vectors("global")
    assert len(np.unique(vectors, axis=0)) == len(np.unique(first)) == 2
    assert (vectors[first == first[0]] == vectors[0]).all()


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
