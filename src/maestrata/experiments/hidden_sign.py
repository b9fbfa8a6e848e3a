"""A latent that the conditional mean cannot see: mean squared error against a likelihood, on one encoder.

In the world `sign_hidden` a token is its pattern or minus its pattern, at random, so that the mean of a
masked token is 0 whatever is visible: a decoder trained by the mean squared error has nothing to learn there.
The likelihood of a masked token rewards knowing its symbol.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from maestrata.experiments._features import score_model
from maestrata.experiments._mixture import MixtureMAE
from maestrata.experiments.base import Job, Table
from maestrata.inference.sign_hidden import token_log_density
from maestrata.masks import MaskPatches, evaluation_masks, realised_ratio, visible_count
from maestrata.model.mae import MAE, take_tokens
from maestrata.random import integer_seed
from maestrata.resampling import Estimates, mean_bootstrap
from maestrata.training.controls import train_null
from maestrata.training.data import as_tokens
from maestrata.training.loop import fit
from maestrata.training.progress import CHUNK
from maestrata.worlds.sign_hidden import SignHidden

SUMMARY = "tokens of random sign, which no conditional mean sees: mean squared error against a likelihood"
SETTINGS = {"images": 64_000, "mask_ratio": 0.5, "components": 16, "scored": 2048}
RANGES = {
    "images": {"least": "batch", "most": 10_000_000_000},
    "mask_ratio": {"above": 0, "below": 1},
    "components": {"least": 1, "most": 1000},
    "scored": {"least": 100, "most": "test"},
}
WORLDS = ("sign_hidden",)

CALIBRATION = 1024  # images by whose tokens the mixture starts
_HEAD = 0  # place in the stream of weights


def run(job: Job) -> Table:
    """Train by both losses, and by both with targets of other images; score every level.

    Arms ``random_init``, ``mse``, ``null_trained`` (the mean squared error of the next image's tokens),
    ``likelihood`` and ``null_likelihood``. Quantities, at levels 1 to L: ``r2``, and ``over_null``, that
    minus the r2 of the null of the same loss. At level 0, of the likelihood: ``nats`` that it gains a token
    over knowing nothing of what is visible, ``progress``, their share of what exact inference gains, and
    ``mask_ratio``.
    """
    table, scores = Table(), dict[str, Estimates]()
    visible = visible_count(job.grid.n_tokens, job.settings["mask_ratio"])
    for arm, model in _models(job, table, visible):
        scores[arm] = score_model(model, job.data)
        table.add_levels(arm, "r2", scores[arm], job.test)
    for arm, null in (("mse", "null_trained"), ("likelihood", "null_likelihood")):
        table.add_levels(arm, "over_null", scores[arm] - scores[null], job.test)
    return table


def _models(job: Job, table: Table, visible: int) -> Iterator[tuple[str, MAE]]:
    """Yield arms and encoders: one start, the same images and masks."""
    yield "random_init", job.initial()
    yield "mse", job.train("mse", visible)[0]
    patches = MaskPatches(job.grid)
    yield "null_trained", train_null(job.world, patches, visible, job.cfg, job.seed, job.recipe)[0]
    for arm, turn in (("likelihood", 0), ("null_likelihood", -1)):
        model = _mixture(job)
        fit(model, job.batches(visible), _loss(model, turn), job.recipe, arm)
        if not turn:
            _add_progress(job, table, arm, model, visible)
        yield arm, model.mae


def _mixture(job: Job) -> MixtureMAE:
    """Return the untrained mixture model: the job's encoder, and a head of its own."""
    calibration = job.world.sample(CALIBRATION, "experiment", (job.seed,)).images
    generator = torch.Generator().manual_seed(integer_seed(job.seed, "init", job.world.seed, _HEAD))
    tokens = as_tokens(job.world, calibration)
    start = tokens.reshape(-1, tokens.shape[-1])
    return MixtureMAE(job.initial(), job.settings["components"], start, generator)


def _loss(model: MixtureMAE, turn: int) -> Callable[[Tensor, Tensor, Tensor], Tensor]:
    """Return the loss with targets rolled over the batch by `turn` images."""

    def loss(tokens: Tensor, visible_ids: Tensor, masked_ids: Tensor) -> Tensor:
        targets = take_tokens(tokens.roll(turn, 0), masked_ids)
        return -model.log_density(tokens, visible_ids, masked_ids, targets).mean() / targets.shape[-1]

    return loss


def _add_progress(job: Job, table: Table, arm: str, model: MixtureMAE, visible: int) -> None:
    """Add how much the model gains of what exact inference gains, on test images under evaluation masks."""
    world, patches = cast(SignHidden, job.world), MaskPatches(job.grid)
    images = world.sample(job.test, "test").images[: job.settings["scored"]]
    visible_ids, masked_ids = evaluation_masks(world.seed, patches, visible, len(images))
    tokens = as_tokens(world, images)
    gained = _log_density(model, tokens, visible_ids, masked_ids)
    exact, nothing = (
        np.take_along_axis(token_log_density(world, tokens, shown), masked_ids, 1).mean(1)
        for shown in (visible_ids, visible_ids[:, :0])
    )
    weights = job.weights(len(images))
    ours, most = (mean_bootstrap(nats - nothing, weights) for nats in (gained, exact))
    table.add(arm, "progress", 0, ours / most, len(images))
    table.add(arm, "nats", 0, ours, len(images))
    table.add(arm, "mask_ratio", 0, realised_ratio(patches.n_patches, visible))


@torch.no_grad()
def _log_density(
    model: MixtureMAE,
    tokens: NDArray[np.float32],
    visible_ids: NDArray[np.int64],
    masked_ids: NDArray[np.int64],
) -> NDArray[np.float64]:
    """Mean log-density of the masked tokens of each image, (n,), in nats a token."""
    parts = []
    for start in range(0, len(tokens), CHUNK):
        part = slice(start, start + CHUNK)
        drawn, shown, hidden = (torch.from_numpy(a[part]) for a in (tokens, visible_ids, masked_ids))
        parts.append(model.log_density(drawn, shown, hidden, take_tokens(drawn, hidden)).mean(1).numpy())
    return np.concatenate(parts).astype(np.float64)
