"""Tokens at the border between masked and visible, left out of the loss (Section 3.6 of the paper)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import torch

from maestrata.experiments._features import Estimates, score_levels
from maestrata.experiments.base import Job, Table
from maestrata.experiments.settings import inner_share
from maestrata.geometry import TokenGrid
from maestrata.masks import MaskPatches, border_tokens, mask_matrix, visible_count
from maestrata.random import stream
from maestrata.representation.encode import last_layer
from maestrata.training.data import Batches
from maestrata.training.loop import Batch, fit

NAME = "border"
SUMMARY = "masked tokens next to a visible one are left out of the loss, or as many others drawn at random"
SETTINGS = {"patches": ("2x2", "1x1"), "mask_ratio": 0.75, "images": 60_000}
RANGES = {"mask_ratio": {"above": 0, "below": 1}, "images": {"least": "batch", "most": 10_000_000_000}}
WORLDS = ()
CELLS = False

ARMS = ("standard", "no_border", "no_random")


def counted_batches(
    arm: str, job: Job, batches: Callable[[int], Batch], grid: TokenGrid
) -> Callable[[int], Batch]:
    """Add to batches of (tokens, visible ids, masked ids) which masked tokens count in the loss.

    Parameters
    ----------
    arm : {"no_border", "no_random"}
        Border tokens are left out, or of each image as many masked ones drawn at random.
    job : Job
        Names the stream of the random ones: ``("experiment", world_seed, step)`` of the training seed.
    batches : callable
    grid : TokenGrid
    """

    def batch(step: int) -> Batch:
        tokens, visible_ids, masked_ids = batches(step)
        masked = masked_ids.numpy()
        border = border_tokens(mask_matrix(visible_ids.numpy(), grid.n_tokens), grid)
        if arm == "no_border":
            return tokens, visible_ids, masked_ids, torch.from_numpy(np.take_along_axis(~border, masked, 1))
        uniforms = stream(job.seed, "experiment", job.world.seed, step).random(masked.shape)
        rank = uniforms.argsort(1).argsort(1)
        return tokens, visible_ids, masked_ids, torch.from_numpy(rank >= border.sum(1, keepdims=True))

    return batch


def run(job: Job) -> Table:
    """Train with the standard loss and the two partial ones, and score every level.

    Arms are ``{patches}/{standard|no_border|no_random}``, placed at the share of masked tokens in the loss;
    ``r2`` of levels 1 to L, and ``counted`` of level 0: that share. Of ``no_border`` also ``over_standard``
    and ``over_random``: its r2 minus that of the other arms.
    """
    table, data = Table(), job.draw()
    recipe = replace(job.recipe, images=job.images)
    for label in job.settings["patches"]:
        patches = MaskPatches.parse(label, job.grid)
        visible = visible_count(patches.n_patches, job.settings["mask_ratio"])
        batches = Batches(job.world, patches, visible, job.seed, recipe)
        share = inner_share(job.world, patches, visible, job.test)
        scores: dict[str, Estimates] = {}
        for name in ARMS:
            arm, model = f"{patches.label}/{name}", job.initial()
            own = batches if name == "standard" else counted_batches(name, job, batches, job.grid)
            fit(model, own, model.loss, recipe, arm)
            scores[name] = score_levels(last_layer(model, data.images), data)
            table.add_levels(arm, "r2", scores[name], job.test)
            counts = 1.0 if name == "standard" else share
            table.add(arm, "counted", 0, counts)
            table.place(arm, counts)
        for quantity, other in (("over_standard", "standard"), ("over_random", "no_random")):
            gain = scores["no_border"] - scores[other]
            table.add_levels(f"{patches.label}/no_border", quantity, gain, job.test)
    return table
