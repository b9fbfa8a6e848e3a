"""Tokens at the border between masked and visible, left out of the loss (Section 3.6 of the paper)."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from maestrata.experiments._features import explainable, train_and_score
from maestrata.experiments.base import Extra, Job, Table, random_ranks
from maestrata.experiments.settings import inner_share
from maestrata.masks import MaskPatches, border_tokens, mask_matrix, visible_count
from maestrata.resampling import Estimates
from maestrata.training.loop import Batch
from maestrata.training.progress import Explainable

SUMMARY = "masked tokens next to a visible one are left out of the loss, or as many others drawn at random"
SETTINGS = {"patches": ("2x1",), "mask_ratio": 0.75, "images": 192_000}
RANGES = {"mask_ratio": {"above": 0, "below": 1}, "images": {"least": "batch", "most": 10_000_000_000}}

ARMS = ("standard", "no_border", "no_random")


def counted(arm: str, job: Job) -> Extra | None:
    """Say which masked tokens count in the loss: all (None), or of every batch (b, m) True for those that do.

    Parameters
    ----------
    arm : {"standard", "no_border", "no_random"}
        All count, border tokens are left out, or of each image as many masked ones drawn at random.
    job : Job
    """

    def inner(step: int, batch: Batch) -> Tensor:
        _, visible_ids, masked_ids = batch
        masked = masked_ids.numpy()
        border = border_tokens(mask_matrix(visible_ids.numpy(), job.grid.n_tokens), job.grid)
        if arm == "no_border":
            return torch.from_numpy(np.take_along_axis(~border, masked, 1))
        return torch.from_numpy(random_ranks(job, step, masked.shape) >= border.sum(1, keepdims=True))

    return None if arm == "standard" else inner


def asked_for(arm: str, job: Job, held: Explainable) -> Explainable:
    """Return what the progress of an arm is measured on: tokens that its loss asks for.

    As many others drawn at random are, over all steps, all masked tokens.
    """
    if arm != "no_border":
        return held
    return replace(held, counted=held.counted & ~border_tokens(held.visible, job.grid))


def run(job: Job) -> Table:
    """Train with the standard loss and the two partial ones, and score every level.

    Arms are ``{patches}/{standard|no_border|no_random}``, placed at the share of masked tokens in the loss.
    Quantities: ``r2`` of levels 1 to L; of level 0 ``counted``, that share, ``progress`` over the masked
    tokens that its loss asks for, and ``mask_ratio``. Of ``no_border`` also ``over_standard`` and
    ``over_random``: its r2 minus that of the other arms.
    """
    table = Table()
    for label in job.settings["patches"]:
        patches = MaskPatches.parse(label, job.grid)
        visible = visible_count(patches.n_patches, job.settings["mask_ratio"])
        share = inner_share(job.world, patches, visible, job.test)
        held, scores = explainable(job, visible, patches), dict[str, Estimates]()
        for name in ARMS:
            arm, extra = f"{patches.label}/{name}", counted(name, job)
            asked = asked_for(name, job, held)
            scores[name] = train_and_score(job, table, arm, asked, visible, patches, extra=extra)
            counts = 1.0 if name == "standard" else share
            table.add(arm, "counted", 0, counts)
            table.place(arm, counts)
        for quantity, other in (("over_standard", "standard"), ("over_random", "no_random")):
            gain = scores["no_border"] - scores[other]
            table.add_levels(f"{patches.label}/no_border", quantity, gain, job.test)
    return table
