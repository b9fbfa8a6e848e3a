"""Ridge regression: all targets and penalties from one factorisation, the penalty chosen per target.

With standardised X (n, p) and Y (n, t) the solution at penalty ``a`` is

    B(a) = V diag(1 / (s + a)) V' (X'Y),    X'X = V diag(s) V',

so one eigendecomposition gives every penalty and every target. A cell asks for some five hundred such
regressions of hundreds of targets, a minute and more with scikit-learn: its `RidgeCV` (which chooses per
target only by leave-one-out) takes ten times as long at 64 features and five times at 1,024. scikit-learn's
`Ridge` is the oracle of the tests.
"""

from __future__ import annotations

import operator
from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from maestrata.errors import ProbeError
from maestrata.regression.standardise import CHUNK, Standard, check_finite, check_rows

Vector = NDArray[np.float64]

ALPHAS = tuple(10.0**k for k in range(-2, 6))


class Probe:
    """Ridge.

    Parameters
    ----------
    alphas : sequence of float
        Penalties on the squared norm of the coefficients of standardised features, as in scikit-learn's
        `Ridge`.
    validation : float
        Share of the training rows, the last ones, on which the penalty is chosen; the solution is then taken
        from all training rows.

    Attributes
    ----------
    alpha_ : ndarray (t,)
        Penalty chosen for each target.
    coef_ : ndarray (p, t) of float32
        For standardised features and targets.
    """

    last_layer_only: ClassVar[bool] = False
    poolings: ClassVar[tuple[str, ...]] = ("global", "cls", "concat", "aligned")
    eval_ratios: ClassVar[tuple[str, ...] | None] = None

    alpha_: NDArray[np.float64]
    coef_: NDArray[np.float32]

    def __init__(self, alphas: Sequence[float] = ALPHAS, validation: float = 0.2) -> None:
        self.alphas = alphas
        self.validation = validation

    def fit(self, x: NDArray[np.float32], y: NDArray[np.float32]) -> Probe:
        """Fit features (n, p) to targets (n, t).

        Raises
        ------
        ProbeError
            If a setting is out of range, or the rows are too few, or hold NaN.
        """
        alphas = np.asarray(self.alphas, dtype=np.float64)
        if alphas.ndim != 1 or not len(alphas) or not np.all(alphas > 0):
            raise ProbeError(f"ridge: alphas={self.alphas!r} must be positive numbers")
        if not 0 < self.validation < 1:
            raise ProbeError(f"ridge: validation={self.validation!r} must lie in (0, 1)")
        check_rows(x, y, "ridge")
        split = len(x) - max(1, round(self.validation * len(x)))
        shifts = x[:CHUNK].mean(0, dtype=np.float64), y[:CHUNK].mean(0, dtype=np.float64)
        parts = [Moments.over(x[rows], y[rows], *shifts) for rows in (slice(0, split), slice(split, None))]
        # moments of standardised rows come from those of the rows themselves, which are thus read once
        self._x, self._y = (parts[0] + parts[1]).standards(*shifts)
        check_finite("ridge", self._x, self._y)
        scales = [(s.mean - shift, s.std) for s, shift in zip((self._x, self._y), shifts, strict=True)]
        fit, held = (part.standardise(*scales) for part in parts)
        path = fit.factorise()
        errors = np.stack([held.squared_error(*path.solve(alpha)) for alpha in alphas])
        # of equal errors the strongest penalty: a target that nothing explains is then shrunk, not fitted
        best = len(alphas) - 1 - np.argmin(errors[::-1], axis=0)
        self.alpha_ = alphas[best]
        coef, self._intercept = (fit + held).factorise().solve(self.alpha_)
        self.coef_ = coef.astype(np.float32)
        return self

    def predict(self, x: NDArray[np.float32]) -> NDArray[np.float32]:
        """Predict targets (m, t) from features (m, p)."""
        standard = (x - self._x.mean.astype(np.float32)) / self._x.std.astype(np.float32)
        fitted: NDArray[np.float32] = np.matmul(standard, self.coef_)
        fitted += self._intercept.astype(np.float32)
        return self._y.undo(fitted)


@dataclass(frozen=True)
class Moments:
    """Sums over rows from which a ridge is solved and judged; those of two sets of rows add up.

    Attributes
    ----------
    n : int
    x, y : ndarray (p,), (t,)
    xx, xy, yy : ndarray (p, p), (p, t), (t,)
    """

    n: int
    x: NDArray[np.float64]
    y: NDArray[np.float64]
    xx: NDArray[np.float64]
    xy: NDArray[np.float64]
    yy: NDArray[np.float64]

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
        return reduce(operator.add, parts)

    def standards(self, x_shift: Vector, y_shift: Vector) -> tuple[Standard, Standard]:
        """Means and deviations of the unshifted rows."""
        squares = np.diagonal(self.xx), self.yy
        sums = zip((self.x, self.y), squares, (x_shift, y_shift), strict=True)
        x, y = (Standard.from_sums(self.n, *parts) for parts in sums)
        return x, y

    def standardise(self, x: tuple[Vector, Vector], y: tuple[Vector, Vector]) -> Moments:
        """Sums over the rows less a mean and over a deviation, given for x and for y."""
        (x_mean, x_std), (y_mean, y_std) = x, y
        n, sum_x, sum_y = self.n, self.x, self.y
        xx = self.xx - np.outer(sum_x, x_mean) - np.outer(x_mean, sum_x - n * x_mean)
        xy = self.xy - np.outer(sum_x, y_mean) - np.outer(x_mean, sum_y - n * y_mean)
        yy = self.yy - y_mean * (2 * sum_y - n * y_mean)
        return Moments(
            n,
            (sum_x - n * x_mean) / x_std,
            (sum_y - n * y_mean) / y_std,
            xx / np.outer(x_std, x_std),
            xy / np.outer(x_std, y_std),
            yy / y_std**2,
        )

    def __add__(self, other: Moments) -> Moments:
        mine, theirs = self.__dict__.values(), other.__dict__.values()
        return Moments(*(a + b for a, b in zip(mine, theirs, strict=True)))

    def factorise(self) -> Path:
        """Decompose the centred second moments."""
        mean_x, mean_y = self.x / self.n, self.y / self.n
        values, vectors = np.linalg.eigh(self.xx - self.n * np.outer(mean_x, mean_x))
        # rounding can leave an eigenvalue of a singular matrix slightly below zero
        return Path(
            np.maximum(values, 0.0),
            vectors,
            vectors.T @ (self.xy - self.n * np.outer(mean_x, mean_y)),
            mean_x,
            mean_y,
        )

    def squared_error(self, coef: NDArray[np.float64], intercept: NDArray[np.float64]) -> NDArray[np.float64]:
        """Sum over the rows of (y - x coef - intercept)**2 for each target, (t,)."""
        quadratic = np.einsum("pt,pt->t", coef, self.xx @ coef) - 2 * np.einsum("pt,pt->t", coef, self.xy)
        return self.yy + quadratic + intercept * (self.n * intercept + 2 * (self.x @ coef - self.y))


@dataclass(frozen=True)
class Path:
    """Eigendecomposition from which the solution at any penalty is read."""

    values: NDArray[np.float64]
    vectors: NDArray[np.float64]
    rotated: NDArray[np.float64]
    mean_x: NDArray[np.float64]
    mean_y: NDArray[np.float64]

    def solve(self, alpha: float | NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Coefficients (p, t) and intercepts (t,) at one penalty, or at one penalty a target (t,)."""
        coef = self.vectors @ (self.rotated / (self.values[:, None] + alpha))
        return coef, self.mean_y - self.mean_x @ coef
