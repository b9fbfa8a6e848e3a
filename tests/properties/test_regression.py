"""Properties of poolings, scores and probes, over shapes and masks that nobody chose."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.linear_model import Ridge
from sklearn.metrics import r2_score

from maestrata.geometry import TokenGrid
from maestrata.masks import mask_matrix
from maestrata.regression.probes.ridge import Probe
from maestrata.representation.pooling import pool
from maestrata.resampling import R2, bootstrap_weights
from maestrata.scoring import MIN_TEST

seeds = st.integers(0, 2**32 - 1)


@st.composite
def masked_tokens(draw):
    """Tokens (n, 1 + k, width) of a grid under masks of one visible count."""
    grid = TokenGrid.for_leaves(2 ** draw(st.integers(1, 5)))
    n, k, width = draw(st.integers(1, 4)), draw(st.integers(1, grid.n_tokens)), draw(st.integers(1, 4))
    rng = np.random.default_rng(draw(seeds))
    ids = np.sort(rng.permuted(np.tile(np.arange(grid.n_tokens), (n, 1)), axis=1)[:, :k], axis=1)
    return grid, rng.standard_normal((n, 1 + k, width)).astype(np.float32), ids


@given(masked_tokens())
@settings(deadline=None, max_examples=60)
def test_aligned_means_weigh_up_to_the_global_mean(case):
    grid, tokens, ids = case
    shown = mask_matrix(ids, grid.n_tokens)
    for level in range(grid.levels + 1):
        means = pool(tokens, ids, "aligned", grid, level)
        count = shown[:, grid.blocks(level)].sum(-1)
        np.testing.assert_array_equal(np.isnan(means).all(-1), count == 0)
        total = np.where(count[..., None] > 0, means * count[..., None], 0).sum(1)
        np.testing.assert_allclose(
            total / ids.shape[1], pool(tokens, ids, "global", grid), rtol=1e-4, atol=1e-5
        )


@given(masked_tokens())
@settings(deadline=None, max_examples=60)
def test_concat_keeps_every_visible_token_and_nothing_else(case):
    grid, tokens, ids = case
    pooled = pool(tokens, ids, "concat", grid).reshape(len(tokens), grid.n_tokens, -1)
    shown = mask_matrix(ids, grid.n_tokens)
    np.testing.assert_array_equal(pooled[shown], tokens[:, 1:].reshape(-1, tokens.shape[-1]))
    assert not pooled[~shown].any()


@given(seeds, st.integers(20, 60), st.integers(1, 80), st.sampled_from([0.01, 1.0, 100.0]))
@settings(deadline=None, max_examples=40)
def test_ridge_is_scikit_learns_whatever_the_shape(seed, n, p, alpha):
    rng = np.random.default_rng(seed)
    x = rng.standard_normal((n, p)).astype(np.float32)
    y = rng.standard_normal((n, 2)).astype(np.float32)
    xs = (x - x.mean(0, dtype=np.float64)) / x.std(0, dtype=np.float64)
    ys = (y - y.mean(0, dtype=np.float64)) / y.std(0, dtype=np.float64)
    probe = Probe(alphas=[alpha]).fit(x, y)
    np.testing.assert_allclose(probe.coef_, Ridge(alpha=alpha).fit(xs, ys).coef_.T, rtol=1e-3, atol=1e-4)


@given(seeds, st.floats(0, 1), st.integers(2, 8))
@settings(deadline=None, max_examples=30)
def test_scores_of_present_images_are_scikit_learns(seed, share, replicates):
    rng = np.random.default_rng(seed)
    n = 400
    y = rng.standard_normal((n, 2)).astype(np.float32) * 10
    prediction = (y + rng.standard_normal((n, 2))).astype(np.float32)
    present = np.repeat(rng.random((n, 1)) < share, 2, axis=1)
    rows = present[:, 0]
    weights = bootstrap_weights(seed, n, replicates)
    score = R2(y, weights, present, least=MIN_TEST)
    r2, boot = score.of(prediction)
    if rows.sum() < MIN_TEST:
        assert np.isnan(r2).all() and np.isnan(boot).all()
    else:
        expected = r2_score(y[rows], prediction[rows], multioutput="raw_values")
        np.testing.assert_allclose(r2, expected, atol=1e-5)
        for row, replicate in zip(weights[:, rows], boot, strict=True):
            expected = r2_score(y[rows], prediction[rows], sample_weight=row, multioutput="raw_values")
            np.testing.assert_allclose(replicate, expected, atol=1e-5)
    assert (score.n == rows.sum()).all()
