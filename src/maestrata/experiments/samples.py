"""Learning curves in the number of samples: steps fixed, size of the training set swept."""

from __future__ import annotations

from dataclasses import replace

from maestrata.errors import ExperimentError
from maestrata.experiments._features import score_model
from maestrata.experiments.base import Job, Table
from maestrata.experiments.settings import whole_sizes
from maestrata.masks import visible_count
from maestrata.resampling import Estimates

SUMMARY = "the size of the training set is swept at a fixed number of steps, up to fresh images at every step"
SETTINGS = {"sizes": (2048, 8192, 32768, 65536), "mask_ratio": 0.75, "images": 81_920}
RANGES = {
    "sizes": {"least": "batch", "most": "images"},
    "mask_ratio": {"above": 0, "below": 1},
    "images": {"least": "batch", "most": 10_000_000_000},
}

ENDLESS = "endless"


def run(job: Job) -> Table:
    """Train on sets of every size, and on fresh images; score every level.

    Arms ``s{size}``, placed at the size, and ``endless``, placed at the images of the run: ``r2`` of levels 1
    to L, and ``mean_r2`` of level 0, their mean over levels. Arms ``change/last_doubling`` (the largest size
    minus half of it), ``change/endless`` (fresh images minus the largest size) and ``change/whole_range``
    (largest minus smallest size): ``r2_change`` and ``mean_r2_change``.
    """
    sizes = _sizes(job)
    visible = visible_count(job.grid.n_tokens, job.settings["mask_ratio"])
    table, recipe = Table(), job.recipe
    scores: dict[int | None, Estimates] = {}
    for size in (*sizes, None):
        arm = ENDLESS if size is None else f"s{size}"
        model, _ = job.train(arm, visible, recipe=replace(recipe, samples=size))
        scores[size] = score_model(model, job.data)
        _add(table, arm, scores[size], job.test, "r2", "mean_r2")
        table.place(arm, recipe.steps * recipe.batch if size is None else size)
    largest = sizes[-1]
    changes = {
        "change/last_doubling": (largest, largest // 2),
        "change/endless": (None, largest),
        "change/whole_range": (largest, sizes[0]),
    }
    for arm, (more, fewer) in changes.items():
        _add(table, arm, scores[more] - scores[fewer], job.test, "r2_change", "mean_r2_change")
    return table


def _sizes(job: Job) -> list[int]:
    sizes = sorted(set(job.settings["sizes"]))
    allowed = f"sizes={tuple(job.settings['sizes'])} (experiment samples)"
    if sizes[0] < job.recipe.batch:
        raise ExperimentError(f"{allowed} must be at least one batch of {job.recipe.batch}")
    most = job.recipe.images
    if sizes[-1] > most:
        raise ExperimentError(f"{allowed} must be at most images={most}: each is seen at least once")
    whole_sizes(job.settings, job.world)
    return sizes


def _add(table: Table, arm: str, scores: Estimates, n: int, each: str, mean: str) -> None:
    table.add_levels(arm, each, scores, n)
    table.add_levels(arm, mean, scores.mean(0, keepdims=True), n, first=0)
