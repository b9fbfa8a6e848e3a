"""Masking ratios at equal numbers of masked tokens in the loss, and at equal compute.

The sweep compares ratios at equal steps. At r = .1 a step then has 2 of 16 tokens in its loss and at r = .9
it has 14, while the encoder sees 14 and 2. Here either is held equal.
"""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor

from maestrata.errors import ExperimentError, one_of
from maestrata.experiments._features import explainable, train_and_score
from maestrata.experiments.base import Extra, Job, Table, random_ranks
from maestrata.masks import realised_ratio, visible_count
from maestrata.model.mae import MAEConfig
from maestrata.training.loop import Batch

SUMMARY = "masking ratios at an equal number of masked tokens in the loss, and at equal compute"
SETTINGS = {
    "budgets": ("tokens", "compute"),
    "mask_ratios": (0.1, 0.25, 0.5, 0.75, 0.9),
    "reference": 0.75,
    "images": 40_000,
}
RANGES = {
    "budgets": {"choices": ("tokens", "compute")},
    "mask_ratios": {"above": 0, "below": 1},
    "reference": {"above": 0, "below": 1},
    "images": {"least": "batch", "most": 10_000_000_000},
}

BUDGETS = ("tokens", "compute")


def forward_products(cfg: MAEConfig, visible: int) -> int:
    """Multiplications in the matrix products of one image's forward pass, `visible` tokens being shown.

    As `MAE` computes it: the encoder on [CLS] and the visible tokens; in the last decoder block queries,
    output projection and MLP for the masked tokens alone. Backward costs twice as much at every ratio, so
    that this is the cost of training up to a factor.

    Examples
    --------
    >>> cfg = MAEConfig()
    >>> [round(forward_products(cfg, k) / forward_products(cfg, 4), 2) for k in (14, 12, 8, 4, 2)]
    [1.81, 1.64, 1.32, 1.0, 0.84]
    """
    seen, n, masked = 1 + visible, cfg.n_tokens, cfg.n_tokens - visible

    def block(width: int, queries: int, keys: int) -> int:
        # key and value of every token; query, output projection and MLP of the queries; scores and their sums
        each = (2 + 2 * cfg.mlp_ratio) * width * width
        return 2 * keys * width * width + queries * each + 2 * queries * keys * width

    d, e = cfg.width, cfg.decoder_width
    encoder = visible * cfg.token_values * d + cfg.depth * block(d, seen, seen)
    decoder = seen * d * e + (cfg.decoder_depth - 1) * block(e, 1 + n, 1 + n) + block(e, masked, 1 + n)
    return encoder + decoder + masked * e * cfg.token_values


def some_counted(job: Job, counted: int) -> Extra:
    """Let `counted` masked tokens of every image count, drawn at random: the weights of `MAE.loss`."""

    def some(step: int, batch: Batch) -> Tensor:
        return torch.from_numpy(random_ranks(job, step, batch[2].shape) < counted)

    return some


def run(job: Job) -> Table:
    """Train at every ratio under every budget, and score every level.

    Arms ``{tokens|compute}/v{visible}``, placed at their ratio; quantities ``r2`` of levels 1 to L, and of
    level 0 ``progress``, ``mask_ratio``, ``images`` (seen in training), ``tokens_in_loss`` (masked tokens
    that counted, of all images) and ``products`` (multiplications of the forward passes, of all images).

    ``tokens``: steps and images are equal too; of every image as many masked tokens count as the lowest
    ratio has. ``compute``: all masked tokens count; images in inverse proportion to `forward_products`, those
    at the ratio ``reference`` being ``images``.
    """
    table, n = Table(), job.grid.n_tokens
    counts = job.visible_counts(job.settings["mask_ratios"])
    held = {visible: explainable(job, visible) for visible in counts}
    reference = forward_products(job.cfg, visible_count(n, job.settings["reference"]))
    for budget in dict.fromkeys(job.settings["budgets"]):
        if budget not in BUDGETS:
            raise ExperimentError(f"budgets: budget {one_of(budget, BUDGETS)}")
        for visible in counts:
            cost, images = forward_products(job.cfg, visible), job.recipe.images
            if budget == "compute":
                images = max(job.recipe.batch, images * reference // cost)
            counted = n - (counts[0] if budget == "tokens" else visible)
            extra = some_counted(job, counted) if counted < n - visible else None
            arm, recipe = f"{budget}/v{visible}", replace(job.recipe, images=images)
            train_and_score(job, table, arm, held[visible], visible, recipe=recipe, extra=extra)
            seen = recipe.steps * recipe.batch
            for quantity, value in (("images", 1), ("tokens_in_loss", counted), ("products", cost)):
                table.add(arm, quantity, 0, seen * value)
            table.place(arm, realised_ratio(n, visible))
    return table
