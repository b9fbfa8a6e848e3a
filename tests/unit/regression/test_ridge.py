"""Ridge against scikit-learn's."""

import numpy as np
import pytest
from sklearn.linear_model import Ridge
from sklearn.preprocessing import StandardScaler

from maestrata.errors import ProbeError
from maestrata.regression.probes.ridge import Moments, Probe


def _data(n=500, p=30, seed=0):
    rng = np.random.default_rng(seed)
    mix = rng.standard_normal((p, p)) * 10.0 ** rng.uniform(-2, 1, p)
    x = (rng.standard_normal((n, p)) @ mix + 3).astype(np.float32)
    weak = rng.standard_normal((n, 2)) * [[1.0, 30.0]]
    y = (x[:, :2] + weak * x[:, :2].std(0) + 50).astype(np.float32)
    return x, y


def _sklearn(x, y, alpha, rows):
    """scikit-learn's ridge on features and targets that are standardised over all rows, fitted on some."""
    xs, ys = StandardScaler().fit(x.astype(np.float64)), StandardScaler().fit(y.astype(np.float64))
    model = Ridge(alpha=alpha, solver="cholesky").fit(xs.transform(x)[rows], ys.transform(y)[rows])
    return lambda new: ys.inverse_transform(model.predict(xs.transform(new)))


@pytest.mark.parametrize("alpha", [0.01, 1.0, 1000.0])
def test_equals_scikit_learn_at_a_fixed_penalty(alpha):
    x, y = _data()
    probe = Probe(alphas=[alpha]).fit(x[:400], y[:400])
    expected = _sklearn(x[:400], y[:400], alpha, slice(None))(x[400:])
    np.testing.assert_allclose(probe.predict(x[400:]), expected, rtol=2e-5, atol=2e-4 * y.std())


def test_the_penalty_is_the_best_on_the_validation_rows_of_each_target():
    x, y = _data()
    alphas = [0.1, 10.0, 1000.0, 1e5]
    probe = Probe(alphas=alphas, validation=0.25).fit(x[:400], y[:400])
    errors = np.stack(
        [
            np.square(_sklearn(x[:400], y[:400], a, slice(0, 300))(x[300:400]) - y[300:400]).sum(0)
            for a in alphas
        ]
    )
    np.testing.assert_array_equal(probe.alpha_, np.array(alphas)[errors.argmin(0)])
    assert probe.alpha_[0] != probe.alpha_[1]
    # and the solution is that of all training rows
    for k, alpha in enumerate(probe.alpha_):
        expected = _sklearn(x[:400], y[:400], alpha, slice(None))(x[400:])[:, k]
        np.testing.assert_allclose(
            probe.predict(x[400:])[:, k], expected, rtol=2e-5, atol=2e-4 * y[:, k].std()
        )


def test_moments_of_parts_add_up_and_give_the_solution():
    rng = np.random.default_rng(0)
    x, y = rng.standard_normal((60, 4)), rng.standard_normal((60, 2))
    whole, parts = Moments.of(x, y), Moments.of(x[:25], y[:25])
    parts += Moments.of(x[25:], y[25:])
    for name in ("n", "x", "y", "xx", "xy", "yy"):
        np.testing.assert_allclose(getattr(whole, name), getattr(parts, name))
    coef, intercept = whole.centred().solve(3.0)
    oracle = Ridge(alpha=3.0).fit(x, y)
    np.testing.assert_allclose(coef, oracle.coef_.T)
    np.testing.assert_allclose(intercept, oracle.intercept_)


def test_moments_are_standardised_as_rows_are():
    rng = np.random.default_rng(0)
    x, y = rng.standard_normal((60, 4)) + 5, rng.standard_normal((60, 2)) * 9
    means, stds = (rng.standard_normal(4), rng.standard_normal(2)), (rng.random(4) + 1, rng.random(2) + 1)
    moments, expected = Moments.of(x, y), Moments.of((x - means[0]) / stds[0], (y - means[1]) / stds[1])
    moments.standardise(means[0], stds[0], means[1], stds[1])
    for name in ("n", "x", "y", "xx", "xy"):
        np.testing.assert_allclose(getattr(moments, name), getattr(expected, name))


def test_more_rows_than_a_chunk():
    x, y = _data(5000, 6)
    expected = _sklearn(x[:4500], y[:4500], 1.0, slice(None))(x[4500:])
    np.testing.assert_allclose(
        Probe(alphas=[1.0]).fit(x[:4500], y[:4500]).predict(x[4500:]),
        expected,
        rtol=2e-5,
        atol=2e-4 * y.std(),
    )


@pytest.mark.parametrize(("key", "value"), [("alphas", []), ("alphas", [1.0, 0.0]), ("validation", 1.0)])
def test_bad_settings_are_named(key, value):
    x, y = _data(50)
    with pytest.raises(ProbeError, match=f"ridge: {key}[=[]"):
        Probe(**{key: value}).fit(x, y)
