"""What holds for every grid, patch, ratio and image."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from maestrata.geometry import TokenGrid, patchify, unpatchify
from maestrata.masks import MaskPatches, draw_masks, mask_matrix, realised_ratio, visible_count

grids = st.integers(1, 8).map(lambda levels: TokenGrid.for_leaves(2**levels))


@st.composite
def partitions(draw):
    grid = draw(grids)
    height = 2 ** draw(st.integers(0, grid.height.bit_length() - 1))
    width = 2 ** draw(st.integers(0, grid.width.bit_length() - 1))
    assume(height * width < grid.n_tokens)
    return MaskPatches(grid, height, width, draw(st.booleans()) and height * width > 1)


@given(partitions(), st.data())
def test_a_mask_is_a_union_of_patches_of_the_stated_number(patches, data):
    visible = data.draw(st.integers(1, patches.n_patches - 1))
    seed = data.draw(st.integers(0, 2**32 - 1))
    uniforms = np.random.default_rng(seed).random((4, patches.n_patches))
    seen, hidden = draw_masks(patches, visible, uniforms)
    matrix = mask_matrix(seen, patches.grid.n_tokens)
    assert (mask_matrix(hidden, patches.grid.n_tokens) == ~matrix).all()
    per_patch = matrix[:, patches.tokens]  # (n, N, size)
    assert (per_patch.all(-1) == per_patch.any(-1)).all()
    assert (per_patch.all(-1).sum(1) == visible).all()


@given(partitions())
def test_labels_read_back(patches):
    assert MaskPatches.parse(patches.label, patches.grid) == patches


@given(partitions())
def test_offset_patches_are_the_plain_ones_moved_round_the_image(patches):
    grid = patches.grid
    plain = MaskPatches(grid, patches.height, patches.width)
    moved = plain.patch_of_token.reshape(grid.height, grid.width)
    if patches.offset:
        moved = np.roll(moved, (patches.height // 2, patches.width // 2), (0, 1))
    assert (moved.ravel() == patches.patch_of_token).all()


@given(partitions())
def test_aligned_patches_are_subtrees(patches):
    if patches.level is not None:
        assert (np.sort(patches.tokens, 0) == np.sort(patches.grid.blocks(patches.level), 0)).all()
        assert patches.size == 2**patches.level


@given(st.integers(2, 4096), st.integers(1, 999))
def test_the_visible_count_is_the_nearest_that_can_be_realised(n, thousandths):
    ratio = thousandths / 1000
    count = visible_count(n, ratio)
    assert 1 <= count <= n - 1
    distance = abs(Fraction(n - count, n) - Fraction(thousandths, 1000))
    for other in {max(1, count - 1), min(n - 1, count + 1)}:
        assert distance <= abs(Fraction(n - other, n) - Fraction(thousandths, 1000))
    # asking for what was realised realises it again
    assert visible_count(n, realised_ratio(n, count)) == count


@given(st.integers(2, 300), st.integers(1, 999), st.integers(1, 999))
def test_a_larger_ratio_never_shows_more(n, one, two):
    low, high = sorted((one / 1000, two / 1000))
    assert visible_count(n, low) >= visible_count(n, high)


@given(grids, st.integers(1, 4), st.integers(1, 4), st.lists(st.integers(0, 3), max_size=2))
@settings(max_examples=50)
def test_patchify_is_a_bijection(grid, pixels, channels, lead):
    shape = (*lead, channels, grid.height * pixels, grid.width * pixels)
    images = np.arange(np.prod(shape)).reshape(shape)
    if images.size == 0:
        return
    tokens = patchify(images, pixels)
    assert sorted(tokens.ravel()) == list(range(images.size))
    assert (unpatchify(tokens, grid, pixels) == images).all()


@given(grids)
def test_ancestors_of_a_token_nest(grid):
    node = np.arange(grid.n_tokens)
    for level in range(grid.levels):
        node = grid.parent(level)[node]
        assert (node == grid.node_of_token(level + 1)).all()
