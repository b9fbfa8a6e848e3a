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

import numpy as np
from numpy.typing import ArrayLike, NDArray

from maestrata.errors import MaskError
from maestrata.theory.linear_problem import RANGE, Loss, Problem, expected_loss, full_rank, make_problem
from maestrata.theory.linear_rank import reduced_rank
from maestrata.theory.profiles import Drawing


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
    converged : bool
        Whether the iteration met its tolerance; True for what is closed-form.
    """

    weights: NDArray[np.float64]
    encoder: NDArray[np.float64]
    decoder: NDArray[np.float64]
    loss: float
    converged: bool = True


def linear_mae(
    covariance: ArrayLike,
    patch: ArrayLike,
    mask_ratio: float,
    loss: Loss = "masked",
    drawing: Drawing = "fixed",
    rank: int | None = None,
    tolerance: float = 1e-10,
    max_iterations: int = 2000,
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
        Width of the bottleneck; full rank if None. Closed form for the loss on all patches (the leading
        directions of what the best map predicts); iterative for that on masked patches, the best of three
        local minima (`maestrata.theory.linear_rank`).
    tolerance : float
        Relative change of the loss at which the iteration stops.
    max_iterations : int
        Most steps of the iteration.

    Returns
    -------
    LinearMAE

    Raises
    ------
    MaskError
        If an argument is out of range, or shapes do not fit.
    """
    problem = make_problem(covariance, patch, mask_ratio, loss, drawing)
    q = len(problem.covariance)
    if rank is not None and (isinstance(rank, bool) or not isinstance(rank, int | np.integer) or rank < 1):
        raise MaskError(f"rank={rank!r} must be an integer of at least 1, or None")
    converged = True
    full = full_rank(problem, loss)
    if rank is None or rank >= q:
        # (a wider bottleneck binds nothing)
        encoder, decoder = full, np.eye(q)
    elif loss == "all":
        _, vectors = np.linalg.eigh(full @ problem.moment @ full.T)
        decoder = vectors[:, ::-1][:, :rank]
        encoder = decoder.T @ full
    else:
        encoder, decoder, converged = reduced_rank(problem, full, rank, tolerance, max_iterations)
    basis = problem.basis
    weights = decoder @ encoder
    if rank is None:
        encoder, decoder = basis @ encoder @ basis.T, np.eye(len(basis))
    else:
        encoder, decoder = encoder @ basis.T, basis @ decoder
    error = expected_loss(problem, weights, loss) / len(basis)
    return LinearMAE(basis @ weights @ basis.T, encoder, decoder, error, converged)


def linear_mae_loss(
    covariance: ArrayLike,
    patch: ArrayLike,
    weights: ArrayLike,
    mask_ratio: float,
    loss: Loss = "masked",
    drawing: Drawing = "fixed",
) -> float:
    """Return the expected squared error per value of any linear map of the masked image.

    Parameters
    ----------
    covariance, patch, mask_ratio, loss, drawing
        As in `linear_mae`.
    weights : float array (p, p)
    """
    problem = make_problem(covariance, patch, mask_ratio, loss, drawing)
    inside = problem.basis.T @ np.asarray(weights, float) @ problem.basis
    outside = np.asarray(weights, float) @ problem.basis - problem.basis @ inside
    # what the map puts where no data lie is error too, and adds to the rest
    extra = _quadratic(problem, outside, np.asarray(patch, np.int64), loss)
    return (expected_loss(problem, inside, loss) + extra) / len(problem.basis)


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


def _quadratic(problem: Problem, rows: NDArray[np.float64], patch: NDArray[np.int64], loss: Loss) -> float:
    """Return the expected squared length of what `rows` (p, q) make of the masked image."""
    used = rows.copy()
    if loss == "masked":
        for i, c in enumerate(problem.columns):
            used[np.ix_(patch == i, c)] = 0.0
    return float(problem.visible * np.sum((used @ problem.moment) * used))
