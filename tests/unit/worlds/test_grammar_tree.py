"""The grammar: unambiguous rules, symbols that the whole image tells."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import chisquare

from maestrata import worlds
from maestrata.geometry import patchify
from maestrata.inference.base import posterior
from maestrata.random import stream

SETTINGS = [{}, {"symbols": 16, "productions": 3}, {"leaves": 64, "symbols": 9, "productions": 4}]


def nearest_patterns(world, images):
    tokens = patchify(images, world.token_pixels).astype(np.float64)
    distance = np.square(tokens[:, :, None] - world.params["patterns"]).sum(-1)
    return distance.argmin(-1)


@pytest.mark.parametrize("settings", SETTINGS)
def test_no_two_symbols_of_a_level_share_a_pair(settings):
    world = worlds.make("grammar_tree", 0, **settings)
    q, m = world.settings["symbols"], world.settings["productions"]
    rules = [world.params[f"rules{level}"] for level in range(1, world.levels + 1)]
    for table in rules:
        assert table.shape == (q, m, 2)
        assert table.min() >= 0 and table.max() < q
        assert len({tuple(pair) for pair in table.reshape(-1, 2)}) == q * m
    assert all(not np.array_equal(rules[0], other) for other in rules[1:])  # each level has rules of its own


@pytest.mark.parametrize("settings", SETTINGS)
def test_the_whole_image_tells_every_symbol(settings):
    world = worlds.make("grammar_tree", 1, **settings)
    sample = world.sample(300)
    symbols = nearest_patterns(world, sample.images)
    for level in range(1, world.levels + 1):
        table = world.params[f"rules{level}"]
        owner = {tuple(pair): s for s, pairs in enumerate(table) for pair in pairs}
        children = world.grid.children(level)
        symbols = np.array([[owner[row[a], row[b]] for a, b in children] for row in symbols])
        assert np.array_equal(symbols, sample.latents[level][..., 0])


def test_children_follow_the_rules_and_the_noise():
    world = worlds.make("grammar_tree", 0)
    sample = world.sample(100)
    for level in range(world.levels, 1, -1):
        parents, below = sample.latents[level][..., 0], sample.latents[level - 1][..., 0]
        chosen = sample.noise[level][..., -1]
        pair = world.params[f"rules{level}"][parents, chosen]
        for k in (0, 1):  # top or left first
            assert np.array_equal(below[:, world.grid.children(level)[:, k]], pair[..., k])
    assert np.array_equal(sample.latents[world.levels][:, 0, 0], sample.noise[world.levels][:, 0, 0])


def test_pixel_noise_and_patterns():
    world = worlds.make("grammar_tree", 0, pixel_noise=0.5)
    patterns = world.params["patterns"]
    assert patterns.std() == pytest.approx(1) and abs(patterns.mean(0)).max() < 1e-12
    noise = world.draw(2000, stream(0, "test"), np.float64)
    quiet = world.generate({**noise, 0: 0 * noise[0]}).images
    tokens = patchify(quiet, 2)
    assert (np.square(tokens[:, :, None] - patterns).sum(-1).min(-1) < 1e-20).all()
    assert np.allclose(patchify(world.generate(noise).images - quiet, 2), 0.5 * noise[0])


def test_symbols_are_integers_and_dims_count_one():
    world = worlds.make("grammar_tree", 0)
    assert world.discrete and set(world.n_symbols.values()) == {12}
    assert set(world.dims.values()) == {1}
    assert world.sample(500).latents[4].max() == 11


def test_a_child_alone_leaves_its_parent_open():
    # Assumption 1 fails here: some symbol appears under more than one parent
    table = worlds.make("grammar_tree", 0).params["rules1"]
    assert max(len({s for s in range(12) if child in table[s, :, 0]}) for child in range(12)) > 1


def test_with_as_many_productions_as_symbols_the_leaves_are_independent():
    world = worlds.make("grammar_tree", 0, leaves=4, symbols=3, productions=3)
    for level in (1, 2):
        table = world.params[f"rules{level}"]
        assert sorted(map(tuple, table.reshape(-1, 2).tolist())) == [
            (a, b) for a in range(3) for b in range(3)
        ]
    # every image as likely: nothing of a token is told by the others, and exact inference explains nothing
    images = world.sample(2000).images
    counts = np.zeros((3,) * 4)
    np.add.at(counts, tuple(nearest_patterns(world, images).T), 1)
    assert chisquare(counts.ravel()).pvalue > 1e-4
    visible = np.tile([True, False, True, False], (2000, 1))
    tokens = patchify(images, world.token_pixels)[:, 1]
    told = posterior(world, images, visible).tokens[:, 1]
    np.testing.assert_allclose(
        told, np.broadcast_to(world.params["patterns"].mean(0), tokens.shape), atol=1e-6
    )
