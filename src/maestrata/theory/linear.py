"""The linear masked autoencoder, in closed form: the rival that sees only the covariance.

Centred data x with covariance S, cut into patches; D is the block diagonal of S; masked patches are set to
zero. The best linear map from the masked image to the image is, for the loss on all patches and for the loss
on masked patches only (row block by row block)::

    W   = S [a S + (1 - a) D]^-1
    W_i = S_{i,-i} [a S_{-i,-i} + (1 - a) D_{-i}]^-1

where ``a`` is the probability that a second patch is visible where one is: 1 - r for independent masks. With
exactly k of n patches visible it is (k - 1) / (n - 1) for the loss on all patches, and (k - 1) / (n - 2) for
the loss on masked ones.

After Bisulco, Ramesh, Balestriero and Chaudhari (arXiv 2508.15404); the derivations here are our own.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.linalg import LinAlgError, cho_factor, cho_solve

from maestrata.errors import MaskError, one_of
from maestrata.masks import visible_count
from maestrata.theory.profiles import Drawing, check_drawing

Loss = Literal["masked", "all"]

RANGE = 1e-12
"""Directions with less than this share of the greatest variance hold rounding noise only."""


@dataclass(frozen=True)
class LinearMAE:
    """A linear masked autoencoder.

    Attributes
    ----------
    weights : float array (p, p)
        Map from the masked image, zero where masked, to the prediction.
    encoder, decoder : float arrays (k, p) and (p, k)
        Its factors, ``weights = decoder @ encoder`` (up to the unused diagonal blocks of the masked loss);
        at full rank the decoder is the identity.
    loss : float
        Expected squared error per value: of all values, or of the masked ones.
    """

    weights: NDArray[np.float64]
    encoder: NDArray[np.float64]
    decoder: NDArray[np.float64]
    loss: float


def linear_mae(
    covariance: ArrayLike,
    patch: ArrayLike,
    mask_ratio: float,
    loss: Loss = "masked",
    drawing: Drawing = "fixed",
    rank: int | None = None,
) -> LinearMAE:
    """Return the best linear masked autoencoder.

    Parameters
    ----------
    covariance : float array (p, p)
        Of the values, S; may be singular.
    patch : int array (p,)
        Patch that each value belongs to, 0 to n - 1.
    mask_ratio : float
        r, in (0, 1).
    loss : {"masked", "all"}
    drawing : {"fixed", "independent"}
        A fixed number of visible patches (`maestrata.masks.visible_count`), or every patch on its own.
    rank : int, optional
        Width of the bottleneck; full rank if None. Only for the loss on all patches, where the leading
        directions of what the best map predicts are the best of that rank.

    Returns
    -------
    LinearMAE

    Raises
    ------
    MaskError
        If an argument is out of range, shapes do not fit, or a rank is given for the loss on masked patches.
    """
    problem = make_problem(covariance, patch, mask_ratio, loss, drawing)
    q = len(problem.covariance)
    if rank is not None and (isinstance(rank, bool) or not isinstance(rank, int | np.integer) or rank < 1):
        raise MaskError(f"rank={rank!r} must be an integer of at least 1, or None")
    if rank is not None and loss == "masked":
        raise MaskError(f"rank={rank} must be None for the loss on masked patches: it has no closed form")
    full = full_rank(problem, loss)
    if rank is None or rank >= q:
        # (a wider bottleneck binds nothing)
        encoder, decoder = full, np.eye(q)
    else:
        _, vectors = np.linalg.eigh(full @ problem.moment @ full.T)
        decoder = vectors[:, ::-1][:, :rank]
        encoder = decoder.T @ full
    basis = problem.basis
    weights = decoder @ encoder
    if rank is None:
        encoder, decoder = basis @ encoder @ basis.T, np.eye(len(basis))
    else:
        encoder, decoder = encoder @ basis.T, basis @ decoder
    error = expected_loss(problem, weights, loss) / len(basis)
    return LinearMAE(basis @ weights @ basis.T, encoder, decoder, error)


def linear_r2(encoder: ArrayLike, covariance: ArrayLike, cross: ArrayLike) -> NDArray[np.float64]:
    """Return the R2 of targets of unit variance regressed linearly on the features of whole images.

    Parameters
    ----------
    encoder : float array (k, p)
    covariance : float array (p, p)
        Of the values.
    cross : float array (p, targets)
        Covariance of the values with the standardised targets.

    Returns
    -------
    float array (targets,)
    """
    encoder, cross = np.asarray(encoder, float), np.asarray(cross, float)
    spread = encoder @ np.asarray(covariance, float) @ encoder.T
    seen = encoder @ cross
    return np.einsum("kt,kt->t", seen, np.linalg.pinv(spread, rcond=RANGE, hermitian=True) @ seen)


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
    check_drawing(drawing)
    k = visible_count(n_patches, mask_ratio)
    if drawing == "independent":
        return 1 - mask_ratio, 1 - mask_ratio
    others = n_patches if loss == "all" else n_patches - 1
    return k / others, (k - 1) / max(others - 1, 1)


def make_problem(
    covariance: ArrayLike, patch: ArrayLike, mask_ratio: float, loss: Loss, drawing: Drawing
) -> Problem:
    """Check the arguments of `linear_mae` and set the regression up."""
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
    used = weights.copy()
    for c in problem.columns if loss == "masked" else ():
        used[np.ix_(c, c)] = 0.0  # a masked patch is not predicted from itself
    excess = np.sum((used @ problem.moment - 2 * problem.covariance) * used)
    return float(np.trace(problem.covariance) + problem.visible * excess)
