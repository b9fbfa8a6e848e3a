"""The linear masked autoencoder against direct least squares on the masked problem."""

from __future__ import annotations

from itertools import pairwise, product

import numpy as np
import pytest
from scipy.optimize import minimize

from maestrata.errors import MaskError
from maestrata.masks import visible_count
from maestrata.theory.linear import linear_mae, linear_r2, mask_moments

DRAWINGS, LOSSES = ("fixed", "independent"), ("masked", "all")


def problem(seed, n_patches=4, size=2, rank=None):
    rng = np.random.default_rng(seed)
    p = n_patches * size
    factor = rng.standard_normal((p, rank or p))
    return factor @ factor.T, rng.permutation(np.repeat(np.arange(n_patches), size))


def all_masks(n_patches, ratio, drawing):
    """Every mask (True: visible) with its probability."""
    masks = [np.array(m, bool) for m in product([False, True], repeat=n_patches)]
    if drawing == "fixed":
        masks = [m for m in masks if m.sum() == visible_count(n_patches, ratio)]
        return [(m, 1 / len(masks)) for m in masks]
    return [(m, (1 - ratio) ** m.sum() * ratio ** (~m).sum()) for m in masks]


def direct_least_squares(covariance, patch, ratio, loss, drawing):
    """Row blocks from the normal equations summed over all masks, without any formula."""
    weights = np.zeros_like(covariance)
    for i in range(patch.max() + 1):
        rows = patch == i
        gram, cross = np.zeros_like(covariance), np.zeros((rows.sum(), len(covariance)))
        for mask, weight in all_masks(patch.max() + 1, ratio, drawing):
            if loss == "masked" and mask[i]:
                continue
            seen = mask[patch]
            gram += weight * covariance * np.outer(seen, seen)
            cross += weight * covariance[rows] * seen
        weights[rows] = cross @ np.linalg.pinv(gram, hermitian=True)
    return weights


def direct_loss(covariance, patch, weights, ratio, loss, drawing):
    total, share = 0.0, 0.0
    for mask, probability in all_masks(patch.max() + 1, ratio, drawing):
        error = np.eye(len(covariance)) - weights * mask[patch]
        squares = np.diag(error @ covariance @ error.T)
        counted = ~mask[patch] if loss == "masked" else np.ones(len(patch), bool)
        total += probability * squares[counted].sum()
        share += probability * counted.sum()
    return total / share


@pytest.mark.parametrize("drawing", DRAWINGS)
@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("ratio", [0.25, 0.5, 0.75])
def test_formulas_equal_direct_least_squares(ratio, loss, drawing):
    covariance, patch = problem(0)
    fitted = linear_mae(covariance, patch, ratio, loss, drawing)
    expected = direct_least_squares(covariance, patch, ratio, loss, drawing)
    np.testing.assert_allclose(fitted.weights, expected, atol=1e-10)
    assert fitted.loss == pytest.approx(
        direct_loss(covariance, patch, expected, ratio, loss, drawing), abs=1e-10
    )


@pytest.mark.parametrize("loss", LOSSES)
def test_singular_covariance(loss):
    """Tokens of fewer dimensions than pixels: the loss is still that of the best map."""
    rng = np.random.default_rng(3)
    patch = np.repeat(np.arange(4), 3)
    embed = np.zeros((12, 4))
    for i in range(4):
        embed[3 * i : 3 * i + 3, i] = rng.standard_normal(3)
    inner = problem(4, size=1)[0]
    covariance = embed @ inner @ embed.T
    fitted = linear_mae(covariance, patch, 0.5, loss)
    best = direct_least_squares(covariance, patch, 0.5, loss, "fixed")
    assert fitted.loss == pytest.approx(direct_loss(covariance, patch, best, 0.5, loss, "fixed"), rel=1e-9)


@pytest.mark.parametrize("rank", [1, 2])
def test_reduced_rank_is_the_best_of_that_rank(rank):
    covariance, patch = problem(5, n_patches=3)
    p = len(covariance)
    fitted = linear_mae(covariance, patch, 0.5, "all", rank=rank)
    assert fitted.encoder.shape == (rank, p) and fitted.decoder.shape == (p, rank)
    assert np.linalg.matrix_rank(fitted.weights) == rank
    np.testing.assert_allclose(fitted.decoder @ fitted.encoder, fitted.weights, atol=1e-10)
    assert fitted.loss == pytest.approx(
        direct_loss(covariance, patch, fitted.weights, 0.5, "all", "fixed"), abs=1e-10
    )

    def objective(flat):
        decoder, encoder = flat[: p * rank].reshape(p, rank), flat[p * rank :].reshape(rank, p)
        return direct_loss(covariance, patch, decoder @ encoder, 0.5, "all", "fixed")

    rng = np.random.default_rng(0)
    best = min(minimize(objective, rng.standard_normal(2 * p * rank)).fun for _ in range(3))
    assert fitted.loss == pytest.approx(best, rel=1e-6)


def test_loss_falls_with_rank_to_that_of_full_rank():
    covariance, patch = problem(6)
    losses = [linear_mae(covariance, patch, 0.5, "all", rank=k).loss for k in (1, 2, 4, 6, 8, 20)]
    assert all(a >= b - 1e-9 for a, b in pairwise(losses))
    assert losses[-1] == pytest.approx(linear_mae(covariance, patch, 0.5, "all").loss, abs=1e-12)


def test_probability_of_a_second_visible_patch():
    assert mask_moments(16, 0.75, "all", "fixed") == (4 / 16, 3 / 15)
    assert mask_moments(16, 0.75, "masked", "fixed") == (4 / 15, 3 / 14)
    assert mask_moments(16, 0.75, "masked", "independent") == (0.25, 0.25)
    assert mask_moments(2, 0.5, "masked", "fixed") == (1.0, 0.0)


def test_two_patches():
    covariance, patch = problem(7, n_patches=2)
    fitted = linear_mae(covariance, patch, 0.5)
    expected = direct_least_squares(covariance, patch, 0.5, "masked", "fixed")
    np.testing.assert_allclose(fitted.weights, expected, atol=1e-10)


def test_r2_of_targets_from_features():
    rng = np.random.default_rng(8)
    covariance, _ = problem(8)
    encoder = rng.standard_normal((3, 8))
    x = rng.multivariate_normal(np.zeros(8), covariance, 200_000)
    target = x @ rng.standard_normal((8, 2)) + rng.standard_normal((200_000, 2))
    target = (target - target.mean(0)) / target.std(0)
    sampled = np.cov(x.T, bias=True)
    cross = (x - x.mean(0)).T @ target / len(x)
    r2 = linear_r2(encoder, sampled, cross)
    features = np.c_[x @ encoder.T, np.ones(len(x))]
    residual = target - features @ np.linalg.lstsq(features, target, rcond=None)[0]
    np.testing.assert_allclose(r2, 1 - residual.var(0), atol=1e-8)
    # features that repeat each other add nothing
    np.testing.assert_allclose(linear_r2(np.vstack([encoder, encoder]), sampled, cross), r2, atol=1e-8)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"covariance": np.ones((2, 3))}, "symmetric"),
        ({"covariance": np.array([[1.0, 0.0], [1.0, 1.0]])}, "symmetric"),
        ({"patch": np.zeros(3, int)}, "must name the patch"),
        ({"patch": np.zeros(8)}, "must name the patch"),
        ({"patch": np.zeros(8, int)}, "at least two"),
        ({"patch": np.array([0, 0, 0, 0, 2, 2, 2, 2])}, "every number from 0 to 2"),
        ({"mask_ratio": 0}, "mask_ratio=0"),
        ({"loss": "visible"}, "loss='visible' must be one of: all, masked"),
        ({"drawing": "other"}, "drawing='other'"),
        ({"rank": 0, "loss": "all"}, "rank=0"),
        ({"rank": 2}, "rank=2 must be None for the loss on masked patches"),
    ],
)
def test_refusals(change, message):
    covariance, patch = problem(9)
    given = {"covariance": covariance, "patch": patch, "mask_ratio": 0.5} | change
    with pytest.raises(MaskError, match=message):
        linear_mae(**given)
