"""Bootstrap weights and R2 against the definition, written out the slow way."""

import numpy as np
import pytest
from sklearn.metrics import r2_score as sklearn_r2

from maestrata.errors import MaestrataError
from maestrata.resampling import R2, bootstrap_weights, mean_bootstrap, nanmean, percentiles


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


def _score(y, pred, weights=None, present=None):
    return R2(y, bootstrap_weights(0, len(y), 5) if weights is None else weights, present).of(pred)


def test_r2_is_sklearns():
    y, pred = _data()
    np.testing.assert_allclose(_score(y, pred)[0], sklearn_r2(y, pred, multioutput="raw_values"), rtol=1e-10)


def test_bootstrap_is_r2_of_the_repeated_rows():
    y, pred = _data()
    weights = bootstrap_weights(0, len(y), 7)
    boot = _score(y, pred, weights)[1]
    for row, got in zip(weights, boot, strict=True):
        drawn = np.repeat(np.arange(len(y)), row.astype(int))
        np.testing.assert_allclose(
            got, sklearn_r2(y[drawn], pred[drawn], multioutput="raw_values"), atol=2e-5
        )


def test_a_constant_target_has_no_r2():
    y = np.tile([[0.1, 1.0]], (50, 1))
    y[::2, 1] = 2.0
    boot = _score(y, y * 0)[1]
    assert np.isnan(boot[:, 0]).all() and np.isfinite(boot[:, 1]).all()
    r2, _ = _score(y, y)
    assert np.isnan(r2[0]) and r2[1] == 1.0


def test_bad_shapes_are_named():
    with pytest.raises(MaestrataError, match=r"\(5, 3\).*\(5, 2\)"):
        _score(np.zeros((5, 2)), np.zeros((5, 3)))
    with pytest.raises(MaestrataError, match=r"\(4, 6\) do not fit 5 images"):
        _score(np.zeros((5, 1)), np.zeros((5, 1)), np.ones((4, 6), np.float32))
    with pytest.raises(MaestrataError, match=r"targets of shape \(5,\)"):
        _score(np.zeros(5), np.zeros(5))
    with pytest.raises(MaestrataError, match="n=0"):
        bootstrap_weights(0, 0, 10)


def test_images_that_do_not_count_are_as_if_not_there():
    y, pred = _data()
    present = np.random.default_rng(1).random(y.shape) < 0.6
    weights = bootstrap_weights(0, len(y), 5)
    r2, boot = _score(y, pred, weights, present)
    for column in range(y.shape[1]):
        kept = present[:, column]
        expected = sklearn_r2(y[kept, column], pred[kept, column])
        np.testing.assert_allclose(r2[column], expected, rtol=1e-10)
        rows = [np.repeat(np.flatnonzero(kept), w[kept].astype(int)) for w in weights]
        repeated = [sklearn_r2(y[r, column], pred[r, column]) for r in rows]
        np.testing.assert_allclose(boot[:, column], repeated, atol=2e-5)
    with pytest.raises(MaestrataError, match="present"):
        _score(y, pred, weights, present.astype(int))


def test_means_of_nothing_and_of_replicates():
    values = np.array([[1.0, np.nan], [3.0, np.nan]])
    np.testing.assert_array_equal(nanmean(values), [2.0, np.nan])
    weights = bootstrap_weights(0, 50, 9)
    sample = np.random.default_rng(0).random(50)
    mean, *replicates = mean_bootstrap(sample, weights)
    assert mean == sample.mean()
    drawn = [np.repeat(sample, row.astype(int)).mean() for row in weights]
    np.testing.assert_allclose(replicates, drawn, rtol=1e-6)


def test_percentiles_are_those_of_numpy():
    values = np.random.default_rng(0).standard_normal((7, 41)).astype(np.float32)
    values[2, 5:] = np.nan
    values[3] = np.nan
    low, high = percentiles(values)
    whole = [row[np.isfinite(row)].astype(np.float64) for row in values]
    expected = np.array([np.quantile(r, [0.025, 0.975]) if len(r) else [np.nan, np.nan] for r in whole]).T
    np.testing.assert_allclose([low, high], expected, rtol=1e-6)
    assert np.isnan(percentiles(np.full(5, np.nan))).all()
    assert percentiles(np.array([np.nan, 1.0])) == (1.0, 1.0)
