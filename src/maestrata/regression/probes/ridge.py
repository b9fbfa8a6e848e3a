"""Ridge regression: all targets from one factorisation a penalty, the penalty chosen per target.

With standardised X (n, p) and Y (n, t) the solution at penalty ``a`` is ``(X'X + a I)^-1 X'Y``. The moments
X'X and X'Y are summed once, over the fitting rows and the held-out rows apart; added up they give the
solution on all rows. A Cholesky factor for each of eight penalties takes less time than one
eigendecomposition for all of them, and a quarter of the memory.

A cell asks for some five hundred such regressions of hundreds of targets, a minute and more with
scikit-learn: its `RidgeCV` (which chooses per target only by leave-one-out) takes ten times as long at 64
features and five times at 1,024. scikit-learn's `Ridge` is the oracle of the tests.
"""

from __future__ import annotations

import operator
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import reduce
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import cho_factor, cho_solve

from maestrata.errors import ProbeError
from maestrata.regression.checks import check_finite, check_rows
from maestrata.settings import check, setting
from maestrata.standardise import CHUNK, Standard

Vector = NDArray[np.float64]

ALPHAS = tuple(10.0**k for k in range(-2, 6))


@dataclass(eq=False)
class Probe:
    """Ridge.

    Attributes
    ----------
    alphas : sequence of float
        Penalties on the squared norm of the coefficients of standardised features, as in scikit-learn's
        `Ridge`.
    validation : float
        Share of the training rows, the last ones, on which the penalty is chosen; the solution is then taken
        from all training rows.
    alpha_ : ndarray (t,)
        Penalty chosen for each target.
    coef_ : ndarray (p, t) of float32
        For standardised features and targets.

    Raises
    ------
    ProbeError
        If a setting is out of range.
    """

    last_layer_only: ClassVar[bool] = False
    poolings: ClassVar[tuple[str, ...]] = ("global", "cls", "concat", "aligned")
    eval_ratios: ClassVar[tuple[str, ...] | None] = None

    alphas: Sequence[float] = setting(ALPHAS, "penalties", above=0)
    validation: float = setting(0.2, "share of the rows on which a penalty is chosen", above=0, below=1)
    alpha_: NDArray[np.float64] = field(init=False, repr=False)
    coef_: NDArray[np.float32] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        check(self, ProbeError, "ridge: ")

    def fit(self, x: NDArray[np.float32], y: NDArray[np.float32]) -> Probe:
        """Fit features (n, p) to targets (n, t).

        Raises
        ------
        ProbeError
            If the rows are too few, or hold NaN.
        """
        check_rows(x, y, "ridge")
        split = len(x) - max(1, round(self.validation * len(x)))
        shifts = x[:CHUNK].mean(0, dtype=np.float64), y[:CHUNK].mean(0, dtype=np.float64)
        fit, held = (
            Moments.over(x[rows], y[rows], *shifts) for rows in (slice(0, split), slice(split, None))
        )
        # moments of standardised rows come from those of the rows themselves, which are thus read once
        n = len(x)
        self._x = Standard.from_sums(n, fit.x + held.x, np.diagonal(fit.xx) + np.diagonal(held.xx), shifts[0])
        self._y = Standard.from_sums(n, fit.y + held.y, fit.yy + held.yy, shifts[1])
        check_finite("ridge", self._x, self._y)
        for part in (fit, held):
            part.standardise(self._x.mean - shifts[0], self._x.std, self._y.mean - shifts[1], self._y.std)
        self.alpha_ = self._choose(fit, np.asarray(self.alphas, dtype=np.float64), x[split:], y[split:])
        fit += held
        system = fit.centred()
        coef, self._intercept = np.empty(fit.xy.shape), np.empty(len(fit.y))
        for alpha in np.unique(self.alpha_):
            chosen = np.flatnonzero(self.alpha_ == alpha)
            coef[:, chosen], self._intercept[chosen] = system.solve(alpha, chosen)
        self.coef_ = coef.astype(np.float32)
        return self

    def _choose(
        self, fit: Moments, alphas: NDArray[np.float64], x: NDArray[np.float32], y: NDArray[np.float32]
    ) -> NDArray[np.float64]:
        """Penalty of each target (t,) that predicts held-out rows best."""
        system = fit.centred()
        features, targets = self._x.apply(x).astype(np.float32), self._y.apply(y).astype(np.float32)
        errors = []
        for alpha in alphas:
            coef, intercept = system.solve(alpha)
            error = features @ coef.astype(np.float32)
            error += intercept.astype(np.float32) - targets
            errors.append(np.square(error, out=error).sum(0, dtype=np.float64))
        # of equal errors the strongest penalty: a target that nothing explains is then shrunk, not fitted
        best: NDArray[np.float64] = alphas[len(alphas) - 1 - np.argmin(errors[::-1], axis=0)]
        return best

    def predict(self, x: NDArray[np.float32]) -> NDArray[np.float32]:
        """Predict targets (m, t) from features (m, p), `CHUNK` rows at a time."""
        mean, deviation = self._x.mean.astype(np.float32), self._x.std.astype(np.float32)
        intercept = self._intercept.astype(np.float32)
        out = np.empty((len(x), len(intercept)), np.float32)
        for start in range(0, len(x), CHUNK):
            standard = (x[start : start + CHUNK] - mean) / deviation
            out[start : start + CHUNK] = self._y.undo(np.matmul(standard, self.coef_) + intercept)
        return out


@dataclass
class Moments:
    """Sums over rows from which a ridge is solved; those of two sets of rows add up.

    With thousands of features `xx` is most of the memory, so it is changed in place.

    Attributes
    ----------
    n : int
    x, y : ndarray (p,), (t,)
    xx, xy, yy : ndarray (p, p), (p, t), (t,)
    """

    n: int
    x: Vector
    y: Vector
    xx: NDArray[np.float64]
    xy: NDArray[np.float64]
    yy: Vector

    @classmethod
    def of(cls, x: NDArray[np.float64], y: NDArray[np.float64]) -> Moments:
        """Sum over the rows of x (n, p) and y (n, t)."""
        return cls(len(x), x.sum(0), y.sum(0), x.T @ x, x.T @ y, np.einsum("nt,nt->t", y, y))

    @classmethod
    def over(
        cls, x: NDArray[np.floating], y: NDArray[np.floating], x_shift: Vector, y_shift: Vector
    ) -> Moments:
        """Sum over the rows of x - x_shift and y - y_shift, `CHUNK` rows in float64 at a time.

        A shift near the mean keeps the variance from drowning in the square of the mean.
        """
        chunks = (slice(start, start + CHUNK) for start in range(0, len(x), CHUNK))
        parts = (cls.of(x[rows] - x_shift, y[rows] - y_shift) for rows in chunks)
        return reduce(operator.iadd, parts)

    def __iadd__(self, other: Moments) -> Moments:
        self.n += other.n
        for name in ("x", "y", "xx", "xy", "yy"):
            sums = getattr(self, name)
            sums += getattr(other, name)
        return self

    def standardise(self, x_mean: Vector, x_std: Vector, y_mean: Vector, y_std: Vector) -> None:
        """Turn into the sums over (x - x_mean) / x_std and (y - y_mean) / y_std (but for `yy`)."""
        x, y = self.x - self.n * x_mean, self.y - self.n * y_mean
        self.xx -= np.outer(self.x, x_mean)
        self.xx -= np.outer(x_mean, x)
        self.xx /= x_std
        self.xx /= x_std[:, None]
        self.xy -= np.outer(self.x, y_mean)
        self.xy -= np.outer(x_mean, y)
        self.xy /= y_std
        self.xy /= x_std[:, None]
        self.x, self.y = x / x_std, y / y_std

    def centred(self) -> System:
        """Normal equations of a regression with an intercept."""
        mean_x, mean_y = self.x / self.n, self.y / self.n
        return System(self.xx - np.outer(self.x, mean_x), self.xy - np.outer(self.x, mean_y), mean_x, mean_y)


@dataclass(frozen=True)
class System:
    """Normal equations: second moments about the means, and the means."""

    xx: NDArray[np.float64]
    xy: NDArray[np.float64]
    mean_x: Vector
    mean_y: Vector

    def solve(
        self, alpha: float, targets: NDArray[np.int64] | slice = slice(None)
    ) -> tuple[NDArray[np.float64], Vector]:
        """Coefficients (p, t) and intercepts (t,) at one penalty, for all targets or some."""
        system = self.xx.copy()
        system[np.diag_indices_from(system)] += alpha
        # the transpose of a symmetric matrix lies in memory as LAPACK wants it: no further copy
        factor = cho_factor(system.T, lower=True, overwrite_a=True, check_finite=False)
        coef = cho_solve(factor, self.xy[:, targets], check_finite=False)
        return coef, self.mean_y[targets] - self.mean_x @ coef
