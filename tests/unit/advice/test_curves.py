"""What is explained through which level, against what is known of worlds."""

from __future__ import annotations

import numpy as np
import pytest

from maestrata import worlds
from maestrata.advice.curves import Curves, mask_cells, pixel_share
from maestrata.advice.factors import canonical, find_factors, standard
from maestrata.geometry import TokenGrid
from maestrata.worlds.latent_tree import dyadic_tree
from maestrata.worlds.token_features import token_features

N, FITTED = 4000, 3000


def _curves(world, labels=None, n=N):
    images = world.sample(n, "theory").images
    features = token_features(images, world.grid, world.token_pixels, np.random.default_rng(0))
    tree = dyadic_tree(world.grid)
    factors = find_factors(tree, features.features, FITTED, labels)
    weights = np.ones((1, n - FITTED))
    return Curves(tree, factors, features.pixels, FITTED, weights), factors, features, images


@pytest.fixture(scope="module")
def gaussian():
    world = worlds.make("gaussian_tree", 0, leaves=4, dim=2)
    return world, *_curves(world)


def _masked(*tokens, n=4):
    return np.isin(np.arange(n), tokens)


def test_what_is_explained_in_all_is_what_linear_regression_explains(gaussian):
    """On a Gaussian tree nothing is explained that is not linear."""
    _, curves, _, features, _ = gaussian
    for masked in (_masked(0), _masked(0, 1), _masked(0, 3), _masked(0, 1, 2)):
        _, gain = curves.of_mask(masked)
        linear = pixel_share(features.pixels, masked, FITTED, 0.0)
        assert linear > 0.1
        np.testing.assert_allclose(gain[:, 0].sum(), linear, atol=0.04)


def test_gains_stand_at_the_level_where_the_masked_part_meets_the_visible_one(gaussian):
    _, curves, *_ = gaussian
    demand, gain = (part[:, 0] for part in curves.of_mask(_masked(0, 2)))  # a whole pair
    assert abs(gain[0]) < 1e-9 and gain[1] > 0.3
    # all of the other half is shown: what is wanted is what is gained
    np.testing.assert_allclose(gain[1], demand[1], rtol=1e-4)
    demand, gain = (part[:, 0] for part in curves.of_mask(_masked(0)))
    np.testing.assert_allclose(gain[0], demand[0], rtol=1e-4)
    assert gain[0] > 3 * gain[1] > 0  # its sibling tells most of it
    demand, gain = (part[:, 0] for part in curves.of_mask(_masked(0, 1, 2)))
    assert demand[1] > gain[1] > 0.3 * demand[1]  # one token stands for the other half


def test_factors_of_independent_tokens_are_none():
    rng = np.random.default_rng(0)
    parts = [rng.standard_normal((N, 6)) for _ in range(4)]
    factors = find_factors(dyadic_tree(TokenGrid(2, 2)), parts, FITTED)
    assert max(part.max() for part in factors.strength) < 0.01
    assert len(factors.variates) == 6


def test_canonical_variates_find_what_two_sets_share():
    rng = np.random.default_rng(0)
    shared = rng.standard_normal((N, 1))
    x, y = (
        np.concatenate([shared + rng.standard_normal((N, 1)), rng.standard_normal((N, 3))], 1) for _ in "xy"
    )
    mix = rng.normal(size=(4, 4))
    u, v, squared = canonical(standard(x @ mix, FITTED), standard(y @ mix.T, FITTED), FITTED)
    np.testing.assert_allclose(squared[0], 0.25, atol=0.03)
    assert squared[1:].max() < 0.01
    assert abs(np.corrcoef(u[:, 0], shared[:, 0])[0, 1]) > 0.65
    assert u.shape == v.shape == (N, 4)


def test_what_two_tokens_tell_only_together_is_seen():
    """Of a grammar, products explain what no covariance of pixels does."""
    world = worlds.make("grammar_tree", 0, leaves=8, symbols=8, productions=2)
    curves, _, features, _ = _curves(world)
    masks = [_masked(*tokens, n=8) for tokens in ((0,), (1, 6), (0, 3, 5))]
    seen = [curves.of_mask(mask)[1].sum() for mask in masks]
    linear = [pixel_share(features.pixels, mask, FITTED, 0.0) for mask in masks]
    assert np.mean(seen) > np.mean(linear) + 0.03


def test_labels_are_a_factor_of_the_whole_image():
    world = worlds.make("symbol_tree", 0, leaves=4, root=2)
    root = world.sample(N, "theory").latents[2][:, 0, 0]
    curves, *_ = _curves(world, np.eye(2)[root])
    few, many = (curves.of_labels(_masked(*masked))[1][0, 0] for masked in ((0, 1, 2), (0,)))
    wanted = curves.of_labels(_masked(0, 1, 2))[0][0, 0]
    assert wanted > few > 0.5 * wanted  # one token tells most of the root, which determines it
    assert few > many  # with three tokens shown, the label adds next to nothing
    noise = np.eye(2)[np.random.default_rng(0).integers(0, 2, N)]
    curves, *_ = _curves(world, noise)
    assert abs(curves.of_labels(_masked(0, 1, 2))[1][0, 0]) < 0.01


def test_ways_to_mask():
    grid = TokenGrid(4, 2)
    cells = mask_cells(grid, (0.1, 0.5, 0.9), None, 5, 0)
    assert [(c.patches.label, c.visible) for c in cells] == [("1x1", 7), ("1x1", 4), ("2x1", 3), ("2x1", 2)]
    assert all(cell.masks.exact for cell in cells)
    named = mask_cells(TokenGrid(4, 4), (0.5,), ("2x1o",), 5, 0)
    assert [(c.patches.label, len(c.masks.masked), c.masks.exact) for c in named] == [("2x1o", 70, True)]
    drawn = mask_cells(TokenGrid(4, 4), (0.5,), ("1x1",), 5, 0)[0]
    assert drawn.masks.masked.shape == (5, 16) and not drawn.masks.exact and drawn.ratio == 0.5
