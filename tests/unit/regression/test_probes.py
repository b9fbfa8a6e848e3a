"""What every probe must do, whichever it is: adding a probe runs it through these."""

import numpy as np
import pytest
from sklearn.metrics import r2_score

from maestrata.errors import ProbeError
from maestrata.regression.probes import available, make, probe_class
from maestrata.representation.pooling import POOLINGS

PROBES = available()


def _linear(n=1500, p=5, t=3, noise=0.0, seed=0):
    rng = np.random.default_rng(seed)
    x = rng.standard_normal((n, p)) * rng.uniform(0.1, 10, p) + rng.uniform(-5, 5, p)
    y = (x - x.mean(0)) / x.std(0) @ rng.standard_normal((p, t)) * 7 + 100
    y += noise * y.std(0) * rng.standard_normal((n, t))
    return x.astype(np.float32), y.astype(np.float32)


@pytest.mark.parametrize("name", PROBES)
def test_recovers_a_linear_map(name):
    x, y = _linear()
    predicted = make(name).fit(x[:1000], y[:1000]).predict(x[1000:])
    assert predicted.shape == (500, 3) and predicted.dtype == np.float32
    assert r2_score(y[1000:], predicted, multioutput="raw_values").min() > 0.98


@pytest.mark.parametrize("name", PROBES)
def test_shuffled_labels_give_about_nothing(name):
    x, y = _linear(3000, noise=0.3)
    order = np.random.default_rng(1).permutation(2000)
    predicted = make(name).fit(x[:2000], y[:2000][order]).predict(x[2000:])
    assert np.abs(r2_score(y[2000:], predicted, multioutput="raw_values")).max() < 0.03


@pytest.mark.parametrize("name", PROBES)
def test_a_constant_target_is_predicted_and_spoils_no_other(name):
    x, y = _linear()
    with_constant = np.concatenate([y, np.full((len(y), 1), 0.1, np.float32)], axis=1)
    alone = make(name).fit(x[:1000], y[:1000]).predict(x[1000:])
    predicted = make(name).fit(x[:1000], with_constant[:1000]).predict(x[1000:])
    np.testing.assert_allclose(predicted[:, 3], 0.1, rtol=1e-6)
    np.testing.assert_allclose(predicted[:, :3], alone, rtol=1e-4)


@pytest.mark.parametrize("name", PROBES)
def test_constant_features_tell_the_mean(name):
    _, y = _linear()
    x = np.full((1500, 4), 0.3, np.float32)
    predicted = make(name).fit(x[:1000], y[:1000]).predict(x[1000:])
    assert np.isfinite(predicted).all()
    assert np.abs(predicted - y[:1000].mean(0)).max() < 0.2 * y.std()


@pytest.mark.parametrize("name", PROBES)
def test_fewer_samples_than_features(name):
    rng = np.random.default_rng(0)
    x = rng.standard_normal((400, 200)).astype(np.float32)
    y = (x[:, :1] @ np.ones((1, 2))).astype(np.float32)
    predicted = make(name).fit(x[:100], y[:100]).predict(x[100:])
    assert np.isfinite(predicted).all()
    assert r2_score(y[100:], predicted, multioutput="raw_values").min() > -0.2


@pytest.mark.parametrize("name", PROBES)
def test_repeats_itself_to_the_bit_and_leaves_its_input_alone(name):
    x, y = _linear(600, noise=0.5)
    copies = x.copy(), y.copy()
    first, second = (make(name).fit(x[:500], y[:500]).predict(x[500:]) for _ in range(2))
    np.testing.assert_array_equal(first, second)
    np.testing.assert_array_equal(x, copies[0])
    np.testing.assert_array_equal(y, copies[1])


@pytest.mark.parametrize("name", PROBES)
def test_units_do_not_matter(name):
    x, y = _linear(600, noise=0.5)
    plain = make(name).fit(x[:500], y[:500]).predict(x[500:])
    scaled = make(name).fit(x[:500] * 64, y[:500] * 1024).predict(x[500:] * 64)
    np.testing.assert_allclose(scaled, plain * 1024, rtol=1e-4)


@pytest.mark.parametrize("name", PROBES)
def test_rows_that_cannot_be_fitted_are_named(name):
    x, y = _linear(20)
    with pytest.raises(ProbeError, match="3 training rows, at least 8"):
        make(name).fit(x[:3], y[:3])
    with pytest.raises(ProbeError, match=r"\(20, 5\) and targets \(19, 3\)"):
        make(name).fit(x, y[:19])
    x[4, 1] = np.nan
    with pytest.raises(ProbeError, match="NaN"):
        make(name).fit(x, y)


@pytest.mark.parametrize("name", PROBES)
def test_says_where_it_is_run(name):
    cls = probe_class(name)
    assert set(cls.poolings) <= set(POOLINGS) and cls.poolings
    assert cls.eval_ratios is None or set(cls.eval_ratios) <= {"0", "0.5", "training"}
    assert isinstance(cls.last_layer_only, bool)


def test_an_unknown_probe_or_setting_lists_the_known_ones():
    assert {"attentive", "ridge", "kernel_ridge"} <= set(PROBES)
    with pytest.raises(ProbeError, match=r"'lasso' must be one of: .*kernel_ridge, .*ridge"):
        make("lasso")
    with pytest.raises(ProbeError, match=r"ridge: setting 'alpha' must be one of: alphas, validation"):
        make("ridge", alpha=1)
