"""The primary features of models and controls in experiments, and how they are scored.

As in the sweep: last encoder layer after its norm, mean of the tokens under the node, whole image; ridge, its
penalty chosen per target on held-out training images; R2 on test images, averaged over dimensions and nodes,
with replicates from the world's own bootstrap weights, so that differences of scores of one world are paired.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from math import nan
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from maestrata.errors import ExperimentError
from maestrata.experiments.base import Job, Table, TrainedCell
from maestrata.geometry import patchify
from maestrata.masks import MaskPatches, realised_ratio
from maestrata.model.mae import MAE
from maestrata.regression.controls import principal_axes
from maestrata.regression.data import ProbeData
from maestrata.regression.encoders import of_model
from maestrata.regression.evaluate import Evaluator
from maestrata.regression.probes.ridge import Probe
from maestrata.regression.settings import Evaluation
from maestrata.representation.encode import last_layer
from maestrata.resampling import R2, Estimates
from maestrata.scoring import Scores
from maestrata.training.progress import Explainable

PLAIN = "1x1"
"""Label of mask patches of one token, on which the claims about ratios rest."""

Float32 = NDArray[np.float32]


def cells_of(job: Job, patches: str | None = None) -> tuple[TrainedCell, ...]:
    """Return the job's trained models, of some mask patches alone if asked.

    Raises
    ------
    ExperimentError
        If there is none: nothing can then be said about training. If one is there twice.
    """
    cells = tuple(cell for cell in job.cells if patches in (None, cell.patches.label))
    if not cells:
        which = "" if patches is None else f" with mask patches {patches}"
        raise ExperimentError(
            f"world {job.world.name!r}, world seed {job.world.seed}: there are 0 trained models{which} among "
            f"the job's {len(job.cells)} cells; at least 1 is needed"
        )
    labels = [(cell.arm, cell.seed) for cell in cells]
    twice = next((arm for arm, seed in labels if labels.count((arm, seed)) > 1), None)
    if twice is not None:
        raise ExperimentError(f"two of the job's cells are {twice}; each must be there once")
    return cells


def models(
    job: Job, table: Table, patches: str | None = None
) -> Iterator[tuple[str, MAE, TrainedCell | None]]:
    """Yield arm, model and cell of each trained model, loaded when it is its turn, then the untrained one.

    Parameters
    ----------
    job : Job
    table : Table
        The realised masking ratio of each trained model is added to it as the quantity ``mask_ratio``: in a
        world of another size one arm is another ratio.
    patches : str, optional
        The trained models of these mask patches alone.

    Yields
    ------
    arm : str
        Label of the cell, or ``random_init``.
    model : MAE
        In evaluation mode.
    cell : TrainedCell, or None
    """
    for cell in cells_of(job, patches):
        table.add(cell.arm, "mask_ratio", 0, cell.mask_ratio)
        yield cell.arm, cell.model(), cell
    yield "random_init", job.initial().eval(), None


def encoders(
    job: Job, table: Table, patches: str | None = None, fit: Float32 | None = None
) -> Iterator[tuple[str, Callable[[Float32], Float32]]]:
    """Yield arms and what gives their features: all of `models`, and pixels if asked for.

    Parameters
    ----------
    job, table, patches
        As of `models`.
    fit : ndarray (n, channel, y, x), optional
        Images on which principal components are fitted, as many as the encoder is wide. Without them the
        controls ``pixels`` (the mean pixel token) and ``pca`` are left out.

    Yields
    ------
    arm : str
    encode : callable
        Images (n, channel, y, x) -> features (n, p).
    """
    for arm, model, _ in models(job, table, patches):
        yield arm, partial(last_layer, model)
    if fit is not None:
        side = job.world.token_pixels
        axes = principal_axes(np.asarray(fit, np.float32).reshape(len(fit), -1), job.cfg.width)
        yield "pixels", lambda images: patchify(images, side).mean(1, dtype=np.float32)
        yield "pca", lambda images: images.reshape(len(images), -1) @ axes


def pixels(data: ProbeData) -> Float32:
    """All pixels of the images, (n, values)."""
    return data.images.reshape(len(data.images), -1)


def score_levels(features: Float32, data: ProbeData) -> Estimates:
    """Score the latents of every level, predicted by ridge.

    Parameters
    ----------
    features : ndarray (probe_train + test, p)
        Of the images of `data`, training images first.
    data : ProbeData

    Returns
    -------
    ndarray (levels, 1 + replicates)
        From level 1 up: R2 averaged over dimensions, then nodes.

    Raises
    ------
    ExperimentError
        If there are not as many rows of features as images.
    """
    if len(features) != len(data.images):
        raise ExperimentError(f"{len(features)} rows of features must be {len(data.images)}, one an image")
    start = data.n_train
    prediction = Probe().fit(features[:start], data.train.values).predict(features[start:])
    return _latents(data.scorer.score(prediction))


def score_model(model: MAE, data: ProbeData, pooling: str = "aligned") -> Estimates:
    """Score the latents of every level from a model's last layer: by default from the primary features.

    Parameters
    ----------
    model : MAE
    data : ProbeData
    pooling : str
        As in the sweep: ``concat`` is reduced without labels.

    Returns
    -------
    ndarray (levels, 1 + replicates)
        See `score_levels`.
    """
    whole = data.common_masks(0)
    ((_, _, features),) = of_model(model, data.images, brief=True)(whole, (pooling,))
    scores = Evaluator(data, Evaluation()).scores(features, pooling, whole, ("ridge",))
    return _latents(scores["ridge"][0])


def _latents(scores: Scores) -> Estimates:
    by_level = [score for (kind, _), score in sorted(scores.items()) if kind == "latent"]
    return np.stack([np.append(score.r2, score.boot) for score in by_level])


def explainable(job: Job, visible: int, patches: MaskPatches | None = None) -> Explainable:
    """Return what the progress of models that are trained with these masks is measured against."""
    return Explainable.of(job.world, patches or MaskPatches(job.grid), visible, job.test, job.replicates)


def trained(
    job: Job,
    table: Table,
    arm: str,
    held: Explainable,
    visible: int,
    patches: MaskPatches | None = None,
    **training: Any,
) -> MAE:
    """Train a model; add its ``progress`` (none of one that predicts normalised pixels) and ``mask_ratio``.

    Parameters
    ----------
    job : Job
    table : Table
    arm : str
    held : Explainable
        Of these masks, from `explainable`.
    visible, patches, **training
        As of `Job.train`.
    """
    model, _ = job.train(arm, visible, patches, **training)
    share = nan if job.cfg.norm_pixels else held.progress(model).share
    table.add(arm, "progress", 0, share, len(held.tokens))
    table.add(arm, "mask_ratio", 0, realised_ratio((patches or MaskPatches(job.grid)).n_patches, visible))
    return model


def train_and_score(
    job: Job, table: Table, arm: str, held: Explainable, visible: int, *args: Any, **training: Any
) -> Estimates:
    """Train as `trained` does; add the ``r2`` of every level by the primary features, and return it."""
    scores = score_model(trained(job, table, arm, held, visible, *args, **training), job.data)
    table.add_levels(arm, "r2", scores, job.test)
    return scores


def score_values(features: Float32, fitted: ArrayLike, scored: ArrayLike, data: ProbeData) -> Estimates:
    """Score any values, such as a function of the latents, predicted by ridge.

    Parameters
    ----------
    features : ndarray (n_train + n_test, p)
        Of the images of `data`.
    fitted, scored : array (n_train, t), (n_test, t)
        Values of the training and of the test images.
    data : ProbeData

    Returns
    -------
    ndarray (1 + replicates,)
        R2 averaged over the t columns.
    """
    train, test = np.asarray(fitted, np.float32), np.asarray(scored, np.float64)
    prediction = Probe().fit(features[: len(train)], train).predict(features[len(train) :])
    return r2_estimates(test, prediction, data.scorer.weights).mean(1)


def r2_estimates(truth: NDArray[np.float64], prediction: Float32, weights: Float32) -> Estimates:
    """Return the R2 of every column of predictions (n, t), and its replicates below: (1 + replicates, t)."""
    return np.vstack(R2(truth, weights).of(prediction))
