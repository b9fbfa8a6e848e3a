"""Bootstrap weights and R2 against the definition, written out the slow way."""

import numpy as np
import pytest
from sklearn.metrics import r2_score as sklearn_r2

from maestrata.errors import MaestrataError
from maestrata.resampling import bootstrap_weights, largest_excess, r2_bootstrap, r2_score


def _data(n=300, targets=3, seed=0):
    rng = np.random.default_rng(seed)
    y = rng.normal(size=(n, targets)) * [1.0, 100.0, 1e-3] + [0.0, 1e4, 5.0]
    pred = y + rng.normal(size=(n, targets)) * [0.5, 30.0, 1e-3]
    return y, pred


def test_rows_are_counts_of_n_draws_and_come_from_the_seed_alone():
    weights = bootstrap_weights(3, 100, 20)
    assert weights.dtype == np.float32
    np.testing.assert_array_equal(weights.sum(1), 100)
    np.testing.assert_array_equal(weights, np.round(weights))
    np.testing.assert_array_equal(weights, bootstrap_weights(3, 100, 20))
    np.testing.assert_array_equal(weights[:5], bootstrap_weights(3, 100, 5))
    assert not np.array_equal(weights, bootstrap_weights(4, 100, 20))
    # about 1/e of the images are left out of each replicate
    assert 0.3 < (weights == 0).mean() < 0.44


def test_r2_is_sklearns():
    y, pred = _data()
    np.testing.assert_allclose(r2_score(y, pred), sklearn_r2(y, pred, multioutput="raw_values"), rtol=1e-10)


def test_bootstrap_is_r2_of_the_repeated_rows():
    y, pred = _data()
    weights = bootstrap_weights(0, len(y), 7)
    boot = r2_bootstrap(y, pred, weights)
    for row, got in zip(weights, boot, strict=True):
        drawn = np.repeat(np.arange(len(y)), row.astype(int))
        np.testing.assert_allclose(
            got, sklearn_r2(y[drawn], pred[drawn], multioutput="raw_values"), atol=2e-5
        )


def test_a_constant_target_has_no_r2():
    y = np.tile([[0.1, 1.0]], (50, 1))
    y[::2, 1] = 2.0
    boot = r2_bootstrap(y, y * 0, bootstrap_weights(0, 50, 4))
    assert np.isnan(boot[:, 0]).all() and np.isfinite(boot[:, 1]).all()
    assert np.isnan(r2_score(y, y)[0]) and r2_score(y, y)[1] == 1.0


def test_bad_shapes_are_named():
    with pytest.raises(MaestrataError, match=r"\(5, 2\).*\(5, 3\)"):
        r2_score(np.zeros((5, 2)), np.zeros((5, 3)))
    with pytest.raises(MaestrataError, match=r"\(4, 6\) do not fit 5 images"):
        r2_bootstrap(np.zeros(5), np.zeros(5), np.ones((4, 6), np.float32))
    with pytest.raises(MaestrataError, match="n=0"):
        bootstrap_weights(0, 0, 10)


def test_images_that_do_not_count_are_as_if_not_there():
    y, pred = _data()
    present = np.random.default_rng(1).random(y.shape) < 0.6
    weights = bootstrap_weights(0, len(y), 5)
    boot = r2_bootstrap(y, pred, weights, present)
    for column in range(y.shape[1]):
        kept = present[:, column]
        expected = sklearn_r2(y[kept, column], pred[kept, column])
        np.testing.assert_allclose(r2_score(y, pred, present)[column], expected, rtol=1e-10)
        rows = [np.repeat(np.flatnonzero(kept), w[kept].astype(int)) for w in weights]
        repeated = [sklearn_r2(y[r, column], pred[r, column]) for r in rows]
        np.testing.assert_allclose(boot[:, column], repeated, atol=2e-5)
    with pytest.raises(MaestrataError, match="present"):
        r2_score(y, pred, present.astype(int))


def test_largest_excess_knows_chance_from_fault():
    """40 noisy scores of which none is above its ceiling, then one of them raised."""
    rng = np.random.default_rng(3)
    n, k = 2000, 40
    y = rng.normal(size=(n, k))
    ceiling_guess = y + rng.normal(size=(n, k)) * 0.5
    guess = ceiling_guess + rng.normal(size=(n, k)) * 0.02  # hardly worse: half may come out above by chance
    weights = bootstrap_weights(0, n, 300)
    one, other = (r2_bootstrap(y, g, weights) for g in (guess, ceiling_guess))
    score, ceiling = r2_score(y, guess), r2_score(y, ceiling_guess)
    assert (score > ceiling).any()
    assert largest_excess(score, ceiling, one, other).p > 0.05
    score[7] += 0.02
    one[:, 7] += 0.02
    found = largest_excess(score, ceiling, one, other)
    assert found.worst == 7 and found.p < 0.02 and found.t > found.critical
    score[7] = np.nan
    assert largest_excess(score, ceiling, one, other).worst != 7
    with pytest.raises(MaestrataError, match="must be"):
        largest_excess(score, ceiling, one[:, :3], other)
    with pytest.raises(MaestrataError, match="no score has a ceiling"):
        largest_excess(score * np.nan, ceiling, one, other)
