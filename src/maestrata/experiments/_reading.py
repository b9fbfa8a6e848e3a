"""The primary reading, as experiments need it: one vector an image, ridge, the latents of every level.

The same as in `maestrata.regression`: last encoder layer after its norm, mean of the patch tokens, whole
image; penalty chosen per target on held-out training images; R2 on test images, averaged over dimensions and
nodes; replicates from the world's own bootstrap weights, so that differences of readings of one world are
paired.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from maestrata.errors import ExperimentError
from maestrata.experiments.base import Job, Table
from maestrata.model.mae import MAE
from maestrata.regression.data import ProbeData
from maestrata.regression.probes.ridge import Probe
from maestrata.representation.encode import last_layer
from maestrata.resampling import R2
from maestrata.worlds.base import World

__all__ = [
    "Reading",
    "add_readings",
    "average",
    "differences",
    "draw",
    "pixels",
    "pooled",
    "read_levels",
    "read_values",
]


class Reading(NamedTuple):
    """R2 of a level, and its bootstrap replicates (replicates,)."""

    r2: float
    replicates: NDArray[np.float64]


def draw(job: Job, world: World | None = None) -> ProbeData:
    """Draw what everything in a job is scored on.

    Parameters
    ----------
    job : Job
    world : World, optional
        In place of the job's own.
    """
    return ProbeData.draw(world or job.world, job.probe_train, job.test, job.replicates)


def pooled(model: MAE, images: NDArray[np.float32], pooling: str = "global") -> NDArray[np.float32]:
    """Pooled last layer, after its norm, of whole images (n, channel, y, x): (n, width) if ``global``."""
    return last_layer(model, images, pooling)


def pixels(evaluation: ProbeData) -> NDArray[np.float32]:
    """All pixels of the evaluation's images, (n, values)."""
    return evaluation.images.reshape(len(evaluation.images), -1)


def read_levels(
    source: MAE | NDArray[np.float32],
    job: Job,
    evaluation: ProbeData | None = None,
    pooling: str = "global",
) -> dict[int, Reading]:
    """Read the latents of every level by ridge.

    Parameters
    ----------
    source : MAE, or ndarray (probe_train + test, p)
        A model, or features of the evaluation's images, training images first.
    job : Job
    evaluation : ProbeData, optional
        From `draw`; give it where several sources are read.
    pooling : {"global", "concat"}
        Of a model's tokens.

    Returns
    -------
    dict of int to Reading
        For levels 1 to L: R2 averaged over dimensions, then nodes.

    Raises
    ------
    ExperimentError
        If there are not as many rows of features as images.
    """
    found = evaluation or draw(job)
    features = pooled(source, found.images, pooling) if isinstance(source, MAE) else source
    if len(features) != len(found.images):
        raise ExperimentError(f"{len(features)} rows of features must be {len(found.images)}, one an image")
    start = found.n_train
    prediction = Probe().fit(features[:start], found.train.values).predict(features[start:])
    return {
        level: Reading(score.r2, score.boot.astype(np.float64))
        for (kind, level), score in found.scorer.score(prediction).items()
        if kind == "latent"
    }


def read_values(
    features: NDArray[np.float32], fitted: ArrayLike, scored: ArrayLike, evaluation: ProbeData
) -> Reading:
    """Read any values by ridge, such as a function of the latents.

    Parameters
    ----------
    features : ndarray (n_train + n_test, p)
        Of the evaluation's images.
    fitted, scored : array (n_train, t), (n_test, t)
        Values of the training and of the test images.
    evaluation : ProbeData

    Returns
    -------
    Reading
        R2 averaged over the t columns.
    """
    train, test = np.asarray(fitted, np.float32), np.asarray(scored, np.float32)
    start = len(train)
    prediction = Probe().fit(features[:start], train).predict(features[start:])
    r2, replicates = R2(test, evaluation.scorer.weights).of(prediction)
    return Reading(float(r2.mean()), replicates.mean(1))


def differences(one: Mapping[int, Reading], other: Mapping[int, Reading]) -> dict[int, Reading]:
    """Readings of every level less others, replicate by replicate."""
    return {
        level: Reading(found.r2 - other[level].r2, found.replicates - other[level].replicates)
        for level, found in one.items()
    }


def average(readings: Iterable[Reading]) -> Reading:
    """Mean of readings, replicate by replicate."""
    every = list(readings)
    return Reading(
        float(np.mean([one.r2 for one in every])), np.mean([one.replicates for one in every], axis=0)
    )


def add_readings(
    table: Table, arm: str, readings: Mapping[int, Reading], n: int, quantity: str = "r2"
) -> None:
    """Add the R2 of every level to a table, with their bootstrap intervals over `n` test images."""
    for level, reading in readings.items():
        table.add_replicates(arm, quantity, level, reading.r2, reading.replicates, n)
