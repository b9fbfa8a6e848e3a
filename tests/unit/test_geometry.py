"""Blocks, parents, children and tokens."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from maestrata.errors import MaskError
from maestrata.geometry import TokenGrid, patchify, unpatchify

LEAVES = (2, 4, 8, 16, 32, 64)


@pytest.mark.parametrize(
    ("leaves", "shape"), [(2, (2, 1)), (4, (2, 2)), (8, (4, 2)), (16, (4, 4)), (32, (8, 4)), (64, (8, 8))]
)
def test_grid_of_a_tree(leaves, shape):
    grid = TokenGrid.for_leaves(leaves)
    assert (grid.height, grid.width) == shape
    assert grid.n_tokens == leaves == 2**grid.levels
    assert grid == TokenGrid(*shape)


def test_odd_levels_join_in_height_and_even_ones_in_width():
    grid = TokenGrid.for_leaves(64)
    assert [grid.block_shape(level) for level in range(7)] == [
        (1, 1),
        (2, 1),
        (2, 2),
        (4, 2),
        (4, 4),
        (8, 4),
        (8, 8),
    ]
    assert [grid.n_nodes(level) for level in range(7)] == [64, 32, 16, 8, 4, 2, 1]


def test_the_sixteen_token_tree_written_out():
    grid = TokenGrid.for_leaves(16)
    # 0  1  2  3
    # 4  5  6  7
    # 8  9 10 11
    # 12 13 14 15
    assert grid.blocks(1).tolist() == [[0, 4], [1, 5], [2, 6], [3, 7], [8, 12], [9, 13], [10, 14], [11, 15]]
    assert grid.blocks(2).tolist() == [[0, 1, 4, 5], [2, 3, 6, 7], [8, 9, 12, 13], [10, 11, 14, 15]]
    assert grid.blocks(3).tolist() == [[0, 1, 4, 5, 8, 9, 12, 13], [2, 3, 6, 7, 10, 11, 14, 15]]
    assert grid.blocks(4).tolist() == [list(range(16))]
    assert grid.parent(0).tolist() == [0, 1, 2, 3, 0, 1, 2, 3, 4, 5, 6, 7, 4, 5, 6, 7]
    assert grid.parent(1).tolist() == [0, 0, 1, 1, 2, 2, 3, 3]
    assert grid.parent(2).tolist() == [0, 1, 0, 1]
    assert grid.parent(3).tolist() == [0, 0]
    assert grid.children(1)[5].tolist() == [9, 13]  # top first
    assert grid.children(2)[2].tolist() == [4, 5]  # left first
    assert grid.children(3).tolist() == [[0, 2], [1, 3]]
    assert grid.children(4).tolist() == [[0, 1]]


@pytest.mark.parametrize("leaves", LEAVES)
def test_blocks_parents_and_children_agree(leaves):
    grid = TokenGrid.for_leaves(leaves)
    for level in range(grid.levels + 1):
        blocks = grid.blocks(level)
        assert sorted(blocks.ravel()) == list(range(leaves))  # a partition
        assert all((np.diff(row) > 0).all() for row in blocks)
        for node, row in enumerate(blocks):
            assert (grid.node_of_token(level)[row] == node).all()
            # a block is a rectangle of the stated shape
            y, x = np.divmod(row, grid.width)
            assert (np.ptp(y) + 1, np.ptp(x) + 1) == grid.block_shape(level)
        if level < grid.levels:
            for node, parent in enumerate(grid.parent(level)):
                assert set(blocks[node]) < set(grid.blocks(level + 1)[parent])
        if level:
            below = grid.blocks(level - 1)
            for node, (first, second) in enumerate(grid.children(level)):
                assert set(below[first]) | set(below[second]) == set(blocks[node])
                assert below[first][0] < below[second][0]
                assert grid.parent(level - 1)[first] == grid.parent(level - 1)[second] == node


@pytest.mark.parametrize("leaves", [0, 1, 3, 12, -4, 4.0, True, "16", None])
def test_impossible_leaves_are_refused(leaves):
    with pytest.raises(MaskError, match=f"leaves={leaves!r} must be a power of two, at least 2"):
        TokenGrid.for_leaves(leaves)


@pytest.mark.parametrize("shape", [(1, 1), (2, 4), (4, 8), (3, 3), (8, 2), (0, 4), (-2, -2)])
def test_grids_that_no_tree_halves_are_refused(shape):
    with pytest.raises(MaskError, match=f"token grid {shape[0]}x{shape[1]} must be"):
        TokenGrid(*shape)


@pytest.mark.parametrize("level", [-1, 5])
def test_levels_outside_the_tree_are_refused(level):
    grid = TokenGrid.for_leaves(16)
    for method in (grid.block_shape, grid.n_nodes, grid.node_of_token, grid.blocks):
        with pytest.raises(MaskError, match=rf"level={level} must lie in 0\.\.4 on a 4x4 grid"):
            method(level)


def test_the_cached_table_cannot_be_changed():
    with pytest.raises(ValueError, match="read-only"):
        TokenGrid.for_leaves(8).node_of_token(1)[0] = 3


def test_patchify_orders_values_by_channel_then_y_then_x():
    images = np.arange(2 * 4 * 4).reshape(1, 2, 4, 4)  # two channels, 2 x 2 tokens of 2 x 2 pixels
    tokens = patchify(images, 2)
    assert tokens.shape == (1, 4, 8)
    assert tokens[0, 0].tolist() == [0, 1, 4, 5, 16, 17, 20, 21]
    assert tokens[0, 1].tolist() == [2, 3, 6, 7, 18, 19, 22, 23]
    assert tokens[0, 2].tolist() == [8, 9, 12, 13, 24, 25, 28, 29]


@pytest.mark.parametrize("leaves", [2, 8, 16])
@pytest.mark.parametrize("pixels", [1, 2, 3])
@pytest.mark.parametrize("lead", [(), (5,), (2, 3)])
def test_patchify_and_back_in_numpy_and_torch(leaves, pixels, lead):
    grid = TokenGrid.for_leaves(leaves)
    shape = (*lead, 3, grid.height * pixels, grid.width * pixels)
    images = np.random.default_rng(0).standard_normal(shape)
    tokens = patchify(images, pixels)
    assert tokens.shape == (*lead, leaves, 3 * pixels**2)
    assert (unpatchify(tokens, grid, pixels) == images).all()
    in_torch = patchify(torch.from_numpy(images), pixels)
    assert isinstance(in_torch, torch.Tensor)
    assert (in_torch.numpy() == tokens).all()
    assert (unpatchify(in_torch, grid, pixels).numpy() == images).all()


def test_images_that_are_no_whole_number_of_tokens_are_refused():
    with pytest.raises(MaskError, match="images of 6x4 pixels are not a whole number of 4x4-pixel tokens"):
        patchify(np.zeros((3, 6, 4)), 4)
