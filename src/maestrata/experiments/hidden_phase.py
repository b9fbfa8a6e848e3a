"""A latent that the conditional mean cannot see: mean squared error against a likelihood, on one encoder.

In the world `phase_tree` every pair of a token's values has a uniform phase of its own, so that the mean of a
masked token is 0 whatever is visible: a decoder trained by the mean squared error has nothing to learn there.
The radii of the pairs still tell of the parents, and the likelihood of a masked token rewards knowing them.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch

from maestrata import worlds
from maestrata.experiments._features import Estimates, score_levels
from maestrata.experiments._mixture import MixtureMAE, whitening_maps
from maestrata.experiments.base import Job, Table
from maestrata.masks import MaskPatches, visible_count
from maestrata.model.mae import MAE
from maestrata.random import integer_seed, stream
from maestrata.regression.data import ProbeData
from maestrata.representation.encode import last_layer
from maestrata.training.data import Batches, as_tokens
from maestrata.training.loop import Batch, fit
from maestrata.worlds.base import World

NAME = "hidden_phase"
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
CELLS = False
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
        world = worlds.make(kind, job.world.seed, **hidden)
        data = job.draw(world)
        scores = {"random_init": _score(job.initial(), data)}
        scores["mse"] = _score(train_mse(job, world, table, name), data)
        if name == "hidden":
            scores["likelihood"] = _score(train_likelihood(job, world, table), data)
        for arm, by_pooling in scores.items():
            for pooling, levels in by_pooling.items():
                table.add_levels(f"{name}/{arm}", f"r2{pooling}", levels, job.test, first=0)
                for other, label in (("random_init", "over_random"), ("mse", "over_mse")):
                    if arm == "likelihood" or (arm, other) == ("mse", "random_init"):
                        gain = levels - scores[other][pooling]
                        table.add_levels(f"{name}/{arm}", f"{label}{pooling}", gain, job.test, first=0)
    return table


def train_mse(job: Job, world: World, table: Table, name: str) -> MAE:
    """Train the job's model on a world by the mean squared error, and file its last losses."""
    model, batches = job.initial(), _batches(job, world)
    losses = fit(model, batches, model.loss, batches.recipe, f"{name}/mse")
    table.add(f"{name}/mse", "loss", 0, float(losses[-max(1, len(losses) // 10) :].mean()))
    return model


def train_likelihood(job: Job, world: World, table: Table) -> MAE:
    """Train the same model from the same start, on the same images and masks, by the likelihood."""
    settings = job.settings
    images = world.sample(CALIBRATION, "experiment", (job.seed,)).images
    maps = whitening_maps(as_tokens(world, images), settings["jitter"])
    generator = torch.Generator().manual_seed(integer_seed(job.seed, "init", _HEAD))
    model = MixtureMAE(job.initial(), settings["components"], maps, generator)
    batches = _batches(job, world)

    def noisy(step: int) -> Batch:
        tokens, visible_ids, masked_ids = batches(step)
        rng = stream(job.seed, "experiment", world.seed, _NOISE, step)
        noise = rng.standard_normal((*masked_ids.shape, tokens.shape[-1]), dtype=np.float32)
        return tokens, visible_ids, masked_ids, torch.from_numpy(noise * np.float32(settings["jitter"]))

    losses = fit(model, noisy, model.loss, batches.recipe, "hidden/likelihood")
    table.add("hidden/likelihood", "loss", 0, float(losses[-max(1, len(losses) // 10) :].mean()))
    return model.mae


def _batches(job: Job, world: World) -> Batches:
    """Batches of single-token masks."""
    patches = MaskPatches(world.grid)
    visible = visible_count(patches.n_patches, job.settings["mask_ratio"])
    recipe = replace(job.recipe, images=job.images, batch=job.settings["batch"])
    return Batches(world, patches, visible, job.seed, recipe)


def _score(model: MAE, data: ProbeData) -> dict[str, Estimates]:
    """Scores of the mean of the tokens, and of the tokens side by side: mean over levels first."""
    tokens = last_layer(model, data.images, "concat")
    mean = tokens.reshape(len(tokens), model.cfg.n_tokens, -1).mean(1, dtype=np.float32)
    scores = {pooling: score_levels(x, data) for pooling, x in (("", mean), ("_concat", tokens))}
    return {pooling: np.vstack([levels.mean(0), levels]) for pooling, levels in scores.items()}
