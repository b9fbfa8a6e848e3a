"""Learning curves in the number of different images, and in the number of steps."""

from __future__ import annotations

from dataclasses import replace

from maestrata.errors import ExperimentError
from maestrata.experiments._features import explainable, train_and_score
from maestrata.experiments.base import Job, Table
from maestrata.masks import visible_count

SUMMARY = (
    "the size of the training set is swept at a fixed number of steps, up to fresh images; then the steps"
)
SETTINGS = {
    "sizes": (256, 1024, 4096, 16_384, 65_536),
    "multiples": (2.0,),
    "mask_ratio": 0.75,
    "images": 100_000,
}
RANGES = {
    "sizes": {"least": "batch", "most": "images"},
    "multiples": {"above": 1, "most": 1000},
    "mask_ratio": {"above": 0, "below": 1},
    "images": {"least": "batch", "most": 10_000_000_000},
}


def run(job: Job) -> Table:
    """Train on sets of every size, on fresh images, and on the largest set for longer; score every level.

    Arms ``s{size}`` and ``endless`` (fresh images at every step) of equally many steps, and
    ``s{largest}/{multiple}x`` of so many times as many, as in ``s65536/2x``. Each is placed at the number of
    different images. Quantities: ``r2`` of levels 1 to L; of level 0 ``progress``, ``mask_ratio`` and
    ``images``, those seen.
    """
    settings, recipe, table = job.settings, job.recipe, Table()
    visible = visible_count(job.grid.n_tokens, settings["mask_ratio"])
    held = explainable(job, visible)
    sizes = sorted(set(settings["sizes"]))
    arms = {f"s{size}": replace(recipe, samples=size) for size in sizes}
    arms["endless"] = recipe
    for multiple in settings["multiples"]:
        images = round(multiple * recipe.images)
        arms[f"s{sizes[-1]}/{multiple:g}x"] = replace(recipe, samples=sizes[-1], images=images)
    if recipe.images < sizes[-1]:
        raise ExperimentError(
            f"sizes={tuple(sizes)} (experiment samples) must be at most images={recipe.images}: each is seen "
            "at least once"
        )
    for arm, its in arms.items():
        train_and_score(job, table, arm, held, visible, recipe=its)
        seen = its.steps * its.batch
        table.add(arm, "images", 0, seen)
        table.place(arm, its.samples or seen)
    return table
