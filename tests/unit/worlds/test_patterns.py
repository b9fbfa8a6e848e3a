"""Patterns of tokens: their moments, and that oriented ones are smooth, have a direction, and lie apart."""

import numpy as np
import pytest

from maestrata import worlds
from maestrata.worlds.patterns import draw_patterns

SIZES = [(8, 4), (8, 8), (20, 8), (64, 8)]


def drawn(kind, symbols, pixels, seed=0):
    return draw_patterns(np.random.default_rng(seed), kind, symbols, 3, pixels)


@pytest.mark.parametrize("kind", ["random", "oriented"])
@pytest.mark.parametrize(("symbols", "pixels"), SIZES)
def test_moments(kind, symbols, pixels):
    patterns = drawn(kind, symbols, pixels)
    assert patterns.shape == (symbols, 3 * pixels**2)
    np.testing.assert_allclose(patterns.mean(0), 0, atol=1e-12)
    assert patterns.var() == pytest.approx(1)


def gradients(patterns, pixels):
    """Differences along x and y of the neighbours of each inner pixel, (symbols, values) each."""
    images = patterns.reshape(len(patterns), 3, pixels, pixels)
    dx = images[:, :, 1:-1, 2:] - images[:, :, 1:-1, :-2]
    dy = images[:, :, 2:, 1:-1] - images[:, :, :-2, 1:-1]
    return dx.reshape(len(patterns), -1), dy.reshape(len(patterns), -1)


def coherence(patterns, pixels):
    """How much of the change of a pattern goes in one direction: 0 in none, 1 in one alone, (symbols,)."""
    dx, dy = gradients(patterns, pixels)
    xx, yy, xy = (dx**2).sum(1), (dy**2).sum(1), (dx * dy).sum(1)
    return np.hypot(xx - yy, 2 * xy) / (xx + yy)


@pytest.mark.parametrize(("symbols", "pixels"), SIZES[1:])
def test_oriented_patterns_are_smooth_and_have_a_direction(symbols, pixels):
    oriented, random = (drawn(kind, symbols, pixels) for kind in ("oriented", "random"))
    steps = [np.diff(p.reshape(symbols, 3, pixels, pixels)) for p in (oriented, random)]
    smooth, rough = ((step**2).mean() for step in steps)
    assert smooth < 0.5 < 1.5 < rough  # 2 where neighbours are independent
    assert np.median(coherence(oriented, pixels)) > 0.6
    assert np.median(coherence(random, pixels)) < 0.3


@pytest.mark.parametrize(("symbols", "pixels"), SIZES)
@pytest.mark.parametrize("seed", range(3))
def test_symbols_are_clearly_apart(symbols, pixels, seed):
    """At pixel noise of .2 no symbol is taken for another: half the distance is many deviations."""
    patterns = drawn("oriented", symbols, pixels, seed)
    apart = np.linalg.norm(patterns[:, None] - patterns, axis=-1)[np.triu_indices(symbols, 1)]
    assert apart.min() / 2 > 5 * 0.2


def test_random_patterns_of_a_world_do_not_depend_on_the_setting_of_others():
    plain = worlds.make("grammar_tree", 0, token_pixels=8)
    oriented = worlds.make("grammar_tree", 0, token_pixels=8, patterns="oriented")
    np.testing.assert_array_equal(plain.params["rules1"], oriented.params["rules1"])
    assert not np.array_equal(plain.params["patterns"], oriented.params["patterns"])
    assert oriented.image_shape == (3, 32, 32)
