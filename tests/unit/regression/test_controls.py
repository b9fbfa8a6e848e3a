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
from maestrata.regression.controls import fit_linear_mae, linear, pixels, principal_axes, reduced
from maestrata.regression.data import EvalMasks
from maestrata.regression.encoders import of_model, of_positions
from maestrata.representation.pooling import POOLINGS
from maestrata.theory.linear import linear_mae, linear_r2
from maestrata.training.data import initial_model

GRID = TokenGrid.for_leaves(16)


def _tokens(n=200, seed=0):
    return np.random.default_rng(seed).standard_normal((n, 16, 12)).astype(np.float32)


def _features(encode, masks, layer=3):
    """Features by pooling, those of every level listed."""
    features = list(encode(masks, POOLINGS))
    assert {at for at, _, _ in features} == {layer}
    return {name: x if isinstance(x, np.ndarray) else list(x) for _, name, x in features}


@pytest.mark.parametrize("ratio", [0.0, 0.5])
def test_pixels_are_pooled_as_tokens_are(ratio):
    tokens, masks = _tokens(), EvalMasks.common(ratio, GRID, 0, (150, 50))
    features = _features(pixels(tokens, 3), masks)
    assert sorted(features) == ["aligned", "concat", "global"]
    shown = np.ones((200, 16), bool)
    if masks.visible_ids is not None:
        shown = np.stack([np.isin(np.arange(16), ids) for ids in masks.visible_ids])
    kept = tokens * shown[..., None]
    np.testing.assert_allclose(features["global"], kept.sum(1) / shown.sum(1)[:, None], rtol=1e-4, atol=1e-6)
    np.testing.assert_array_equal(features["concat"], kept.reshape(200, -1))
    # of a node all pixels under it, side by side
    leaves, *_, root = features["aligned"]
    np.testing.assert_array_equal(leaves, kept)
    assert [nodes.shape[1:] for nodes in features["aligned"]] == [(16 >> k, 12 << k) for k in range(5)]
    np.testing.assert_array_equal(root[:, 0], kept.reshape(200, -1))


def _linear(tokens, width=8, patches=None, visible=4, n_train=150):
    return linear(tokens, 3, n_train, width, patches or MaskPatches(GRID), visible)


def test_controls_see_no_masked_pixel():
    tokens, masks = _tokens(), EvalMasks.common(0.5, GRID, 0, (150, 50))
    other = tokens.copy()
    hidden = np.stack([np.setdiff1d(np.arange(16), ids) for ids in masks.visible_ids])
    np.put_along_axis(other, np.repeat(hidden[..., None], 12, -1), np.float32(9), axis=1)
    before, after = (_features(pixels(t, 3), masks) for t in (tokens, other))
    assert len(before) == 3
    for pooling, features in before.items():
        for a, b in zip(features, after[pooling], strict=True):
            np.testing.assert_array_equal(a, b)


def test_the_linear_mae_sees_no_masked_pixel_and_a_masked_one_counts_as_the_mean():
    tokens, masks = _tokens() + 2, EvalMasks.common(0.5, GRID, 0, (150, 50))
    before = _features(_linear(tokens), masks)["concat"]
    mean = tokens[:150].mean(0)
    hidden = np.stack([np.setdiff1d(np.arange(16), ids) for ids in masks.visible_ids])
    filled = tokens.copy()
    for image, ids in zip(filled, hidden, strict=True):
        image[ids] = mean[ids]
    encoder = fit_linear_mae(tokens[:150], 8, MaskPatches(GRID), 4)[1]
    np.testing.assert_allclose(before, (filled - mean).reshape(200, -1) @ encoder.T, rtol=1e-3, atol=1e-4)
    other = tokens.copy()
    np.put_along_axis(other[150:], np.repeat(hidden[150:, :, None], 12, -1), np.float32(9), axis=1)
    np.testing.assert_array_equal(_features(_linear(other), masks)["aligned"], before)


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
    encoder = fit_linear_mae(tokens, 8, patches, visible)[1]
    assert encoder.shape == (8, 192)
    np.testing.assert_allclose(linear_r2(encoder, covariance, cross), expected, atol=0.02)


def test_the_linear_mae_depends_on_patch_and_ratio():
    world = worlds.make("invertible_tree", 0, leaves=16)
    tokens = patchify(world.sample(2000, "probe-train").images, 2)
    cases = ((MaskPatches(GRID), 8), (MaskPatches(GRID), 2), (MaskPatches(GRID, 2, 1), 4))
    spaces = [np.linalg.qr(fit_linear_mae(tokens, 8, *case)[1].T)[0] for case in cases]
    for i, j in ((0, 1), (0, 2), (1, 2)):
        overlap = np.linalg.svd(spaces[i].T @ spaces[j])[1]
        assert overlap.min() < 0.999


def test_positions_see_the_mask_and_no_pixel():
    model = initial_model(MAEConfig(width=16, depth=2, decoder_width=16), 0, 0)
    encode = of_positions(model, (3, 8, 8))
    assert list(encode(EvalMasks.common(0.0, GRID, 0, (150, 50)), POOLINGS)) == []
    masks = EvalMasks.common(0.5, GRID, 0, (150, 50))
    features = _features(encode, masks, 2)
    assert sorted(features) == ["cls", "global"]
    blank = torch.zeros(200, 16, 12)
    with torch.no_grad():
        encoded = model.encode(blank, torch.from_numpy(masks.visible_ids)).numpy()
    np.testing.assert_allclose(features["global"], encoded[:, 1:].mean(1), atol=1e-5)
    np.testing.assert_allclose(features["cls"], encoded[:, 0], atol=1e-5)
    # equal masks, equal vectors; others differ
    few = EvalMasks.draw("training", GRID, 0, (150, 50), MaskPatches(GRID, 4, 4 // 2), 1)
    first = few.visible_ids[:, 0]
    vectors = _features(encode, few, 2)["global"]
    assert len(np.unique(vectors, axis=0)) == len(np.unique(first)) == 2
    assert (vectors[first == first[0]] == vectors[0]).all()


def test_all_tokens_are_reduced_to_the_components_of_the_training_images():
    rng = np.random.default_rng(0)
    features = (rng.standard_normal((900, 300)) * np.linspace(0.1, 3, 300) + 2).astype(np.float32)
    fewer = reduced(features, 700)
    oracle = PCA(256, svd_solver="full").fit(features[:700].astype(np.float64))
    assert fewer.shape == (900, 256)
    # components of like variance may mix: the space is what is compared
    kept = np.linalg.qr(fewer[:700] - fewer[:700].mean(0))[0]
    same = np.linalg.svd(kept.T @ np.linalg.qr(oracle.transform(features[:700]))[0])[1]
    np.testing.assert_allclose(same, 1, atol=1e-3)
    share = fewer[:700].var(0).sum() / features[:700].var(0).sum()
    assert share == pytest.approx(oracle.explained_variance_ratio_.sum(), rel=1e-4)
    np.testing.assert_array_equal(reduced(features, 700), fewer)
    np.testing.assert_array_equal(fewer[:700], reduced(features[:700], 700))  # test images change nothing
    narrow = features[:, :256]
    assert reduced(narrow, 700) is narrow


def test_axes_of_few_values_span_them_all():
    axes = principal_axes(_tokens()[:, 0], 64)
    assert axes.shape == (12, 12)
    np.testing.assert_allclose(axes.T @ axes, np.eye(12), atol=1e-6)


def test_random_init_is_where_training_starts():
    cfg = MAEConfig(width=16, depth=1, decoder_width=16)
    same, other = (initial_model(cfg, seed, 0).state_dict() for seed in (4, 5))
    again = initial_model(cfg, 4, 0).state_dict()
    assert all((same[k] == again[k]).all() for k in same)
    assert not (same["embed.weight"] == other["embed.weight"]).all()


def test_features_of_a_model_are_of_every_layer_and_concat_of_the_last():
    cfg = MAEConfig(width=16, depth=2, decoder_width=16)
    images = np.random.default_rng(0).standard_normal((9, 3, 8, 8), dtype=np.float32)
    masks = EvalMasks.draw("training", GRID, 0, (5, 4), MaskPatches(GRID, 2, 1), 3)
    model = initial_model(cfg, 0, 0)
    shapes = {
        (layer, pooling): x.shape if isinstance(x, np.ndarray) else [part.shape for part in x]
        for layer, pooling, x in of_model(model, images)(masks, POOLINGS)
    }
    assert sorted(shapes) == sorted(
        [(layer, name) for layer in range(3) for name in ("global", "cls", "aligned")]
        + [(2, "concat"), (2, "tokens")]
    )
    assert shapes[2, "concat"] == (9, 256) and shapes[1, "cls"] == (9, 16)
    assert shapes[0, "aligned"] == [(9, nodes, 16) for nodes in (16, 8, 4, 2, 1)]
    brief = [
        (layer, name) for layer, name, _ in of_model(model, images, brief=True)(masks, ("cls", "concat"))
    ]
    assert brief == [(2, "cls"), (2, "concat")]
    assert shapes[2, "tokens"] == [(9, 16 >> k, 1 << k, 16) for k in range(5)]


def test_masks_are_the_same_for_every_model_and_differ_by_geometry():
    half = EvalMasks.common(0.5, GRID, 0, (30, 20))
    assert half.label == "0.5" and EvalMasks.common(0.0, GRID, 0, (30, 20)).label == "0"
    assert half.same_as(EvalMasks.draw("training", GRID, 0, (30, 20), MaskPatches(GRID), 8))
    assert not half.same_as(EvalMasks.draw("training", GRID, 1, (30, 20), MaskPatches(GRID), 8))
    assert not half.same_as(EvalMasks.draw("training", GRID, 0, (30, 20), MaskPatches(GRID), 7))
    assert not half.same_as(EvalMasks.common(0.0, GRID, 0, (30, 20)))
    # a test image keeps its mask whatever the number of images: the exact posterior must see the same tokens
    np.testing.assert_array_equal(
        half.visible_ids[30:], evaluation_masks(0, MaskPatches(GRID), 8, 20, "test")[0]
    )
    present = half.present(1, 50)
    expected = [[any(t in ids for t in block) for block in GRID.blocks(1)] for ids in half.visible_ids]
    np.testing.assert_array_equal(present, expected)
    assert EvalMasks.common(0.0, GRID, 0, (30, 20)).present(4, 50).all()
