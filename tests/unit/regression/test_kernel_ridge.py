"""RBF kernel ridge against scikit-learn's."""

import numpy as np
import pytest
from sklearn.kernel_ridge import KernelRidge
from sklearn.metrics import r2_score
from sklearn.metrics.pairwise import euclidean_distances

from maestrata.errors import ProbeError
from maestrata.regression.probes.kernel_ridge import ALPHAS, GAMMAS, Probe, squared_distances
from maestrata.regression.probes.ridge import Probe as Ridge


def _data(n=700, p=3, seed=0):
    rng = np.random.default_rng(seed)
    x = rng.standard_normal((n, p)).astype(np.float32)
    y = np.stack([np.abs(x[:, 0]) + 0.1 * rng.standard_normal(n), np.sin(2 * x[:, 1])], 1)
    return x * [1, 5, 0.1] + 4, y.astype(np.float32)


def test_equals_scikit_learn_with_hyperparameters_chosen_per_target():
    x, y = _data()
    probe = Probe(points=300, validation=100).fit(x[:500].astype(np.float32), y[:500])
    predicted = probe.predict(x[500:].astype(np.float32))
    used = x[:400].astype(np.float32).astype(np.float64)
    xs = (x - used.mean(0)) / used.std(0)
    mean, std = y[:400].mean(0, dtype=np.float64), y[:400].std(0, dtype=np.float64)
    ys = (y - mean) / std
    for k in range(2):
        best = None
        for gamma in np.array(GAMMAS) / 3:
            for alpha in ALPHAS:
                model = KernelRidge(alpha=alpha, kernel="rbf", gamma=gamma).fit(xs[:300], ys[:300, k])
                error = np.square(model.predict(xs[300:400]) - ys[300:400, k]).sum()
                if best is None or error < best[0]:
                    best = error, alpha, gamma, model
        assert (probe.alpha_[k], probe.gamma_[k]) == (best[1], pytest.approx(best[2]))
        expected = best[3].predict(xs[500:]) * std[k] + mean[k]
        np.testing.assert_allclose(predicted[:, k], expected, atol=2e-3 * std[k])
    assert probe.gamma_[0] != probe.gamma_[1] or probe.alpha_[0] != probe.alpha_[1]


def test_sees_what_no_linear_probe_can():
    x, y = _data(1500)
    x = x.astype(np.float32)
    curved, straight = (
        r2_score(y[1000:], probe.fit(x[:1000], y[:1000]).predict(x[1000:]), multioutput="raw_values")
        for probe in (Probe(), Ridge())
    )
    assert curved.min() > 0.85 and straight[0] < 0.05


def test_rows_beyond_points_and_validation_are_not_used():
    x, y = _data()
    x = x.astype(np.float32)
    many, few = (Probe(points=200, validation=60).fit(x[:n], y[:n]) for n in (600, 300))
    np.testing.assert_array_equal(many.predict(x[600:]), few.predict(x[600:]))


def test_distances():
    x = np.random.default_rng(0).standard_normal((40, 7))
    np.testing.assert_allclose(
        squared_distances(x, x[:9]), euclidean_distances(x, x[:9], squared=True), atol=1e-12
    )
    assert squared_distances(x * 1e3, x * 1e3).min() >= 0


@pytest.mark.parametrize(
    ("key", "value"), [("alphas", []), ("gammas", [0.0]), ("points", 0), ("validation", 0)]
)
def test_bad_settings_are_named(key, value):
    x, y = _data(50)
    with pytest.raises(ProbeError, match=f"kernel_ridge: .*{key}[=[]"):
        Probe(**{key: value}).fit(x.astype(np.float32), y)


def test_where_no_point_is_near_the_mean_is_predicted():
    rng = np.random.default_rng(0)
    x = rng.standard_normal((400, 60)).astype(np.float32)
    y = x[:, :2] + 3
    probe = Probe(points=200, validation=100, gammas=[1e4]).fit(x[:300], y[:300])
    np.testing.assert_allclose(probe.predict(x[300:]), np.tile(y[:300].mean(0), (100, 1)), rtol=1e-5)
    assert (probe.alpha_ == max(ALPHAS)).all()
