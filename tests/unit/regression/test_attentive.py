"""The attentive probe: it finds the token that tells, and is ridge where there is nothing to choose."""

import numpy as np
import pytest
from sklearn.metrics import r2_score

from maestrata.errors import ProbeError
from maestrata.regression.probes import attentive, ridge


def _images(n=3000, k=6, p=8, seed=0):
    """Tokens (n, k, p) in any order, of which one is marked in feature 0 and tells the targets (n, 2)."""
    rng = np.random.default_rng(seed)
    x = rng.standard_normal((n, k, p)).astype(np.float32)
    x[..., 0] = 0.1 * rng.standard_normal((n, k))
    told = rng.integers(k, size=n)
    x[np.arange(n), told, 0] += 2
    y = x[np.arange(n), told, 1:3]
    return x, y


def test_it_attends_to_the_token_that_tells_where_the_mean_does_not():
    x, y = _images()
    probe = attentive.Probe(steps=60).fit(x[:2000], y[:2000])
    seen = r2_score(y[2000:], probe.predict(x[2000:]))
    mean = x.mean(1)
    plain = r2_score(y[2000:], ridge.Probe().fit(mean[:2000], y[:2000]).predict(mean[2000:]))
    assert plain < 0.25 and seen > 0.9
    assert np.abs(probe.query_).argmax() == 0


def test_the_gradient_is_that_of_the_loss_at_the_best_map():
    x, y = _images(400)
    y, step = y - y.mean(0), 0.02  # the loss is in float32
    for query in np.random.default_rng(1).standard_normal((3, 8)):
        by_hand = [
            (attentive._loss(query + d, x, y)[0] - attentive._loss(query - d, x, y)[0]) / (2 * step)
            for d in step * np.eye(8)
        ]
        np.testing.assert_allclose(attentive._loss(query, x, y)[1], by_hand, atol=2e-4)


def test_the_order_of_tokens_does_not_matter_and_one_token_is_ridge():
    x, y = _images(600)
    first = attentive.Probe().fit(x[:500], y[:500]).predict(x[500:])
    turned = attentive.Probe().fit(x[:500, ::-1], y[:500]).predict(x[500:, ::-1])
    np.testing.assert_allclose(first, turned, atol=1e-2)
    one = attentive.Probe().fit(x[:500, :1], y[:500]).predict(x[500:, :1])
    plain = ridge.Probe().fit(x[:500, 0], y[:500]).predict(x[500:, 0])
    np.testing.assert_allclose(one, plain, atol=1e-4)


def test_settings():
    with pytest.raises(ProbeError, match=r"attentive: steps=0 must lie in \[1, "):
        attentive.Probe(steps=0)
