"""Factors of every block of tokens: what its two halves share.

They are the leading canonical variates between the features of one half and those of the other. A half's
features are its own variates' halves and their products, so that a factor which only two parts together tell,
as in a grammar, is seen too.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from maestrata.worlds.latent_tree import Tree

Floats = NDArray[np.float64]
T = TypeVar("T", bound=np.floating)

MOST = 8
"""Canonical variates of a half; fewer where images are few, since their products are regressed on."""
IMAGES_A_PRODUCT = 64
SMALLEST = 1e-6  # deviation of what varies
RIDGE = 1e-3  # of unit variances: two halves may hold the same numbers twice


@dataclass(frozen=True)
class Factors:
    """What the halves of every block share.

    Attributes
    ----------
    variates : list of float arrays (n, k)
        Of every block of the tree but the root: its side of the factor of its parent, unit variance. Where
        images have labels, then of the root, and of the labels themselves, as two halves of one more block.
    strength : list of float arrays (k,)
        Of every block: squared canonical correlations of its variates with its sibling's, on images that they
        were not fitted to, 0 where chance gives as much.
    """

    variates: list[Floats]
    strength: list[Floats]


def find_factors(tree: Tree, features: list[Floats], fitted: int, labels: Floats | None = None) -> Factors:
    """Find the factors of a tree from the leaves up.

    Parameters
    ----------
    tree : Tree
    features : list of float arrays (n, d)
        Of each token.
    fitted : int
        Images, the first ones, that the variates are fitted to. Their strength is measured on the others.
    labels : float array (n, classes), optional
        One-hot.
    """
    pairs = [block.halves for _, block in tree.inner()]
    root = len(tree.blocks) - 1
    raw = dict(enumerate(standard(x, fitted) for x in features))
    if labels is not None:
        raw[root + 1] = standard(labels, fitted)
        pairs.append((root, root + 1))
    variates: dict[int, Floats] = {}
    strength: dict[int, Floats] = {}
    for place, halves in enumerate(pairs, len(features)):
        assert halves is not None
        one, other = halves
        left, right, squared = canonical(raw[one], raw[other], fitted)
        variates |= {one: left, other: right}
        strength |= {one: squared, other: squared}
        if place <= root:
            raw[place] = standard(with_products(left, right), fitted)
    return Factors([variates[i] for i in range(len(variates))], [strength[i] for i in range(len(strength))])


def canonical(x: Floats, y: Floats, fitted: int) -> tuple[Floats, Floats, Floats]:
    """Return the canonical variates of two sets of standardised features, and their squared correlations.

    Parameters
    ----------
    x, y : float arrays (n, p) and (n, q)
    fitted : int
        Rows, the first ones, that they are fitted to.

    Returns
    -------
    u, v : float arrays (n, k)
        k is at most `MOST`, p and q; fewer where images are few. Unit variance.
    squared : float array (k,)
        Squared correlations of the rows that were not fitted, without what chance gives.
    """
    fit = slice(0, fitted)
    rx, ry = _root(x[fit]), _root(y[fit])
    a, _, bt = np.linalg.svd(rx @ (x[fit].T @ y[fit] / fitted) @ ry, full_matrices=False)
    most = int(np.clip(np.sqrt(fitted / IMAGES_A_PRODUCT), 2, MOST))
    u, v = x @ (rx @ a[:, :most]), y @ (ry @ bt[:most].T)
    # of features that repeat one another some variates are rounding
    both = (u[fit].std(0) > SMALLEST) & (v[fit].std(0) > SMALLEST)
    u, v = standard(u[:, both], fitted), standard(v[:, both], fitted)
    rest = slice(fitted, None)
    n = len(x) - fitted
    correlation = np.mean(u[rest] * v[rest], 0)
    return u, v, np.maximum(np.square(correlation) - 1 / n, 0) * (correlation > 0)


def with_products(one: NDArray[T], other: NDArray[T]) -> NDArray[T]:
    """Put features (n, p) and (n, q) side by side, and the products of one with the other behind them."""
    products = (one[:, :, None] * other[:, None, :]).reshape(len(one), -1)
    return np.concatenate([one, other, products], 1)


def standard(x: Floats, fitted: int) -> Floats:
    """Centre and scale features (n, p) by the first `fitted` rows; drop those that do not vary there."""
    mean, deviation = x[:fitted].mean(0), x[:fitted].std(0)
    varies = deviation > SMALLEST
    return (x[:, varies] - mean[varies]) / deviation[varies]


def _root(x: Floats) -> Floats:
    """Inverse square root of the covariance of features (n, p), a little shrunk."""
    values, vectors = np.linalg.eigh(x.T @ x / len(x))
    root: Floats = vectors / np.sqrt(np.maximum(values, 0) + RIDGE) @ vectors.T
    return root
