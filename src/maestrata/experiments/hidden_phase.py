"""A latent that the conditional mean cannot see: mean squared error against a likelihood, on one encoder.

In the world `phase_tree` every pair of a token's values has a uniform phase of its own, so that the mean of a
masked token is 0 whatever is visible: a decoder trained by the mean squared error has nothing to learn there.
The radii of the pairs still tell of the parents, and the likelihood of a masked token rewards knowing them.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from maestrata import worlds
from maestrata.experiments._features import score_levels
from maestrata.experiments._mixture import MixtureMAE, whitening_maps
from maestrata.experiments.base import Job, Table, last_loss
from maestrata.masks import visible_count
from maestrata.model.mae import MAE
from maestrata.random import integer_seed, stream
from maestrata.regression.data import ProbeData
from maestrata.representation.encode import last_layer
from maestrata.resampling import Estimates
from maestrata.training.data import as_tokens
from maestrata.training.loop import Batch, fit

SUMMARY = "tokens of random phase, which no conditional mean sees: mean squared error against a likelihood"
SETTINGS = {"images": 60_000, "batch": 128, "mask_ratio": 0.5, "components": 8, "jitter": 0.1}
RANGES = {
    "images": {"least": "batch", "most": 10_000_000_000},
    "batch": {"least": 1, "most": 1_000_000},
    "mask_ratio": {"above": 0, "below": 1},
    "components": {"least": 1, "most": 1000},
    "jitter": {"above": 0, "most": 1000},
}
WORLDS = ("additive_tree", "phase_tree")
FINDS = ("worlds.additive_tree", "worlds.phase_tree")

CALIBRATION = 8192  # images from which the whitening is taken
_NOISE, _HEAD = 0, 1  # places in the streams


def run(job: Job) -> Table:
    """Train by both losses where the phase hides the parents, and by the first where it does not.

    Arms are ``hidden/random_init``, ``hidden/mse``, ``hidden/likelihood`` and, in the additive tree of the
    same functions, ``plain/random_init`` and ``plain/mse``. Quantities of levels 1 to L, and at level 0 their
    mean: ``r2`` and ``r2_concat`` (tokens side by side, not averaged); ``over_random`` and ``over_mse`` (and
    the same with ``_concat``), the r2 minus that of the arm's world at random init, or trained by the mean
    squared error. At level 0 also ``loss``: mean over the last tenth of training, in squared pixel values, or
    for ``hidden/likelihood`` in nats a value.
    """
    table = Table()
    hidden = {key: job.world.settings[key] for key in ("leaves", "dim", "rho", "fold", "token_pixels")}
    for name, kind in (("hidden", "phase_tree"), ("plain", "additive_tree")):
        here = job.in_world(worlds.make(kind, job.world.seed, **hidden))
        scores = {"random_init": _score(here.initial(), here.data)}
        scores["mse"] = _score(train_mse(here, table, name), here.data)
        if name == "hidden":
            scores["likelihood"] = _score(train_likelihood(here, table), here.data)
        for arm, by_pooling in scores.items():
            for pooling, levels in by_pooling.items():
                table.add_levels(f"{name}/{arm}", f"r2{pooling}", levels, job.test, first=0)
                for other, label in (("random_init", "over_random"), ("mse", "over_mse")):
                    if arm == "likelihood" or (arm, other) == ("mse", "random_init"):
                        gain = levels - scores[other][pooling]
                        table.add_levels(f"{name}/{arm}", f"{label}{pooling}", gain, job.test, first=0)
    return table


def train_mse(job: Job, table: Table, name: str) -> MAE:
    """Train the job's model by the mean squared error, and file its last losses."""
    model, losses = job.train(f"{name}/mse", _visible(job))
    table.add(f"{name}/mse", "loss", 0, last_loss(losses, 10))
    return model


def train_likelihood(job: Job, table: Table) -> MAE:
    """Train the same model from the same start, on the same images and masks, by the likelihood."""
    world, jitter = job.world, job.settings["jitter"]
    maps = whitening_maps(
        as_tokens(world, world.sample(CALIBRATION, "experiment", (job.seed,)).images), jitter
    )
    generator = torch.Generator().manual_seed(integer_seed(job.seed, "init", job.world.seed, _HEAD))
    model = MixtureMAE(job.initial(), job.settings["components"], maps, generator)

    def noise(step: int, batch: Batch) -> Tensor:
        tokens, _, masked_ids = batch
        rng = stream(job.seed, "experiment", world.seed, _NOISE, step)
        drawn = rng.standard_normal((*masked_ids.shape, tokens.shape[-1]), dtype=np.float32)
        return torch.from_numpy(drawn * np.float32(jitter))

    batches = job.batches(_visible(job), extra=noise)
    losses = fit(model, batches, model.loss, job.recipe, "hidden/likelihood")
    table.add("hidden/likelihood", "loss", 0, last_loss(losses, 10))
    return model.mae


def _visible(job: Job) -> int:
    return visible_count(job.grid.n_tokens, job.settings["mask_ratio"])


def _score(model: MAE, data: ProbeData) -> dict[str, Estimates]:
    """Scores of the mean of the tokens, and of the tokens side by side: mean over levels first."""
    tokens = last_layer(model, data.images, "concat")
    mean = tokens.reshape(len(tokens), model.cfg.n_tokens, -1).mean(1, dtype=np.float32)
    scores = {pooling: score_levels(x, data) for pooling, x in (("", mean), ("_concat", tokens))}
    return {pooling: np.vstack([levels.mean(0), levels]) for pooling, levels in scores.items()}
