"""Grids and operators for belief propagation on a tree of 2-dimensional nodes with additive Gaussian noise.

A node's grid lies in the frame of the map that made it (B of the world), in which its distribution has
straight edges. A message to the parent is ``m(u) = integral l(c) N(c; F(u), sigma^2) dc``, F = rho f: the
child's evidence l blurred by sigma, at F(u). The blur is two matrix products, one for each axis; its value at
F(u) takes a sparse matrix, cubic B-splines whose prefilter is folded into the blur. The message to the child
is the transpose of both.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import solve_banded
from scipy.sparse import csr_array

from maestrata.errors import InferenceError

Array = NDArray[np.float64]
Float32 = NDArray[np.float32]
MAX_POINTS = 1 << 19
TINY = 1e-30
"""Numbers nearer to 0 are set to 0 where they are made. Next to a largest value of 1 they add nothing, and
some processors are ten times slower where a product or its result lies below 1e-38 (denormal in float32)."""
LIFT = np.float32(2.0**100)
"""Evidence is lifted by this, exactly, before it is multiplied: 1e-30 times 1e-30 would be denormal."""


@dataclass(frozen=True)
class NodeGrid:
    """A rectangular grid of values of one node.

    Attributes
    ----------
    frame : array (2, 2)
        Orthogonal; a point with grid coordinates y is the node's value ``frame @ y``.
    low : array (2,)
        Coordinates of the first point.
    shape : (int, int)
    step : float
    """

    frame: Array
    low: Array
    shape: tuple[int, int]
    step: float

    @classmethod
    def cover(cls, frame: Array, low: Array, high: Array, step: float) -> NodeGrid:
        """Cover the box from `low` to `high` (in grid coordinates) at `step`."""
        shape = tuple(int(k) for k in np.ceil((high - low) / step) + 1)
        if shape[0] * shape[1] > MAX_POINTS:
            raise InferenceError(
                f"a grid of {shape[0]}x{shape[1]} points for one node is more than {MAX_POINTS}: the "
                "noise of this world is too narrow for inference on a grid (rho nearer to 0 is wider)"
            )
        return cls(frame, low, (shape[0], shape[1]), step)

    @property
    def size(self) -> int:
        """Number of points."""
        return self.shape[0] * self.shape[1]

    @property
    def axes(self) -> tuple[Array, Array]:
        """Coordinates along the two axes."""
        first, second = (low + self.step * np.arange(k) for low, k in zip(self.low, self.shape, strict=True))
        return first, second

    @property
    def points(self) -> Array:
        """Values of the node, (size, 2); not kept, since only the making of operators asks for them."""
        first, second = np.meshgrid(*self.axes, indexing="ij")
        points: Array = np.stack([first.ravel(), second.ravel()], -1) @ self.frame.T
        return points

    def rim(self, width: float) -> NDArray[np.bool_]:
        """Points within `width` of an edge, (size,)."""
        inner = [(y >= y[0] + width) & (y <= y[-1] - width) for y in self.axes]
        return ~(inner[0][:, None] & inner[1][None, :]).ravel()


class Edge:
    """The two messages along an edge.

    Parameters
    ----------
    parent, child : NodeGrid
    centers : array (parent.size, 2)
        Mean F(u) of the child at each point of the parent's grid.
    sigma : float
        Standard deviation of the child's own noise.
    """

    def __init__(self, parent: NodeGrid, child: NodeGrid, centers: Array, sigma: float) -> None:
        self._parent, self._child = parent, child
        self._first, self._second = (_blur(y, sigma) for y in child.axes)
        self._read = _read_off((centers @ child.frame - child.low) / child.step, child.shape)

    def up(self, evidence: Float32) -> Float32:
        """Message to the parent, (parent.size, n), from the child's evidence (child.size, n)."""
        blurred = _apply(self._first, self._second, LIFT * evidence, self._child.shape)
        return normalise(product(self._read, blurred))

    def down(self, cavity: Float32) -> Float32:
        """Message to the child, (child.size, n), from the parent without this child (parent.size, n)."""
        spread = product(self._read.T, LIFT * cavity)
        return normalise(_apply(self._first.T, self._second.T, spread, self._child.shape))


def normalise(message: Float32) -> Float32:
    """Clip the splines' undershoot at 0 and scale to a largest value of 1, in place; all 0 stays all 0."""
    np.maximum(message, 0, out=message)
    message /= np.maximum(message.max(0), np.finfo(np.float32).tiny)
    return flush(message)


def combine(one: Float32, other: Float32) -> Float32:
    """Multiply two messages, value by value."""
    return normalise(LIFT * one * other)


def flush(values: Float32, tiny: float = TINY) -> Float32:
    """Set what is nearer to 0 than `tiny` to 0, in place."""
    values[np.abs(values) < tiny] = 0
    return values


def product(left: Any, lifted: Float32) -> Float32:
    """Multiply lifted evidence by a matrix, dense or sparse; the result is lifted as well."""
    return flush(left @ lifted, float(LIFT) * TINY)


def _apply(first: Float32, second: Float32, values: Float32, shape: tuple[int, int]) -> Float32:
    n = values.shape[1]
    along_first = product(first, values.reshape(shape[0], shape[1] * n))
    return product(second, along_first.reshape(shape[0], shape[1], n)).reshape(-1, n)


def _blur(y: Array, sigma: float) -> Float32:
    """Gaussian blur along one axis, as the spline coefficients of the blurred function: (points, points)."""
    kernel = np.exp(-0.5 * np.square((y[:, None] - y[None, :]) / sigma))
    bands = np.tile(np.array([[1 / 6], [4 / 6], [1 / 6]]), len(y))  # B-spline values at the grid points
    return flush(np.ascontiguousarray(solve_banded((1, 1), bands, kernel), dtype=np.float32))


def _read_off(where: Array, shape: tuple[int, int]) -> csr_array:
    """Cubic B-spline basis at fractional grid positions (points, 2): a sparse matrix (points, grid size)."""
    cell = np.floor(where).astype(np.int64)
    bases = [_spline(where[:, axis] - cell[:, axis]) for axis in (0, 1)]
    rows, columns, values = [], [], []
    for i in range(4):
        for j in range(4):
            a, b = cell[:, 0] + i - 1, cell[:, 1] + j - 1
            inside = (a >= 0) & (a < shape[0]) & (b >= 0) & (b < shape[1])
            rows.append(np.flatnonzero(inside))
            columns.append((a * shape[1] + b)[inside])
            values.append((bases[0][i] * bases[1][j])[inside])
    matrix = csr_array(
        (flush(np.concatenate(values).astype(np.float32)), (np.concatenate(rows), np.concatenate(columns))),
        shape=(len(where), shape[0] * shape[1]),
    )
    matrix.sort_indices()
    # scipy takes 64 bits an index; no grid has more than MAX_POINTS points
    matrix.indices, matrix.indptr = matrix.indices.astype(np.int32), matrix.indptr.astype(np.int32)
    return matrix


def _spline(t: Array) -> tuple[Array, Array, Array, Array]:
    """Values of the four cubic B-splines at offset t in [0, 1) within a cell."""
    s = 1 - t
    return s**3 / 6, (3 * t**3 - 6 * t**2 + 4) / 6, (3 * s**3 - 6 * s**2 + 4) / 6, t**3 / 6
