"""The tree over tokens: found where distances are a tree's, the dyadic grid where they are not sure."""

from __future__ import annotations

import numpy as np
import pytest

from maestrata.geometry import TokenGrid
from maestrata.worlds.latent_tree import dyadic_tree, find_tree, neighbour_joining, splits
from maestrata.worlds.token_features import covariance_of, token_distances, token_features

CLADES = [{0, 5}, {1, 2}, {3, 6}, {0, 5, 1, 2}, {3, 6, 4, 7}, {4, 7}]


def _distances(clades, n, lengths):
    """Path lengths on a rooted tree: of each clade above which the two leaves part."""
    d = np.zeros((n, n))
    own = lengths.uniform(0.2, 1.0, n)
    edge = {frozenset(clade): lengths.uniform(0.2, 1.0) for clade in clades}
    for i in range(n):
        for j in range(n):
            parts = [length for clade, length in edge.items() if (i in clade) != (j in clade)]
            d[i, j] = 0 if i == j else own[i] + own[j] + sum(parts)
    return d


@pytest.mark.parametrize("seed", range(5))
def test_neighbour_joining_finds_the_tree_of_additive_distances(seed):
    rng = np.random.default_rng(seed)
    d = _distances(CLADES, 8, rng)
    tree = neighbour_joining(d)
    every = frozenset(range(8))
    # a split names the side that leaf 0 is not on
    expected = {frozenset(clade) if 0 not in clade else every - clade for clade in CLADES}
    assert splits(tree, 8) == expected
    import networkx as nx

    paths = dict(nx.all_pairs_dijkstra_path_length(tree, weight="length"))
    np.testing.assert_allclose([[paths[i][j] for j in range(8)] for i in range(8)], d, atol=1e-9)


def test_a_sure_tree_is_rooted_in_its_middle():
    clades = [{0, 5}, {1, 2}, {3, 6}, {4, 7}, {0, 5, 1, 2}, {3, 6, 4, 7}]
    rng = np.random.default_rng(0)
    d = _distances(clades, 8, rng)
    d += 4 * (np.isin(np.arange(8), [0, 5, 1, 2])[:, None] != np.isin(np.arange(8), [0, 5, 1, 2])[None])
    tree = find_tree(TokenGrid(4, 2), lambda replicate: d, 5)
    assert tree.kind == "estimated" and tree.support == 1
    assert {frozenset(block.leaves) for _, block in tree.inner()} == {
        frozenset(range(8)),
        *map(frozenset, clades),
    }
    assert [block.leaves for block in tree.blocks[:8]] == [(i,) for i in range(8)]
    for place, block in tree.inner():
        left, right = block.halves
        assert max(left, right) < place
        assert {*tree.blocks[left].leaves, *tree.blocks[right].leaves} == set(block.leaves)
    assert tree.levels == 3 and [block.level for _, block in tree.inner()].count(1) == 4


def test_noise_falls_back_to_the_grid():
    grid = TokenGrid(4, 2)

    def distances(replicate):
        d = np.random.default_rng(replicate).uniform(1, 1.1, (8, 8))
        return (d + d.T) * (1 - np.eye(8))

    tree = find_tree(grid, distances, 20)
    assert tree.kind == "dyadic" and tree.support < 0.7
    assert [b.leaves for b in tree.blocks] == [b.leaves for b in dyadic_tree(grid).blocks]


def test_the_dyadic_tree_is_the_grids():
    grid = TokenGrid(4, 4)
    tree = dyadic_tree(grid)
    assert len(tree.blocks) == 31 and tree.levels == 4
    for level in range(1, 5):
        made = [block.leaves for _, block in tree.inner(level)]
        assert made == [tuple(row) for row in grid.blocks(level).tolist()]
    for _, block in tree.inner():
        left, right = (tree.blocks[half].leaves for half in block.halves)
        assert tuple(sorted(left + right)) == block.leaves and len(left) == len(right)


def test_distances_add_up_along_a_path():
    """Of a Markov chain x0 - x1 - x2 of Gaussian vectors, distance 0 to 2 is the sum of the two others."""
    rng = np.random.default_rng(0)
    n, dim = 40_000, 3
    x = [rng.standard_normal((n, dim))]
    for rho in (0.8, 0.6):
        x.append(rho * x[-1] + np.sqrt(1 - rho**2) * rng.standard_normal((n, dim)))
    values = np.concatenate(x, 1)
    columns = [np.arange(3 * i, 3 * i + 3) for i in range(3)]
    d = token_distances(covariance_of(values, 0.0), columns, n)
    np.testing.assert_allclose(d[0, 1], -np.log(0.8), atol=0.01)
    np.testing.assert_allclose(d[1, 2], -np.log(0.6), atol=0.01)
    np.testing.assert_allclose(d[0, 2], d[0, 1] + d[1, 2], atol=0.02)


def test_tokens_with_nothing_in_common_are_equally_far():
    rng = np.random.default_rng(0)
    values = rng.standard_normal((2000, 12))
    columns = [np.arange(3 * i, 3 * i + 3) for i in range(4)]
    d = token_distances(covariance_of(values, 0.0), columns, 2000)
    assert d[np.triu_indices(4, 1)].min() > -0.5 * np.log(0.01)


def test_shrinkage_leaves_the_variances():
    values = np.random.default_rng(0).standard_normal((50, 4)) @ np.random.default_rng(1).normal(size=(4, 4))
    plain, shrunk = covariance_of(values, 0.0), covariance_of(values, 0.25)
    np.testing.assert_allclose(plain, np.cov(values.T, bias=True))
    np.testing.assert_allclose(shrunk.diagonal(), plain.diagonal())
    np.testing.assert_allclose(shrunk[0, 1], 0.75 * plain[0, 1])
    twice = covariance_of(np.concatenate([values, values[:10]]), 0.0)
    np.testing.assert_allclose(covariance_of(values, 0.0, np.r_[np.full(10, 2), np.ones(40)]), twice)


def test_a_token_that_never_varies_has_no_features():
    """Whatever its value: what rounding leaves of it is none."""
    images = np.random.default_rng(0).standard_normal((501, 1, 8, 4)).astype(np.float32)
    for value in (0, 0.3, 255):
        images[:, :, :2, :2] = value
        features = token_features(images, TokenGrid(4, 2), 2, np.random.default_rng(0))
        assert features.pixels[0].shape == features.features[0].shape == (501, 0)
        assert all(part.shape[1] > 0 for part in (*features.pixels[1:], *features.features[1:]))
