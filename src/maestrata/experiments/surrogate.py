"""Hierarchy or covariance: training in a world and in its Gaussian twin."""

from __future__ import annotations

from dataclasses import replace

from maestrata.experiments._features import explainable, pixels, score_levels, score_model, train_and_score
from maestrata.experiments._surrogate import GaussianSurrogate
from maestrata.experiments.base import Job, Table
from maestrata.experiments.settings import middle_ratio
from maestrata.masks import realised_ratio, visible_count
from maestrata.resampling import Estimates

SUMMARY = "training in the world and in a Gaussian world of the same covariance of pixels and latents"
SETTINGS = {
    "mask_ratios": (0.1, 0.5, 0.9),
    "peak": 0.5,
    "images": 100_000,
    "covariance_images": 200_000,
}
RANGES = {
    "mask_ratios": {"above": 0, "below": 1},
    "peak": {"above": 0, "below": 1},
    "images": {"least": "batch", "most": 10_000_000_000},
    "covariance_images": {"least": 1, "most": 10_000_000_000},
}


def run(job: Job) -> Table:
    """Train in the world and in its surrogate at every ratio; score both, and what is linear in the pixels.

    Arms ``world/...`` and ``surrogate/...``: ``v{visible}`` (placed at its ratio), ``linear`` (all pixels),
    ``random_init``, and ``shape`` over the ratios; ``difference/shape`` is the world's minus the surrogate's.
    Quantities, at levels 1 to L: ``r2``; ``beyond_linear``, r2 minus that of all pixels; ``inverted_u``, r2
    at `peak` minus the mean of r2 at the lowest and the highest ratio. At level 0 ``progress`` and
    ``mask_ratio``.
    """
    counts = job.visible_counts(job.settings["mask_ratios"])
    peak = visible_count(job.grid.n_tokens, job.settings["peak"])
    middle_ratio(job.settings, job.world)
    table = Table()
    twin = GaussianSurrogate(job.world, job.settings["covariance_images"])
    shapes = {}
    for name, world in (("world", job.world), ("surrogate", twin)):
        trained = _train(table, name, job.in_world(world), counts)
        shapes[name] = trained[peak] - (trained[counts[0]] + trained[counts[-1]]) / 2
        table.add_levels(f"{name}/shape", "inverted_u", shapes[name], job.test)
    # other images in each: the two halves of a difference of replicates are independent
    table.add_levels("difference/shape", "inverted_u", shapes["world"] - shapes["surrogate"], job.test)
    return table


def _train(table: Table, name: str, job: Job, counts: list[int]) -> dict[int, Estimates]:
    """Add controls and trained models of one world; returns the scores of the latter by visible count."""
    data = job.data
    linear = score_levels(pixels(data), data)
    for control, scores in (("linear", linear), ("random_init", score_model(job.initial(), data))):
        table.add_levels(f"{name}/{control}", "r2", scores, job.test)
    trained = {}
    for visible in counts:
        arm, held = f"{name}/v{visible}", explainable(job, visible)
        if isinstance(job.world, GaussianSurrogate):
            held = replace(held, best=job.world.best(held.tokens, held.visible))
        trained[visible] = train_and_score(job, table, arm, held, visible)
        table.place(arm, realised_ratio(job.grid.n_tokens, visible))
        table.add_levels(arm, "beyond_linear", trained[visible] - linear, job.test)
    return trained
