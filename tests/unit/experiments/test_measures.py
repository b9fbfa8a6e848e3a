"""Whitening, leak and redrawn noise against what they must be in closed form."""

from __future__ import annotations

import numpy as np
import pytest

from maestrata.errors import ExperimentError
from maestrata.experiments.measures import Whitening, leak, noise_below, redraw
from maestrata.resampling import bootstrap_weights
from maestrata.worlds import make

RNG_SEED = 7


def rng() -> np.random.Generator:
    return np.random.default_rng(RNG_SEED)


def test_whitened_covariance_is_the_identity_and_others_move_with_it() -> None:
    draws = rng()
    sample = draws.standard_normal((500, 4)) @ draws.standard_normal((4, 4)) + 3.0
    whitening = Whitening(sample)
    fitted, shifted = whitening.apply(sample), whitening.apply(sample + 1.0)
    np.testing.assert_allclose(fitted.T @ fitted / 500, np.eye(4), atol=1e-10)
    np.testing.assert_allclose(fitted.mean(0), 0, atol=1e-12)
    # an affine map: a common shift of the sample is a common shift of what is whitened
    assert np.ptp(shifted - fitted, axis=0).max() < 1e-12 < np.abs(shifted - fitted).max()


def test_directions_without_variance_are_left_out() -> None:
    values = rng().standard_normal((100, 3))
    whitening = Whitening(np.hstack([values, values[:, :1], np.ones((100, 1))]))
    assert whitening.rank == 3
    assert whitening.apply(np.zeros((2, 5))).shape == (2, 3)


@pytest.mark.parametrize(
    "sample, said", [(np.zeros(3), "n >= 2"), (np.full((3, 2), np.nan), "NaN"), (np.ones((3, 2)), "vary")]
)
def test_what_cannot_be_whitened_is_refused(sample: np.ndarray, said: str) -> None:
    with pytest.raises(ExperimentError, match=said):
        Whitening(sample)


@pytest.mark.parametrize("share", [0.0, 0.25, 1.0])
def test_leak_is_the_share_of_variance_of_what_is_drawn_anew(share: float) -> None:
    draws = rng()
    kept, one, two = draws.standard_normal((3, 20_000, 3))
    f, g = (np.sqrt(1 - share) * kept + np.sqrt(share) * own + 5.0 for own in (one, two))
    value, *replicates = leak(f, g, bootstrap_weights(0, 20_000, 100))
    assert value == pytest.approx(share, abs=0.01)
    low, high = np.quantile(replicates, [0.025, 0.975])
    assert low <= value <= high
    assert high - low < 0.03


def test_a_replicate_is_the_leak_of_its_own_sample() -> None:
    draws = rng()
    f, g = draws.standard_normal((2, 50, 2)) + 1.0
    weights = bootstrap_weights(3, 50, 4)
    replicates = leak(f, g, weights)[1:]
    for row, replicate in zip(weights, replicates, strict=True):
        drawn = np.repeat(np.arange(50), row.astype(int))
        assert replicate == pytest.approx(leak(f[drawn], g[drawn])[0], rel=1e-10)


def test_leak_refuses_shapes_that_do_not_fit() -> None:
    with pytest.raises(ExperimentError, match="one shape"):
        leak(np.zeros((3, 2)), np.zeros((4, 2)))
    with pytest.raises(ExperimentError, match="do not fit 3 pairs"):
        leak(np.zeros((3, 2)), np.zeros((3, 2)), np.ones((5, 4), np.float32))


@pytest.mark.parametrize("kind", ["invertible_tree", "additive_tree", "grammar_tree"])
def test_redraw_changes_the_chosen_noise_alone(kind: str) -> None:
    world = make(kind, 0, leaves=8)
    sample = world.sample(64)
    chosen = noise_below(world, 2)
    assert sorted(chosen) == [0, 1]
    chosen[1] = np.array([True, False, True, False])
    noise = redraw(world, sample.noise, chosen, rng())
    for level, values in sample.noise.items():
        kept = [np.array_equal(values[:, i], noise[level][:, i]) for i in range(values.shape[1])]
        assert kept == [not drawn for drawn in chosen.get(level, np.zeros(len(kept), bool))]
        assert noise[level].dtype == values.dtype
    again = world.generate(noise)
    assert not np.array_equal(sample.images, again.images)
    for level in (2, 3):  # nothing above what is drawn anew can change
        np.testing.assert_array_equal(sample.latents[level], again.latents[level])
    nothing = redraw(world, sample.noise, noise_below(world, 0), rng())
    assert all(np.array_equal(nothing[level], sample.noise[level]) for level in sample.noise)


def test_a_node_gets_the_same_new_noise_whatever_else_is_drawn() -> None:
    world = make("gaussian_tree", 0, leaves=8)
    noise = world.sample(8).noise
    few = redraw(world, noise, noise_below(world, 1), rng())
    many = redraw(world, noise, noise_below(world, 4), rng())
    np.testing.assert_array_equal(few[0], many[0])
    assert not np.array_equal(few[3], many[3])


def test_redraw_refuses_what_is_not_there() -> None:
    world = make("gaussian_tree", 0, leaves=4)
    noise = world.sample(2).noise
    with pytest.raises(ExperimentError, match=r"level 9.*\[0, 1, 2\]"):
        redraw(world, noise, {9: np.ones(1, bool)}, rng())
    with pytest.raises(ExperimentError, match="shape"):
        redraw(world, noise, {1: np.ones(5, bool)}, rng())
    with pytest.raises(ExperimentError, match=r"level=4 must be an integer in 0..3"):
        noise_below(world, 4)
