"""Mask patches, visible counts and the masks themselves."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
import torch

from maestrata.errors import MaskError
from maestrata.geometry import TokenGrid
from maestrata.masks import (
    MaskPatches,
    draw_masks,
    evaluation_masks,
    mask_matrix,
    realised_ratio,
    visible_count,
)

GRID = TokenGrid.for_leaves(16)
RATIOS = (0.1, 0.25, 0.5, 0.75, 0.9)


@pytest.mark.parametrize(
    ("n", "counts"),
    [
        (2, [1, 1, 1, 1, 1]),
        (4, [3, 3, 2, 1, 1]),
        (8, [7, 6, 4, 2, 1]),
        (16, [14, 12, 8, 4, 2]),
        (32, [29, 24, 16, 8, 3]),
        (64, [58, 48, 32, 16, 6]),
    ],
)
def test_visible_counts(n, counts):
    assert [visible_count(n, r) for r in RATIOS] == counts


def test_a_half_rounds_towards_visible_and_the_ratio_is_the_decimal_that_was_written():
    assert visible_count(5, 0.5) == 3 and visible_count(5, 0.9) == 1  # 2.5 + .5, and .5 + .5
    assert visible_count(15, 0.9) == 2  # 15 * (1 - .9) + .5 is 1.9999999999999996 in floating point
    assert visible_count(30, 0.55) == 14  # 13.999999999999998
    assert visible_count(10, 1e-9) == 9 and visible_count(10, 1 - 1e-9) == 1  # kept off 0 and N


def test_two_asked_ratios_can_be_one_cell():
    assert visible_count(4, 0.1) == visible_count(4, 0.25) == 3
    assert realised_ratio(4, 3) == 0.25
    assert visible_count(8, 0.9) == visible_count(8, 0.875) == 1 and realised_ratio(8, 1) == 0.875


@pytest.mark.parametrize("ratio", [0, 1, -0.1, 1.5, float("nan"), float("inf"), "0.5", None, True])
def test_impossible_ratios_are_refused(ratio):
    with pytest.raises(MaskError, match=rf"mask_ratio={ratio!r} must lie in \(0, 1\)"):
        visible_count(16, ratio)


@pytest.mark.parametrize("visible", [0, 16, -1])
def test_impossible_counts_are_refused(visible):
    with pytest.raises(MaskError, match=rf"{visible}.*16"):
        realised_ratio(16, visible)
    with pytest.raises(MaskError, match=rf"{visible}.*16"):
        draw_masks(MaskPatches(GRID), visible, np.zeros((1, 16)))


@pytest.mark.parametrize(
    ("label", "level"),
    [("1x1", 0), ("2x1", 1), ("2x2", 2), ("4x2", 3), ("1x2", None), ("1x4", None), ("4x1", None)],
)
def test_labels_and_levels(label, level):
    patches = MaskPatches.parse(label, GRID)
    assert patches.label == label and not patches.offset
    assert patches.level == level
    if level:
        assert {frozenset(row) for row in patches.tokens} == {frozenset(row) for row in GRID.blocks(level)}
        twin = MaskPatches.parse(label + "o", GRID)
        assert twin.label == label + "o" and twin.offset and twin.level is None
        assert {frozenset(row) for row in twin.tokens} != {frozenset(row) for row in patches.tokens}


@pytest.mark.parametrize(
    ("label", "message"),
    [
        ("3x1", "mask patch 3x1 must divide the 4x4 token grid"),
        ("8x1", "mask patch 8x1 must divide"),
        ("4x4", "mask patch 4x4 covers the 4x4 token grid"),
        ("1x1o", "a patch of one token has no offset twin"),
        ("2", "mask patch '2' must read HEIGHTxWIDTH"),
        ("0x1", "must read HEIGHTxWIDTH"),
        ("2x1x1", "must read HEIGHTxWIDTH"),
        ("-2x1", "must read HEIGHTxWIDTH"),
        (None, "mask patch None must read HEIGHTxWIDTH"),
    ],
)
def test_impossible_patches_are_refused(label, message):
    with pytest.raises(MaskError, match=message):
        MaskPatches.parse(label, GRID)


def test_offset_patches_are_shifted_by_half_and_wrap():
    assert MaskPatches.parse("2x1o", GRID).tokens.tolist() == [
        [4, 8],
        [5, 9],
        [6, 10],
        [7, 11],
        [0, 12],  # the last row joins the first
        [1, 13],
        [2, 14],
        [3, 15],
    ]
    # a corner of the image is in one patch with the other corners
    assert sorted(MaskPatches.parse("2x2o", GRID).tokens.tolist())[0] == [0, 3, 12, 15]
    # a direction of one token is not shifted
    wide = MaskPatches.parse("1x2o", GRID)
    assert wide.tokens.tolist()[:2] == [[1, 2], [0, 3]]


LABELS = ("1x1", "2x1", "2x1o", "2x2", "2x2o", "4x2", "4x2o", "1x2o")


@pytest.mark.parametrize("label", LABELS)
def test_patches_partition_the_grid(label):
    patches = MaskPatches.parse(label, GRID)
    assert patches.tokens.shape == (patches.n_patches, patches.size)
    assert sorted(patches.tokens.ravel()) == list(range(16))
    for patch, row in enumerate(patches.tokens):
        assert (patches.patch_of_token[row] == patch).all()


@pytest.mark.parametrize("label", LABELS)
def test_masks_hide_whole_patches_in_a_fixed_number(label):
    patches = MaskPatches.parse(label, GRID)
    uniforms = np.random.default_rng(1).random((200, patches.n_patches))
    for visible in {1, patches.n_patches // 2, patches.n_patches - 1}:
        seen, hidden = draw_masks(patches, visible, uniforms)
        assert seen.shape == (200, visible * patches.size)
        assert hidden.shape == (200, 16 - visible * patches.size)
        assert seen.dtype == hidden.dtype == np.int64
        assert (np.diff(seen) > 0).all() and (np.diff(hidden) > 0).all()
        assert (np.sort(np.concatenate([seen, hidden], 1)) == np.arange(16)).all()
        for u, row in zip(uniforms, seen, strict=True):
            chosen = set(np.argsort(u)[:visible])  # the smallest draws are visible
            assert set(row) == {t for p in chosen for t in patches.tokens[p]}


def test_masks_are_the_same_in_torch_and_take_leading_axes():
    for label in LABELS:
        patches = MaskPatches.parse(label, GRID)
        uniforms = np.random.default_rng(2).random((3, 7, patches.n_patches))
        seen, hidden = draw_masks(patches, 1, uniforms)
        in_torch = draw_masks(patches, 1, torch.from_numpy(uniforms))
        assert seen.shape == (3, 7, patches.size)
        assert in_torch[0].dtype == torch.int64
        assert (in_torch[0].numpy() == seen).all() and (in_torch[1].numpy() == hidden).all()
        one, _ = draw_masks(patches, 1, uniforms[1, 4])
        assert (one == seen[1, 4]).all()


def test_every_set_of_patches_is_equally_likely():
    patches = MaskPatches.parse("2x2", GRID)
    seen, _ = draw_masks(patches, 2, np.random.default_rng(3).random((12_000, 4)))
    _, counts = np.unique(seen, axis=0, return_counts=True)
    assert len(counts) == 6
    assert (abs(counts - 2000) < 5 * np.sqrt(2000 * 5 / 6)).all()


def test_uniforms_must_fit_the_patches():
    with pytest.raises(MaskError, match=r"uniforms of shape \(3, 16\) must end in the 8 patches of 2x1"):
        draw_masks(MaskPatches.parse("2x1", GRID), 2, np.zeros((3, 16)))


def test_mask_matrix_is_true_where_visible():
    matrix = mask_matrix(np.array([[0, 2], [1, 3]]), 4)
    assert matrix.tolist() == [[True, False, True, False], [False, True, False, True]]
    seen, hidden = draw_masks(MaskPatches(GRID), 5, np.random.default_rng(0).random((2, 3, 16)))
    assert mask_matrix(seen, 16).shape == (2, 3, 16)
    assert (mask_matrix(seen, 16) == ~mask_matrix(hidden, 16)).all()


def test_evaluation_masks_are_fixed_by_world_geometry_count_and_split():
    keys = product((0, 1), ("1x1", "2x1", "2x1o"), (2, 4), ("test", "probe-train", "display"))
    drawn = {}
    for seed, label, visible, split in keys:
        patches = MaskPatches.parse(label, GRID)
        seen, hidden = evaluation_masks(seed, patches, visible, 64, split)
        again, _ = evaluation_masks(seed, patches, visible, 64, split)
        assert (seen == again).all() and seen.shape == (64, visible * patches.size)
        assert seen.shape[1] + hidden.shape[1] == 16
        assert drawn.setdefault(seen.tobytes(), (seed, label, visible, split)) == (
            seed,
            label,
            visible,
            split,
        )
        # the first rows do not depend on how many are asked for
        assert (evaluation_masks(seed, patches, visible, 10, split)[0] == seen[:10]).all()
    with pytest.raises(MaskError, match="split 'train' must be one of: display, probe-train, test"):
        evaluation_masks(0, MaskPatches(GRID), 2, 4, "train")
