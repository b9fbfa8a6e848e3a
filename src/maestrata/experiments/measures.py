"""Measures that experiments share: whitening, leak, noise that is drawn anew, and classes by the root.

The leak of a representation f into some noise is the share of its variance that this noise makes,

    leak = E |f(x) - f(x')|^2 / (2 tr Cov f),

x' being x with that noise drawn anew and all else kept. Conditionally on what is kept, f(x) and f(x') are
independent and alike, so that it is ``E tr Cov(f | kept) / tr Cov f``: 0 where f is a function of what is
kept, 1 where f is independent of it. It is taken of whitened f, where every direction counts the same; a
representation could otherwise hide what it holds in directions of little variance.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
from numpy.typing import ArrayLike, NDArray

from maestrata.errors import ExperimentError
from maestrata.random import stream
from maestrata.resampling import Estimates
from maestrata.worlds.base import Noise, World

Floats = NDArray[np.float64]
Nodes = Mapping[int, NDArray[np.bool_]]
"""Nodes by level: ``level -> (nodes,)``, True for those meant; a level that is not there has none."""

CONSTANT = 1e-8
"""Directions with less than this share of the largest variance are rounding (float32), and left out."""

_DIRECTION = 0  # index, in the stream "experiment", of the direction that root classes are cut along


class Whitening:
    """The map that takes a sample to mean 0 and covariance I, along its principal axes.

    Parameters
    ----------
    sample : array (n, p)
        At least two rows.

    Attributes
    ----------
    rank : int
        Directions that vary, hence columns of what is whitened.

    Raises
    ------
    ExperimentError
        If the sample is no such array, holds NaN or infinity, or does not vary.
    """

    def __init__(self, sample: ArrayLike) -> None:
        values = np.asarray(sample, np.float64)
        if values.ndim != 2 or len(values) < 2:
            raise ExperimentError(f"a sample of shape {values.shape} must be (n >= 2, p) to be whitened")
        if not np.isfinite(values).all():
            raise ExperimentError("a sample that holds NaN or infinity cannot be whitened")
        self._mean = values.mean(0)
        centred = values - self._mean
        variance, axes = np.linalg.eigh(centred.T @ centred / len(values))
        kept = (variance > CONSTANT * variance[-1]) & (variance > 0)
        if not kept.any():
            raise ExperimentError("a sample that does not vary cannot be whitened")
        self._map = axes[:, kept] / np.sqrt(variance[kept])
        self.rank = int(kept.sum())

    def apply(self, values: ArrayLike) -> Floats:
        """Whiten values (m, p): (m, rank)."""
        whitened: Floats = (np.asarray(values, np.float64) - self._mean) @ self._map
        return whitened


def leak(f: ArrayLike, redrawn: ArrayLike, weights: NDArray[np.float32] | None = None) -> Estimates:
    """Return ``E |f - f'|^2 / (2 tr Cov f)``, then its bootstrap replicates: (1 + replicates,).

    It is 0 to about 1 where the noise drawn anew is independent of what is kept; NaN where f does not vary.

    Parameters
    ----------
    f, redrawn : array (n, p)
        The representation of each image, and of the same image with some noise drawn anew. Both are of one
        distribution, so the variance is taken over both, about their common mean.
    weights : ndarray (replicates, n), optional
        From `maestrata.resampling.bootstrap_weights`: a pair is resampled as one.

    Raises
    ------
    ExperimentError
        If the two are not of one shape (n, p), or do not fit the weights.
    """
    one, two = np.asarray(f, np.float64), np.asarray(redrawn, np.float64)
    if one.ndim != 2 or one.shape != two.shape:
        raise ExperimentError(f"representations of shapes {one.shape}, {two.shape} must be one shape (n, p)")
    counts = np.ones((0, len(one))) if weights is None else np.asarray(weights, np.float64)
    if counts.ndim != 2 or counts.shape[1] != len(one):
        raise ExperimentError(f"bootstrap weights of shape {counts.shape} do not fit {len(one)} pairs")
    mean = (one.mean(0) + two.mean(0)) / 2
    # the common mean of a replicate differs from that of the sample by what `drift` takes off
    apart = np.square(one - two).sum(1)
    spread = (np.square(one - mean).sum(1) + np.square(two - mean).sum(1)) / 2
    middle = (one + two) / 2 - mean

    def ratio(w: Floats) -> Floats:
        n = w.sum(1)
        drift = np.square((w @ middle) / n[:, None]).sum(1)
        with np.errstate(invalid="ignore", divide="ignore"):
            share: Floats = (w @ apart / n) / (2 * (w @ spread / n - drift))
        return share

    return np.concatenate([ratio(np.ones((1, len(one)))), ratio(counts)])


def noise_below(world: World, level: int) -> dict[int, NDArray[np.bool_]]:
    """Return all nodes below a level, those of level 0 (the tokens) included.

    Parameters
    ----------
    world : World
    level : int
        0 (none) to L + 1 (all).

    Raises
    ------
    ExperimentError
        If the level is out of range.
    """
    if isinstance(level, bool) or not 0 <= level <= world.levels + 1:
        raise ExperimentError(f"level={level!r} must be an integer in 0..{world.levels + 1}")
    return {at: np.ones(world.n_nodes[at], bool) for at in world.noise_spec if at < level}


def with_pixel_noise(
    world: World, noise: Noise, change: Callable[[NDArray[np.floating]], NDArray[np.floating]]
) -> Noise:
    """Change the pixels' own noise, (n, tokens, dim), and keep all other.

    It is the noise of level 0, without the columns that lead choices in a tree of symbols.
    """
    changed = noise[0].copy()
    own = slice(changed.shape[-1] - world.token_values if world.discrete else 0, None)
    changed[..., own] = change(changed[..., own])
    return {**noise, 0: changed}


def redraw(world: World, noise: Noise, nodes: Nodes, rng: np.random.Generator) -> Noise:
    """Draw the noise of some nodes anew and keep that of all others.

    Parameters
    ----------
    world : World
    noise : dict of arrays (n, nodes, dim)
        NumPy, of every level.
    nodes : mapping
        ``level -> (nodes,)`` or ``(n, nodes)``, True where noise is drawn anew. Draws are made for all nodes,
        so two calls with equal generators give a node the same noise, whichever others are drawn anew.
    rng : numpy.random.Generator

    Returns
    -------
    dict of arrays (n, nodes, dim)
        For `World.generate`.

    Raises
    ------
    ExperimentError
        If a level does not exist or its nodes do not fit.
    """
    n = len(next(iter(noise.values())))
    fresh = world.draw(n, rng)
    changed = dict(noise)
    for level, chosen in nodes.items():
        if level not in noise or np.asarray(chosen).shape not in (
            (world.n_nodes[level],),
            (n, world.n_nodes[level]),
        ):
            raise ExperimentError(
                f"noise of level {level!r}: nodes of shape {np.shape(chosen)} must be one of the levels "
                f"{sorted(noise)}, with shape (nodes,) or ({n}, nodes)"
            )
        where = np.asarray(chosen, bool)[..., None]
        changed[level] = np.where(where, fresh[level], noise[level])
    return changed


def root_direction(world: World) -> NDArray[np.float64]:
    """Draw the direction (unit vector of the root's dimension) along which a continuous world has classes."""
    direction = stream(world.seed, "experiment", _DIRECTION).standard_normal(world.dims[world.levels])
    return np.asarray(direction / np.linalg.norm(direction))


def root_class(world: World, roots: NDArray[np.generic]) -> tuple[NDArray[np.int64], int]:
    """Return the class of each image by its root, and how many classes there are.

    Parameters
    ----------
    world : World
    roots : array (n, 1, dim)
        Latents of the highest level.

    Returns
    -------
    labels : ndarray (n,) of int
        The root's symbol; in a continuous world the side (0 or 1) of a fixed random plane through 0 on which
        the root, N(0, I), lies: two classes of equal probability.
    classes : int
    """
    if world.discrete:
        return np.asarray(roots)[:, 0, 0].astype(np.int64), world.n_symbols[world.levels]
    return (np.asarray(roots)[:, 0] @ root_direction(world) > 0).astype(np.int64), 2
