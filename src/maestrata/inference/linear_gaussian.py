"""Any linear-Gaussian DAG in closed form: joint covariance, conditioning, information.

Every node is ``z_i = sum_p W_pi z_p + e_i``, ``e_i ~ N(0, N_i)``, centred. The joint covariance follows
node by node, and a posterior is ``S_zx S_xx^-1 x``. Dense: meant for up to some thousand dimensions.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from maestrata.errors import InferenceError
from maestrata.graphs import LatentGraph

Array = NDArray[np.float64]


class GaussianModel:
    """Centred jointly Gaussian vectors with names.

    Parameters
    ----------
    dims : mapping from name to int
        Dimension of each vector, in the order of the covariance.
    covariance : array (D, D)
        Joint covariance, D the sum of the dimensions.

    Raises
    ------
    InferenceError
        If the covariance does not fit the dimensions or is not symmetric.
    """

    def __init__(self, dims: Mapping[Any, int], covariance: ArrayLike) -> None:
        self.covariance: Array = np.asarray(covariance, dtype=np.float64)
        self.slices = _slices(dims)
        total = sum(dims.values())
        if self.covariance.shape != (total, total):
            raise InferenceError(f"covariance of shape {self.covariance.shape} must be ({total}, {total})")
        if not np.allclose(self.covariance, self.covariance.T, atol=1e-10 * np.abs(self.covariance).max()):
            raise InferenceError("covariance must be symmetric")

    @classmethod
    def from_dag(
        cls, graph: LatentGraph, weights: Mapping[tuple[Any, Any], ArrayLike], noise: Mapping[Any, ArrayLike]
    ) -> GaussianModel:
        """Build the joint of ``z_i = sum_p W_pi z_p + e_i``.

        Parameters
        ----------
        graph : LatentGraph
        weights : mapping
            Edge (parent, child) -> matrix (dim child, dim parent).
        noise : mapping
            Node -> covariance (dim, dim) of its own noise; for a root, its covariance.
        """
        dims = {node: graph.dims[node] for node in graph.nodes}
        at = _slices(dims)
        cov = np.zeros((sum(dims.values()),) * 2)
        for node in graph.nodes:  # parents come before children
            me, done = at[node], slice(0, at[node].start)
            own = np.asarray(noise[node], dtype=np.float64)
            if own.shape != (dims[node],) * 2:
                raise InferenceError(f"noise[{node!r}] of shape {own.shape} must be {(dims[node],) * 2}")
            maps = {p: np.asarray(weights[p, node], dtype=np.float64) for p in graph.parents(node)}
            for parent, w in maps.items():
                expected = (dims[node], dims[parent])
                if w.shape != expected:
                    raise InferenceError(
                        f"weights[{parent!r}, {node!r}] of shape {w.shape} must be {expected}"
                    )
                cov[me, done] += w @ cov[at[parent], done]
            cov[done, me] = cov[me, done].T
            cov[me, me] = own + sum(w @ cov[at[parent], me] for parent, w in maps.items())
        return cls(dims, cov)

    def index(self, names: Iterable[Any]) -> NDArray[np.int64]:
        """Positions of the named vectors in the covariance, in the order given."""
        parts: list[NDArray[np.int64]] = [np.zeros(0, np.int64)]
        for name in names:
            if name not in self.slices:
                raise InferenceError(
                    f"{name!r} is not among the {len(self.slices)} variables of this Gaussian model"
                )
            parts.append(np.arange(self.slices[name].start, self.slices[name].stop))
        return np.concatenate(parts)

    def condition(self, given: Sequence[Any], wanted: Sequence[Any]) -> tuple[Array, Array]:
        """Return the matrix W and covariance C of ``wanted | given ~ N(W given, C)``."""
        x, z = self.index(given), self.index(wanted)
        if not len(x):
            return np.zeros((len(z), 0)), self.covariance[np.ix_(z, z)]
        cross = self.covariance[np.ix_(x, z)]
        gain = np.asarray(np.linalg.lstsq(self.covariance[np.ix_(x, x)], cross, rcond=1e-13)[0].T, np.float64)
        cov = self.covariance[np.ix_(z, z)] - gain @ cross
        return gain, (cov + cov.T) / 2

    def posterior(
        self, names: Sequence[Any], values: ArrayLike, visible: ArrayLike, wanted: Sequence[Any]
    ) -> tuple[Array, Array]:
        """Posterior of `wanted` for images of which each may see other variables.

        Parameters
        ----------
        names : sequence
            The observables, of one dimension d each.
        values : array (n, len(names), d)
        visible : bool array (n, len(names))
        wanted : sequence

        Returns
        -------
        mean : array (n, D), covariance : array (n, D, D)
            D the dimensions of `wanted` together. Images are grouped by distinct mask.
        """
        values, visible = np.asarray(values, dtype=np.float64), np.asarray(visible)
        width = len(self.index(wanted))
        mean, cov = np.zeros((len(values), width)), np.zeros((len(values), width, width))
        masks, group = np.unique(visible, axis=0, return_inverse=True)
        for k, mask in enumerate(masks):
            rows = np.flatnonzero(group.ravel() == k)
            gain, spread = self.condition(
                [name for name, shown in zip(names, mask, strict=True) if shown], wanted
            )
            mean[rows] = values[rows][:, mask].reshape(len(rows), -1) @ gain.T
            cov[rows] = spread
        return mean, cov

    def mutual_information(self, a: Sequence[Any], b: Sequence[Any], given: Sequence[Any] = ()) -> float:
        """Return the conditional mutual information I(a; b | given) in nats, from log-determinants.

        ``(log|S_aa.g| + log|S_bb.g| - log|S_ab,ab.g|) / 2`` with S conditional on `given`; infinite where a
        direction of `a` is a function of `b`.
        """
        _, cov = self.condition(given, [*a, *b])
        k = len(self.index(a))
        logs = [_log_det(part) for part in (cov[:k, :k], cov[k:, k:], cov)]
        return max(0.0, (logs[0] + logs[1] - logs[2]) / 2)


def _slices(dims: Mapping[Any, int]) -> dict[Any, slice]:
    ends = np.cumsum([0, *dims.values()]).tolist()
    return {name: slice(a, b) for name, (a, b) in zip(dims, pairwise(ends), strict=True)}


def _log_det(matrix: Array) -> float:
    sign, value = np.linalg.slogdet(matrix)
    return float(value) if sign > 0 else -np.inf
