"""Poolings against their definitions, written out token by token."""

import numpy as np
import pytest

from maestrata.errors import MaskError, ProbeError
from maestrata.geometry import TokenGrid
from maestrata.masks import MaskPatches, evaluation_masks
from maestrata.representation.pooling import (
    BY_NODE,
    POOLINGS,
    node_means,
    place_tokens,
    pool,
    pooled,
    visible_under,
)

GRIDS = [TokenGrid.for_leaves(8), TokenGrid.for_leaves(16), TokenGrid.for_leaves(32)]


def _tokens(grid, visible=None, n=6, width=3, seed=0):
    rng = np.random.default_rng(seed)
    ids = None if visible is None else evaluation_masks(seed, MaskPatches(grid), visible, n)[0]
    return rng.standard_normal((n, 1 + (visible or grid.n_tokens), width)).astype(np.float32), ids


@pytest.mark.parametrize("grid", GRIDS)
@pytest.mark.parametrize("visible", [None, 1, 3])
def test_aligned_is_the_mean_of_the_visible_tokens_under_the_node(grid, visible):
    tokens, ids = _tokens(grid, visible)
    for level in range(grid.levels + 1):
        pooled = pool(tokens, ids, "aligned", grid, level)
        assert pooled.shape == (6, grid.n_nodes(level), 3) and pooled.dtype == np.float32
        for i, row in enumerate(tokens):
            shown = range(grid.n_tokens) if ids is None else ids[i]
            of = {int(raster): row[1 + k] for k, raster in enumerate(shown)}
            for node, block in enumerate(grid.blocks(level)):
                here = [of[int(t)] for t in block if int(t) in of]
                expected = np.mean(here, axis=0) if here else np.full(3, np.nan)
                np.testing.assert_allclose(pooled[i, node], expected, rtol=1e-5, atol=1e-6)


def test_all_levels_at_once_are_each_level():
    grid = GRIDS[1]
    tokens, ids = _tokens(grid, 5)
    for level, means in enumerate(node_means(place_tokens(tokens[:, 1:], ids, 16), ids, grid)):
        np.testing.assert_array_equal(means, pool(tokens, ids, "aligned", grid, level))
    assert level == grid.levels


@pytest.mark.parametrize("visible", [None, 4])
def test_global_leaves_cls_out_and_cls_is_alone(visible):
    tokens, ids = _tokens(GRIDS[1], visible)
    np.testing.assert_allclose(
        pool(tokens, ids, "global", GRIDS[1]), tokens[:, 1:].mean(1), rtol=1e-5, atol=1e-6
    )
    np.testing.assert_array_equal(pool(tokens, ids, "cls", GRIDS[1]), tokens[:, 0])
    # the root's tokens are all tokens
    root = pool(tokens, ids, "aligned", GRIDS[1], 4)[:, 0]
    np.testing.assert_allclose(root, pool(tokens, ids, "global", GRIDS[1]), rtol=1e-5, atol=1e-6)


def test_concat_is_in_raster_order_with_zeros_where_masked():
    tokens, ids = _tokens(GRIDS[1], 4)
    pooled = pool(tokens, ids, "concat", GRIDS[1]).reshape(6, 16, 3)
    for i in range(6):
        np.testing.assert_array_equal(pooled[i, ids[i]], tokens[i, 1:])
        hidden = np.setdiff1d(np.arange(16), ids[i])
        assert not pooled[i, hidden].any()
    whole, _ = _tokens(GRIDS[1])
    np.testing.assert_array_equal(pool(whole, None, "concat", GRIDS[1]), whole[:, 1:].reshape(6, -1))


def test_tokens_without_cls():
    tokens, ids = _tokens(GRIDS[1], 4)
    for pooling in ("global", "concat"):
        np.testing.assert_array_equal(
            pool(tokens[:, 1:], ids, pooling, GRIDS[1], has_cls=False), pool(tokens, ids, pooling, GRIDS[1])
        )
    with pytest.raises(ProbeError, match="pooling='cls' needs"):
        pool(tokens, ids, "cls", GRIDS[1], has_cls=False)


def test_tokens_under_a_node_average_to_its_aligned_features():
    tokens, ids = _tokens(GRIDS[1], 6)
    by_level = {name: list(x) for name, x in pooled(tokens, ids, BY_NODE, GRIDS[1])}
    for level, (mean, every) in enumerate(zip(*by_level.values(), strict=True)):
        assert every.shape == (6, GRIDS[1].n_nodes(level), 2**level, 3)
        np.testing.assert_array_equal(every, pool(tokens, ids, "tokens", GRIDS[1], level))
        shown = visible_under(ids, GRIDS[1], level)
        seen = shown > 0
        np.testing.assert_allclose(
            every.sum(2)[seen] / shown[seen][:, None], mean[seen], rtol=1e-5, atol=1e-6
        )
        assert not every[~seen].any()


def test_visible_under_counts():
    ids = np.array([[0, 1, 15]])
    assert visible_under(ids, GRIDS[1], 2).tolist() == [[2, 0, 0, 1]]


def test_bad_input_is_named():
    tokens, ids = _tokens(GRIDS[1], 4)
    with pytest.raises(ProbeError, match="'mean' must be one of: aligned, cls, concat, global, tokens"):
        pool(tokens, ids, "mean", GRIDS[1])
    for pooling in POOLINGS:
        with pytest.raises(ProbeError, match="a level goes with 'aligned'"):
            pool(tokens, ids, pooling, GRIDS[1], None if pooling in BY_NODE else 1)
    with pytest.raises(ProbeError, match="4 patch tokens do not fit"):
        pool(tokens, None, "global", GRIDS[1])
    with pytest.raises(MaskError, match="level=5"):
        pool(tokens, ids, "aligned", GRIDS[1], 5)
