"""The phase tree: what it shares with the additive tree, and what no conditional mean sees."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import kstest

from maestrata import worlds
from maestrata.errors import WorldError
from maestrata.random import stream
from maestrata.worlds.maps import images_to_tokens


def pairs_of(world, sample):
    """Pairs of the tokens' variables, as complex numbers (n, tokens, dim / 2)."""
    u = images_to_tokens(world.params["P"], sample.images, world.token_pixels)
    return u[..., 0::2] + 1j * u[..., 1::2]


@pytest.fixture(scope="module")
def twins():
    """The phase tree and the additive tree of one seed, driven by the same noise."""
    hidden, plain = (worlds.make(name, 1, leaves=8) for name in ("phase_tree", "additive_tree"))
    noise = hidden.draw(20_000, stream(1, "test"), np.float64)
    return hidden, hidden.generate(noise), plain, plain.generate({**noise, 0: noise[0][..., :4]})


def test_it_is_the_additive_tree_but_for_the_phases(twins):
    hidden, sample, plain, twin = twins
    assert all(np.array_equal(hidden.params[key], value) for key, value in plain.params.items())
    assert all(np.array_equal(sample.latents[level], values) for level, values in twin.latents.items())
    one, other = pairs_of(hidden, sample), pairs_of(plain, twin)
    assert abs(abs(one) - abs(other)).max() < 1e-12
    assert hidden.noise_spec[0].shape == (8, 6) and plain.noise_spec[0].shape == (8, 4)


def test_a_pair_is_turned_by_two_pi_phi_of_its_own_noise(twins):
    hidden, sample, plain, twin = twins
    turned = np.angle(pairs_of(hidden, sample) / pairs_of(plain, twin)) / (2 * np.pi) % 1
    # by rank: the largest of 20,000 draws has the largest share of a turn
    noise = sample.noise[0][:, 3, 5]
    order = np.argsort(noise)
    assert (np.diff(turned[order, 3, 1]) > 0).all()
    assert kstest(turned[:, 3, 1], "uniform").pvalue > 1e-3


def test_no_conditional_mean_sees_the_parent_but_the_radius_does(twins):
    hidden, sample, plain, twin = twins
    above = sample.latents[1].reshape(20_000, -1)
    # functions of the parents, not linear ones alone
    features = np.concatenate([above, above**2, above[:, :1] * above], 1)
    features -= features.mean(0)

    def largest(values):
        """Largest mean product of any feature with any value, in its own standard errors."""
        centred = values.reshape(20_000, -1) - values.reshape(20_000, -1).mean(0)
        mean, square = features.T @ centred / 20_000, features.T**2 @ centred**2 / 20_000
        return abs(mean / np.sqrt(square / 20_000)).max()

    pairs = pairs_of(hidden, sample)
    assert largest(pairs.real) < 6 and largest(pairs.imag) < 6  # of some thousand products
    assert largest(abs(pairs)) > 30
    assert largest(pairs_of(plain, twin).real) > 30


def test_an_odd_dimension_is_refused():
    with pytest.raises(WorldError, match="phase_tree: dim=3 must be even") as caught:
        worlds.make("phase_tree", 0, dim=3)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("dim", [0, 14, 2.0])
def test_a_dimension_out_of_range_is_refused_in_its_own_name(dim):
    with pytest.raises(WorldError, match=f"phase_tree: dim={dim} must be an integer"):
        worlds.make("phase_tree", 0, dim=dim)
