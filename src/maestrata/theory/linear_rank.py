"""The reduced-rank linear masked autoencoder for the loss on masked patches, which has no closed form."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.sparse.linalg import LinearOperator, cg

from maestrata.theory.linear_problem import RANGE, Problem, excess, full_rank, solve_symmetric

# rounds of alternating least squares before quasi-Newton steps
_ROUNDS = 10


def reduced_rank(
    problem: Problem, full: NDArray[np.float64], rank: int, tolerance: float, max_iterations: int
) -> tuple[NDArray[np.float64], NDArray[np.float64], bool]:
    """Minimise the loss on masked patches over weights of a rank.

    Given the encoder B, the decoder's row blocks are one small regression each, so the loss is a function
    of B alone. Rounds of alternating least squares find the valley and crawl in it; quasi-Newton steps on
    that function, whose gradient costs no more than a round, end there. Three starts, the best is kept.
    """
    found: list[tuple[float, int, NDArray[np.float64], bool]] = []
    for start in _starts(problem, full, rank):
        encoder = start
        for _ in range(_ROUNDS):
            encoder = _encoder(problem, _decoder(problem, encoder), encoder)
            encoder = _uncorrelated(problem, encoder)
        shape = encoder.shape

        def objective(flat: NDArray[np.float64], shape: tuple[int, ...] = shape) -> Any:
            encoder = flat.reshape(shape)
            decoder = _decoder(problem, encoder)
            # the decoder is optimal, so only the encoder's own change counts
            gradient = _normal(problem, decoder, encoder) - _right(problem, decoder)
            return excess(problem, decoder @ encoder), 2 * gradient.ravel()

        options = {"maxiter": max_iterations, "ftol": tolerance, "gtol": 0.0, "maxfun": 10 * max_iterations}
        result = minimize(objective, encoder.ravel(), jac=True, method="L-BFGS-B", options=options)
        found.append((result.fun, len(found), result.x.reshape(shape), result.status == 0))
    _, _, encoder, converged = min(found)
    encoder = _uncorrelated(problem, encoder)
    return encoder, _decoder(problem, encoder), converged


def _starts(problem: Problem, full: NDArray[np.float64], rank: int) -> list[NDArray[np.float64]]:
    """Encoders to start from: of the best full-rank map, of the all-patch loss, and principal components."""
    all_patches = full_rank(problem, "all")
    starts = []
    for weights in (full, all_patches):
        vectors = np.linalg.eigh(weights @ problem.moment @ weights.T)[1][:, ::-1]
        starts.append(vectors[:, :rank].T @ weights)
    starts.append(np.linalg.eigh(problem.covariance)[1][:, ::-1][:, :rank].T)
    return [_uncorrelated(problem, start) for start in starts]


def _uncorrelated(problem: Problem, encoder: NDArray[np.float64]) -> NDArray[np.float64]:
    """Recombine features to uncorrelated ones of unit variance: as good, and better conditioned."""
    values, vectors = np.linalg.eigh(encoder @ problem.moment @ encoder.T)
    return (vectors.T @ encoder) / np.sqrt(np.maximum(values, RANGE * values[-1]))[:, None]


def _decoder(problem: Problem, encoder: NDArray[np.float64]) -> NDArray[np.float64]:
    decoder = np.zeros((encoder.shape[1], len(encoder)))
    for c in problem.columns:
        without = encoder.copy()
        without[:, c] = 0.0
        decoder[c] = solve_symmetric(
            without @ problem.moment @ without.T, without @ problem.covariance[:, c]
        ).T
    return decoder


def _normal(
    problem: Problem, decoder: NDArray[np.float64], encoder: NDArray[np.float64]
) -> NDArray[np.float64]:
    """``sum_i A_i^T A_i B Z_i M Z_i``, Z_i dropping patch i."""
    through = encoder @ problem.moment
    out = decoder.T @ (decoder @ through)
    for c in problem.columns:
        gram = decoder[c].T @ decoder[c]
        own = encoder[:, c] @ problem.moment[c]
        out -= gram @ own
        out[:, c] -= gram @ (through[:, c] - own[:, c])
    return np.asarray(out)


def _right(problem: Problem, decoder: NDArray[np.float64]) -> NDArray[np.float64]:
    """``sum_i A_i^T S_i Z_i``."""
    right = decoder.T @ problem.covariance
    for c in problem.columns:
        right[:, c] -= decoder[c].T @ problem.covariance[np.ix_(c, c)]
    return np.asarray(right)


def _encoder(
    problem: Problem, decoder: NDArray[np.float64], start: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Best encoder given the decoder: conjugate gradients, preconditioned by the system without any Z."""
    shape, size = start.shape, start.size
    near = np.linalg.pinv(decoder.T @ decoder, rcond=RANGE, hermitian=True)
    inverse = np.linalg.pinv(problem.moment, rcond=RANGE, hermitian=True)
    found, _ = cg(
        LinearOperator(
            (size, size), matvec=lambda b: _normal(problem, decoder, b.reshape(shape)).ravel(), dtype=float
        ),
        _right(problem, decoder).ravel(),
        x0=start.ravel(),
        rtol=1e-6,
        maxiter=20,
        M=LinearOperator(
            (size, size), matvec=lambda r: (near @ r.reshape(shape) @ inverse).ravel(), dtype=float
        ),
    )
    return np.asarray(found).reshape(shape)
