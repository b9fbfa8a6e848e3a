"""The regression that a linear masked autoencoder solves: moments of masked data, and what they cost."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.linalg import LinAlgError, cho_factor, cho_solve

from maestrata.errors import MaskError, one_of
from maestrata.masks import visible_count
from maestrata.theory.profiles import Drawing

Loss = Literal["masked", "all"]

RANGE = 1e-12
"""Directions with less than this share of the greatest variance hold rounding noise only."""


@dataclass(frozen=True)
class Problem:
    """The data in coordinates in which no block is singular, and the moments of the masks."""

    basis: NDArray[np.float64]  # (p, q), orthonormal, block by block
    covariance: NDArray[np.float64]  # (q, q)
    moment: NDArray[np.float64]  # a S + (1 - a) D
    columns: list[NDArray[np.int64]]  # coordinates of each patch
    visible: float  # probability that the other patch is visible


def mask_moments(n_patches: int, mask_ratio: float, loss: Loss, drawing: Drawing) -> tuple[float, float]:
    """Return the probability that a patch is visible, and that a second one is where one is (``a``).

    For the loss on masked patches both are conditional on one patch being masked, the one predicted.
    """
    if loss not in get_args(Loss):
        raise MaskError(f"loss={one_of(loss, get_args(Loss))}")
    if drawing not in get_args(Drawing):
        raise MaskError(f"drawing={one_of(drawing, get_args(Drawing))}")
    k = visible_count(n_patches, mask_ratio)
    if drawing == "independent":
        return 1 - mask_ratio, 1 - mask_ratio
    others = n_patches if loss == "all" else n_patches - 1
    return k / others, (k - 1) / max(others - 1, 1)


def make_problem(
    covariance: ArrayLike, patch: ArrayLike, mask_ratio: float, loss: Loss, drawing: Drawing
) -> Problem:
    """Check the arguments of `maestrata.theory.linear.linear_mae` and set the regression up."""
    s = np.asarray(covariance, float)
    of = np.asarray(patch)
    if s.ndim != 2 or s.shape[0] != s.shape[1] or not np.allclose(s, s.T):
        raise MaskError(f"covariance of shape {s.shape} must be a symmetric matrix")
    if of.shape != s.shape[:1] or of.dtype.kind not in "iu":
        raise MaskError(f"patch of shape {of.shape} must name the patch of each of the {len(s)} values")
    n = int(of.max()) + 1
    if n < 2 or len(np.unique(of)) != n or of.min() < 0:
        raise MaskError(f"patch must use every number from 0 to {n - 1}, and at least two")
    visible, pair = mask_moments(n, mask_ratio, loss, drawing)
    parts, columns, start = [], [], 0
    for i in range(n):
        values, vectors = np.linalg.eigh(s[np.ix_(of == i, of == i)])
        kept = vectors[:, values > RANGE * max(values[-1], 0.0)]
        part = np.zeros((len(s), kept.shape[1]))
        part[of == i] = kept
        parts.append(part)
        columns.append(np.arange(start, start + kept.shape[1]))
        start += kept.shape[1]
    basis = np.concatenate(parts, 1)
    inner = basis.T @ s @ basis
    inner = (inner + inner.T) / 2
    diagonal = np.zeros_like(inner)
    for c in columns:
        diagonal[np.ix_(c, c)] = inner[np.ix_(c, c)]
    return Problem(basis, inner, pair * inner + (1 - pair) * diagonal, columns, visible)


def solve_symmetric(matrix: NDArray[np.float64], right: NDArray[np.float64]) -> NDArray[np.float64]:
    """Solve a symmetric positive (semi)definite system."""
    try:
        return np.asarray(cho_solve(cho_factor(matrix), right))
    except LinAlgError:
        return np.linalg.pinv(matrix, rcond=RANGE, hermitian=True) @ right


def full_rank(problem: Problem, loss: Loss) -> NDArray[np.float64]:
    """Return the best weights of any rank."""
    s, moment = problem.covariance, problem.moment
    if loss == "all":
        return solve_symmetric(moment, s).T
    weights = np.zeros_like(s)
    for c in problem.columns:
        rest = np.setdiff1d(np.arange(len(s)), c)
        weights[np.ix_(c, rest)] = solve_symmetric(moment[np.ix_(rest, rest)], s[np.ix_(rest, c)]).T
    return weights


def expected_loss(problem: Problem, weights: NDArray[np.float64], loss: Loss) -> float:
    """Return the expected squared error, summed over values."""
    s, visible = problem.covariance, problem.visible
    if loss == "all":
        return float(np.trace(s) + visible * (np.sum((weights @ problem.moment - 2 * s) * weights)))
    return float(np.trace(s) + visible * excess(problem, weights))


def excess(problem: Problem, weights: NDArray[np.float64]) -> float:
    """What of the masked loss depends on the weights, up to the factor ``visible``."""
    used = weights.copy()
    for c in problem.columns:
        used[np.ix_(c, c)] = 0.0
    return float(np.sum((used @ problem.moment) * used) - 2 * np.sum(used * problem.covariance))
