"""Attentive probe: one learned query attends over the tokens under a node; ridge predicts from what it sees.

What it sees is ``z = sum_k softmax_k(q . x_k) x_k``. For a given query the best linear map of z has a closed
form, so that the query alone is searched for, by L-BFGS from ``q = 0``, where z is the mean of the tokens.
The gradient of the loss at the best map is that with the map held fixed (variable projection). Nothing is
drawn at random.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import solve
from scipy.optimize import minimize

from maestrata.errors import ProbeError
from maestrata.regression.checks import check_finite, check_rows
from maestrata.regression.probes import ridge
from maestrata.settings import check, setting
from maestrata.standardise import Standard

Vectors = NDArray[np.float32]

PENALTY = 1e-3  # on the linear map while the query is searched for, a share of the rows


@dataclass(eq=False)
class Probe:
    """Attentive probe with one query, shared by all targets it is fitted to.

    Attributes
    ----------
    steps : int
        Steps of L-BFGS.
    query_ : ndarray (p,)
        On standardised tokens.

    Raises
    ------
    ProbeError
        If a setting is out of range.
    """

    last_layer_only: ClassVar[bool] = True
    poolings: ClassVar[tuple[str, ...]] = ("tokens",)
    eval_ratios: ClassVar[tuple[str, ...] | None] = ("0",)

    steps: int = setting(30, "steps of L-BFGS that the query takes", least=1, most=10_000)
    query_: NDArray[np.float64] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        check(self, ProbeError, "attentive: ")

    def fit(self, x: Vectors, y: Vectors) -> Probe:
        """Fit tokens (n, k, p) to targets (n, t); features (n, p) are one token an image.

        Raises
        ------
        ProbeError
            If the rows are too few, or hold NaN.
        """
        n, p = len(x), x.shape[-1]
        check_rows(x.reshape(n, -1), y, "attentive")
        self._x, standard = Standard.of(x.reshape(-1, p)), Standard.of(y)
        check_finite("attentive", self._x, standard)
        tokens, targets = self._tokens(x), standard.apply(y).astype(np.float32)
        self.query_ = np.zeros(p)
        if tokens.shape[1] > 1:  # of a single token there is nothing to choose
            options = {"maxiter": self.steps}
            arguments = (tokens, targets)
            self.query_ = minimize(_loss, self.query_, arguments, "L-BFGS-B", jac=True, options=options).x
        self._ridge = ridge.Probe().fit(_seen(tokens, self.query_)[1], y)
        return self

    def predict(self, x: Vectors) -> Vectors:
        """Predict targets (m, t) from tokens (m, k, p)."""
        return self._ridge.predict(_seen(self._tokens(x), self.query_)[1])

    def _tokens(self, x: Vectors) -> Vectors:
        """Standardise tokens, over images and positions alike: (n, k, p)."""
        return self._x.apply(x).astype(np.float32).reshape(len(x), -1, x.shape[-1])


def _seen(tokens: Vectors, query: NDArray[np.float64]) -> tuple[Vectors, Vectors]:
    """Attention (n, k) of a query to tokens (n, k, p), and what it sees: (n, p)."""
    logits = tokens @ query.astype(np.float32)
    logits -= logits.max(1, keepdims=True)
    attention = np.exp(logits)
    attention /= attention.sum(1, keepdims=True)
    return attention, (attention[:, None] @ tokens)[:, 0]


def _loss(query: NDArray[np.float64], tokens: Vectors, targets: Vectors) -> tuple[float, NDArray[np.float64]]:
    """Mean squared error of the best linear map of what the query sees, and its gradient (p,)."""
    attention, seen = _seen(tokens, query)
    seen = seen - seen.mean(0)
    n, p = seen.shape
    square = (seen.T @ seen).astype(np.float64)
    linear = solve(square + n * PENALTY * np.eye(p), seen.T @ targets, assume_a="pos").astype(np.float32)
    left = targets - seen @ linear
    scale = 1 / left.size
    squares = [np.square(part).sum(dtype=np.float64) for part in (left, linear)]
    loss = scale * (squares[0] + n * PENALTY * squares[1])
    by_token = (tokens @ (left @ linear.T)[..., None])[..., 0] * np.float32(-2 * scale)
    by_logit = attention * (by_token - (attention * by_token).sum(1, keepdims=True))
    return float(loss), (by_logit.reshape(-1) @ tokens.reshape(-1, p)).astype(np.float64)
