"""The symbol tree: its tables, what a child tells of its parent, and how often what is drawn."""

from math import sqrt

import numpy as np
import pytest

from maestrata import worlds
from maestrata.errors import WorldError
from maestrata.geometry import patchify
from maestrata.worlds.symbols import choose, mean_noise

SETTINGS = [
    {},
    {"ambiguity": sqrt(2)},
    {"ambiguity": 2, "root": 8},
    {"leaves": 8, "root": 3, "digits": 3, "ambiguity": 1.3},
    {"leaves": 4, "root": 2, "digits": 4, "ambiguity": 4.0},
]


@pytest.mark.parametrize("settings", SETTINGS)
def test_tables_hold_all_symbols_equally_often_and_none_twice_in_a_row(settings):
    world = worlds.make("symbol_tree", 0, **settings)
    digits, ambiguity = world.settings["digits"], world.settings["ambiguity"]
    for level in range(world.levels, 0, -1):
        q, below = world.n_symbols[level], world.n_symbols[level - 1]
        assert digits * q / ambiguity - 1e-6 < below < digits * q / ambiguity + 1
        table = world.params[f"tables{level}"]
        assert table.shape == (q, 2, digits)
        for side in (0, 1):
            counts = np.bincount(table[:, side].ravel(), minlength=below)
            assert len(counts) == below and counts.min() >= 1 and np.ptp(counts) <= 1
            if below >= digits:
                assert all(len(set(row)) == digits for row in table[:, side])
        assert not np.array_equal(table[:, 0], table[:, 1])


def test_vocabularies():
    expected = {1: [64, 32, 16, 8, 4], sqrt(2): [19, 13, 9, 6, 4], 1.4142: [19, 13, 9, 6, 4], 2: [4] * 5}
    for ambiguity, symbols in expected.items():
        world = worlds.make("symbol_tree", 0, ambiguity=ambiguity)
        assert [world.n_symbols[level] for level in range(5)] == symbols


def test_a_child_determines_its_parent_and_its_digit_where_nothing_is_ambiguous():
    world = worlds.make("symbol_tree", 2, digits=3, ambiguity=1, leaves=8)
    sample = world.sample(500)
    for level in range(world.levels, 1, -1):
        table = world.params[f"tables{level}"]
        for parent, children in enumerate(world.grid.children(level)):
            for side, child in enumerate(children):
                own, digit = np.divmod(np.argsort(table[:, side].ravel()), 3)  # the inverse table
                symbol = sample.latents[level - 1][:, child, 0]
                np.testing.assert_array_equal(own[symbol], sample.latents[level][:, parent, 0])
                np.testing.assert_array_equal(digit[symbol], sample.noise[level - 1][:, child, 0])


@pytest.mark.parametrize("settings", SETTINGS)
def test_children_are_entries_of_the_tables(settings):
    world = worlds.make("symbol_tree", 1, **settings)
    sample = world.sample(300)
    symbols = {**sample.latents, 0: world.derive(world.params, sample.noise)[0]}
    digit = choose(sample.noise[0][..., 0], world.settings["digits"])
    for level in range(world.levels, 0, -1):
        own = sample.noise[level - 1][..., 0] if level > 1 else digit
        for parent, children in enumerate(world.grid.children(level)):
            for side, child in enumerate(children):
                table = world.params[f"tables{level}"][:, side]
                expected = table[symbols[level][:, parent, 0], own[:, child]]
                np.testing.assert_array_equal(symbols[level - 1][:, child, 0], expected)
    noise = sample.images - worlds_patterns(world, symbols[0][..., 0])
    assert noise.std() == pytest.approx(world.settings["pixel_noise"], rel=0.05)


def worlds_patterns(world, symbols):
    """Images without noise that show these symbols."""
    noise = world.draw(len(symbols), np.random.default_rng(0))
    shown = world.generate(noise).images
    # any image holds its own patterns; replace them token by token
    tokens = world.params["patterns"][symbols]
    assert patchify(shown, world.token_pixels).shape == tokens.shape
    height, width, pixels = world.grid.height, world.grid.width, world.token_pixels
    blocks = tokens.reshape(len(symbols), height, width, 3, pixels, pixels)
    return blocks.transpose(0, 3, 1, 4, 2, 5).reshape(shown.shape)


def test_symbols_come_as_often_as_their_tables_say():
    world = worlds.make("symbol_tree", 3, leaves=8, root=5, digits=3, ambiguity=1.7)
    n = 60_000
    latents = world.sample(n).latents
    for level in range(world.levels, 1, -1):
        table = world.params[f"tables{level}"]
        for parent, children in enumerate(world.grid.children(level)):
            for side, child in enumerate(children):
                above, below = latents[level][:, parent, 0], latents[level - 1][:, child, 0]
                counts = np.zeros((world.n_symbols[level], world.n_symbols[level - 1]))
                np.add.at(counts, (above, below), 1)
                p = np.eye(counts.shape[1])[table[:, side]].mean(1)
                given = counts.sum(1, keepdims=True)
                assert (abs(counts - given * p) <= 5 * np.sqrt(given * p * (1 - p)) + 1e-9).all()
    roots = np.bincount(latents[world.levels][:, 0, 0])
    assert (abs(roots - n / 5) < 5 * sqrt(n * 0.16)).all()


@pytest.mark.parametrize("choices", [2, 3, 5])
def test_choices_of_normal_noise(choices):
    noise = np.random.default_rng(0).standard_normal(200_000)
    chosen = choose(noise, choices)
    assert set(np.unique(chosen)) == set(range(choices))
    for k in range(choices):
        mine = noise[chosen == k]
        assert len(mine) == pytest.approx(len(noise) / choices, rel=0.03)
        assert mine.mean() == pytest.approx(mean_noise(choices)[k], abs=0.02)


def test_too_many_symbols_are_refused():
    message = "root=4096, digits=2 make 8192 symbols at level 3: at most 4096"
    with pytest.raises(WorldError, match=message):
        worlds.make("symbol_tree", 0, root=4096)
