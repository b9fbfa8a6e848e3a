"""The grammar with hidden signs: the same symbols, tokens of either sign, and no conditional mean."""

import numpy as np
import pytest

from maestrata import worlds
from maestrata.geometry import patchify
from maestrata.inference.base import posterior
from maestrata.inference.masked import explainable_share

SETTINGS = {"leaves": 8, "symbols": 8}
N = 4000


@pytest.fixture(scope="module")
def case():
    world = worlds.make("sign_hidden", 1, **SETTINGS)
    return world, world.sample(N)


def test_functions_and_symbols_are_those_of_the_grammar(case):
    world, sample = case
    plain = worlds.make("grammar_tree", 1, **SETTINGS)
    assert world.params.keys() == plain.params.keys()
    for name, values in plain.params.items():
        np.testing.assert_array_equal(world.params[name], values)
    same = plain.generate({**sample.noise, 0: sample.noise[0][..., 1:]})
    for level, symbols in same.latents.items():
        np.testing.assert_array_equal(sample.latents[level], symbols)
    sign = np.where(sample.noise[0][..., :1] < 0, -1, 1)
    tokens, shown = patchify(sample.images, 2), patchify(same.images, 2)
    noise = world.settings["pixel_noise"] * sample.noise[0][..., 1:]
    np.testing.assert_allclose(tokens - noise, sign * (shown - noise), atol=1e-5)


def test_the_mean_given_all_symbols_is_zero(case):
    """For every symbol of a token, and for pairs of tokens: signs are drawn for each token by itself."""
    world, sample = case
    tokens = patchify(sample.images, 2)
    symbols = world.derive(world.params, sample.noise)[0][..., 0]
    for s in range(8):
        shown = tokens[symbols == s]
        assert (abs(shown.mean(0)) < 5 * shown.std(0) / np.sqrt(len(shown))).all()
    product = (tokens[:, 0, :, None] * tokens[:, 1, None, :]).reshape(N, -1)
    assert (abs(product.mean(0)) < 5 * product.std(0) / np.sqrt(N)).all()
    assert set(explainable_share(world).values()) == {0.0}


def test_masked_tokens_cannot_be_predicted_and_latents_can(case):
    world, sample = case
    inferred = posterior(world, sample.images[:500], np.arange(8) < 4)
    assert (inferred.tokens[:, 4:] == 0).all()
    truth = np.square(patchify(sample.images[:500], 2)[:, 4:]).mean()
    assert inferred.token_variance[:, 4:].mean() == pytest.approx(truth, rel=0.05)
    whole = posterior(world, sample.images[:500], np.ones(8, bool))
    for level in range(1, 4):
        right = whole.mean[level].argmax(-1) == sample.latents[level][:500, :, 0]
        assert right.mean() > 0.99
