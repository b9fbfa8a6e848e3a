"""RBF kernel ridge on a bounded number of points, all targets from one factorisation.

The grid is the field's habit (von Kuegelgen et al. 2021): alpha in {1, .1, .01, .001}, gamma in
``logspace(-2, 2, 4)``, the latter over the number of features so that it means the same at any width
(standardised features lie ``2 p`` apart in squared distance on average).

For each pair, ``K + alpha I = L L'`` is solved for all targets at once, and each target keeps the pair
that predicts held-out training rows best. A Cholesky factor for each of the 16 pairs takes less than half
the time of an eigendecomposition for each gamma. scikit-learn's `KernelRidge` (the oracle of the tests) has
no hyperparameters per target, and a grid search over it would factorise anew for every target.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import cho_factor, cho_solve

from maestrata.bounds import MOST_POINTS, MOST_ROWS
from maestrata.errors import ProbeError
from maestrata.regression.checks import check_finite, check_rows
from maestrata.settings import check, setting
from maestrata.standardise import Standard

ALPHAS = (1.0, 0.1, 0.01, 0.001)
GAMMAS = tuple(float(g) for g in np.logspace(-2, 2, 4))
NEGLIGIBLE = 1e-9  # 2,000 points with such a kernel move a prediction by less than 1e-5 deviations
FLOOR = -69.0  # logs of kernel values below 1e-30 count as those of 0: denormal products are slow
CHUNK = 1024  # test rows whose kernel is held at a time


@dataclass(eq=False)
class Probe:
    """RBF kernel ridge.

    Attributes
    ----------
    points : int
        Training rows that the kernel is made of, the first ones.
    validation : int
        Training rows after those, on which the hyperparameters are chosen. With too few rows for both, a
        fifth is held out.
    alphas, gammas : sequences of float
        Grid; a gamma is divided by the number of features.
    alpha_, gamma_ : ndarray (t,)
        Chosen for each target; gamma as in ``exp(-gamma |x - x'|**2)`` of standardised features.

    Raises
    ------
    ProbeError
        If a setting is out of range.
    """

    last_layer_only: ClassVar[bool] = True
    poolings: ClassVar[tuple[str, ...]] = ("global",)
    eval_ratios: ClassVar[tuple[str, ...] | None] = ("0",)

    points: int = setting(2000, "rows that the kernel is made of", least=1, most=MOST_POINTS)
    validation: int = setting(1000, "rows on which the others are chosen", least=1, most=MOST_ROWS)
    alphas: Sequence[float] = setting(ALPHAS, "penalties", above=0)
    gammas: Sequence[float] = setting(GAMMAS, "widths of the kernel", above=0)
    alpha_: NDArray[np.float64] = field(init=False, repr=False)
    gamma_: NDArray[np.float64] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        check(self, ProbeError, "kernel_ridge: ")

    def fit(self, x: NDArray[np.float32], y: NDArray[np.float32]) -> Probe:
        """Fit features (n, p) to targets (n, t).

        Raises
        ------
        ProbeError
            If the rows are too few, or hold NaN.
        """
        check_rows(x, y, "kernel_ridge")
        points = min(self.points, len(x) - max(1, min(self.validation, len(x) // 5)))
        rows = slice(0, points + self.validation)
        self._x, self._y = Standard.of(x[rows]), Standard.of(y[rows])
        check_finite("kernel_ridge", self._x, self._y)
        features, targets = self._x.apply(x[rows]), self._y.apply(y[rows])
        self._points = features[:points].astype(np.float32)
        # the mean over the points is the intercept: the kernel is left uncentred, as in scikit-learn
        between = squared_distances(features[:points], features[:points])
        towards = squared_distances(features[points:], features[:points])
        # to begin with the mean, which is what the strongest penalty shrinks to
        wanted = targets[points:].astype(np.float32)
        best = np.square(wanted).sum(0, dtype=np.float64)
        self.alpha_ = np.full_like(best, max(self.alphas))
        self.gamma_ = np.full_like(best, min(self.gammas) / x.shape[1])
        self._dual = np.zeros((points, y.shape[1]), np.float32)
        for gamma in np.asarray(self.gammas, dtype=np.float64) / x.shape[1]:
            held = _kernel(-gamma, towards).astype(np.float32)
            if held.max() < NEGLIGIBLE:
                continue  # no held-out row is near any point: all that is left is the mean
            kernel = _kernel(-gamma, between)
            for alpha in self.alphas:
                system = kernel.copy()
                system[np.diag_indices(points)] += alpha
                # the transpose of a symmetric matrix lies in memory as LAPACK wants it: no further copy
                factor = cho_factor(system.T, lower=True, overwrite_a=True, check_finite=False)
                dual = cho_solve(factor, targets[:points], check_finite=False)
                error = held @ dual.astype(np.float32)
                error -= wanted
                error = np.square(error, out=error).sum(0, dtype=np.float64)
                better = error < best
                best[better], self.alpha_[better], self.gamma_[better] = error[better], alpha, gamma
                self._dual[:, better] = dual[:, better]
        return self

    def predict(self, x: NDArray[np.float32]) -> NDArray[np.float32]:
        """Predict targets (m, t) from features (m, p), `CHUNK` rows of the kernel at a time."""
        out = np.empty((len(x), self._dual.shape[1]), np.float32)
        for start in range(0, len(x), CHUNK):
            rows = slice(start, start + CHUNK)
            distances = squared_distances(self._x.apply(x[rows]).astype(np.float32), self._points)
            for gamma in np.unique(self.gamma_):
                chosen = np.flatnonzero(self.gamma_ == gamma)
                out[rows, chosen] = _kernel(np.float32(-gamma), distances) @ self._dual[:, chosen]
        return self._y.undo(out)


def _kernel(minus_gamma: np.floating, distances: NDArray[np.floating]) -> NDArray[np.floating]:
    logs = minus_gamma * distances
    logs[logs < FLOOR] = -np.inf
    return np.exp(logs, out=logs)


def squared_distances(a: NDArray[np.floating], b: NDArray[np.floating]) -> NDArray[np.floating]:
    """Squared Euclidean distances between the rows of a (n, p) and b (m, p): (n, m), by one matrix product.

    Importing scikit-learn for these lines takes longer than the distances of a whole cell.
    """
    squares = np.einsum("np,np->n", a, a)[:, None] + np.einsum("mp,mp->m", b, b)
    squares -= 2 * (a @ b.T)
    return np.maximum(squares, 0, out=squares)
