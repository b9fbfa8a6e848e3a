"""The slow way: everything that drives the symbols of a small tree, listed, and weighed by the pixels."""

from itertools import product

import numpy as np
import pytest
from scipy.special import ndtri

from maestrata.geometry import patchify
from maestrata.inference.base import posterior
from maestrata.worlds.symbols import mean_noise


@pytest.fixture
def every_draw():
    """See `_every_draw`."""
    return _every_draw


@pytest.fixture
def assert_equals_enumeration():
    """See `_compare`."""
    return _compare


def _every_draw(world):
    """All that can be drawn, equally probable: ``level -> (draws, nodes, dims)``, pixels without noise.

    A choice that a token makes is led by the median of the noise that leads to it.
    """
    columns, shapes = [], {}
    for level in range(world.levels, -1, -1):
        spec = world.noise_spec[level]
        options = [range(h) for h in spec.high]
        if level == 0:
            digits = world.settings.get("digits", 2)
            options = [ndtri((np.arange(digits) + 0.5) / digits)] * (spec.shape[1] - world.token_values)
        shapes[level] = (spec.shape[0], len(options))
        columns += options * spec.shape[0]
    table = np.array(list(product(*columns)))
    draws, used = {}, 0
    for level, (nodes, dims) in shapes.items():
        part = table[:, used : used + nodes * dims].reshape(len(table), nodes, dims)
        used += nodes * dims
        draws[level] = (
            part.astype(np.int64)
            if level
            else np.pad(part.astype(float), [(0, 0)] * 2 + [(0, world.token_values)])
        )
    return draws


def _enumerated(world, images, visible):
    """Return posterior weights (n, draws), what was drawn, symbols of all levels, what tokens show."""
    draws = _every_draw(world)
    shown = patchify(world.generate(draws).images, world.token_pixels)
    tokens = patchify(images.astype(np.float64), world.token_pixels)
    logs = np.zeros((len(images), len(shown)))
    for i in range(world.grid.n_tokens):
        apart = tokens[:, i, None] - shown[:, i]
        logs -= visible[:, i, None] * (apart**2).sum(-1) / (2 * world.settings["pixel_noise"] ** 2)
    weights = np.exp(logs - logs.max(1, keepdims=True))
    weights /= weights.sum(1, keepdims=True)
    return weights, draws, world.derive(world.params, draws), shown


def _compare(world, n=40, seed=0):
    """Compare a posterior of random masks, noise included, with what listing everything gives."""
    sample = world.sample(n)
    visible = np.random.default_rng(seed).random((n, world.grid.n_tokens)) < 0.5
    visible[:, 0] |= ~visible.any(1)
    inferred = posterior(world, sample.images, visible, noise=True)
    weights, draws, symbols, shown = _enumerated(world, sample.images, visible)
    for level, nodes in world.n_nodes.items():
        for i in range(nodes):
            onehot = np.eye(world.n_symbols[level])[symbols[level][:, i, 0]]
            np.testing.assert_allclose(inferred.probabilities[level][:, i], weights @ onehot, atol=1e-9)
            if level:
                high = world.noise_spec[level].high
                onehot = np.concatenate([np.eye(h)[draws[level][:, i, k]] for k, h in enumerate(high)], 1)
                np.testing.assert_allclose(inferred.noise[level][:, i], weights @ onehot, atol=1e-9)
    noise = world.settings["pixel_noise"]
    for i in range(world.grid.n_tokens):
        mean = weights @ shown[:, i]
        hidden = ~visible[:, i]
        np.testing.assert_allclose(inferred.tokens[hidden, i], mean[hidden], atol=1e-8)
        variance = (weights @ shown[:, i] ** 2 - mean**2).mean(1) + noise**2
        np.testing.assert_allclose(inferred.token_variance[hidden, i], variance[hidden], atol=1e-8)
        lead, pixels = np.split(inferred.noise[0][:, i], [-world.token_values], axis=1)
        tokens = patchify(sample.images.astype(np.float64), world.token_pixels)[:, i]
        np.testing.assert_allclose(pixels, np.where(hidden[:, None], 0, (tokens - mean) / noise), atol=1e-7)
        for k in range(lead.shape[1]):
            choices = np.unique(draws[0][:, i, k], return_inverse=True)[1]
            expected = weights @ mean_noise(choices.max() + 1)[choices]
            np.testing.assert_allclose(lead[:, k], expected, atol=1e-9)
