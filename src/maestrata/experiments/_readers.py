"""What reads images in experiments on the trained models of the sweep: those models, and the controls.

Everything is read as in the primary reading of the sweep: last layer after its norm, mean-pooled, the whole
image.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from math import isfinite, nan

import numpy as np
from numpy.typing import NDArray

from maestrata.errors import ExperimentError
from maestrata.experiments.base import Job, Table, TrainedCell
from maestrata.geometry import patchify
from maestrata.model.mae import MAE
from maestrata.random import stream
from maestrata.regression.controls import principal_axes
from maestrata.representation.encode import last_layer
from maestrata.worlds.base import World

__all__ = [
    "PLAIN",
    "Reader",
    "cells_of",
    "distinct_arms",
    "mean_with_replicates",
    "model_readers",
    "pixel_readers",
    "primary",
    "root_class",
    "root_direction",
]

PLAIN = "1x1"
"""Label of mask patches of one token, on which the claims about ratios rest."""

_DIRECTION = 0  # index, in the stream "experiment", of the direction that root classes are cut along


@dataclass(frozen=True)
class Reader:
    """Something that turns images into one vector each.

    Attributes
    ----------
    arm : str
        Label of a cell, or ``random_init``, ``pixels`` or ``pca``.
    ratio : float
        Realised masking ratio in training; NaN for a control.
    read : callable
        Images (n, channel, y, x) -> vectors (n, p).
    """

    arm: str
    ratio: float
    read: Callable[[NDArray[np.float32]], NDArray[np.float32]]

    def note_ratio(self, table: Table) -> None:
        """File the ratio as a quantity: in a world of another size one arm is another ratio."""
        if isfinite(self.ratio):
            table.add(self.arm, "mask_ratio", 0, self.ratio)


def primary(model: MAE, images: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the primary reading of images (n, channel, y, x): (n, width)."""
    return last_layer(model, images)


def cells_of(job: Job, patches: str | None = None) -> tuple[TrainedCell, ...]:
    """Return the job's trained models, of some mask patches alone if asked.

    Raises
    ------
    ExperimentError
        If there is none: nothing can then be said about training.
    """
    found = tuple(cell for cell in job.cells if patches in (None, cell.patches.label))
    if not found:
        which = "" if patches is None else f" with mask patches {patches}"
        raise ExperimentError(
            f"world {job.world.name!r}, world seed {job.world.seed}: there are {len(found)} trained models"
            f"{which} among the job's {len(job.cells)} cells; at least 1 is needed"
        )
    return found


def distinct_arms(cells: tuple[TrainedCell, ...]) -> tuple[TrainedCell, ...]:
    """Check that no two cells would be filed under one label."""
    labels = [cell.arm for cell in cells]
    twice = next((label for label in labels if labels.count(label) > 1), None)
    if twice is not None:
        raise ExperimentError(f"two of the job's cells are {twice}; each must be there once")
    return cells


def model_readers(job: Job, patches: str | None = None) -> Iterator[Reader]:
    """Yield the trained models, then the untrained one that they started from; each is loaded in its turn."""
    for cell in distinct_arms(cells_of(job, patches)):
        yield Reader(cell.arm, cell.mask_ratio, partial(primary, cell.model()))
    yield Reader("random_init", nan, partial(primary, job.initial().eval()))


def pixel_readers(job: Job, fit: NDArray[np.float32]) -> Iterator[Reader]:
    """Yield what needs no encoder: the mean pixel token, and principal components of all pixels.

    Parameters
    ----------
    job : Job
    fit : ndarray (n, channel, y, x)
        Images that the components are fitted on, as many components as the encoder is wide.
    """
    side = job.world.token_pixels
    axes = principal_axes(np.asarray(fit, np.float32).reshape(len(fit), -1), job.cfg.width)
    yield Reader("pixels", nan, lambda images: patchify(images, side).mean(1, dtype=np.float32))
    yield Reader("pca", nan, lambda images: images.reshape(len(images), -1) @ axes)


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
    if world.n_symbols is not None:
        return np.asarray(roots)[:, 0, 0].astype(np.int64), world.n_symbols
    return (np.asarray(roots)[:, 0] @ root_direction(world) > 0).astype(np.int64), 2


def mean_with_replicates(
    values: NDArray[np.generic], weights: NDArray[np.float32]
) -> tuple[float, NDArray[np.float64]]:
    """Return the mean of values (n,), and that of each bootstrap replicate (replicates,)."""
    numbers = np.asarray(values, np.float64)
    return float(numbers.mean()), np.asarray(weights @ numbers / weights.sum(1))
