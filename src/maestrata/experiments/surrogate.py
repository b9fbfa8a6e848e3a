"""Hierarchy or covariance: training in a world and in its Gaussian twin."""

from __future__ import annotations

from dataclasses import replace

from maestrata.errors import ExperimentError
from maestrata.experiments._reading import (
    Reading,
    add_readings,
    average,
    differences,
    draw,
    pixels,
    read_levels,
)
from maestrata.experiments._surrogate import GaussianSurrogate
from maestrata.experiments.base import Job, Table
from maestrata.masks import MaskPatches, realised_ratio, visible_count
from maestrata.regression.controls import principal_axes
from maestrata.training.data import Batches
from maestrata.training.loop import fit
from maestrata.worlds.base import World

NAME = "surrogate"
SUMMARY = "training in the world and in a Gaussian world of the same covariance of pixels and latents"
SETTINGS = {
    "mask_ratios": (0.1, 0.75, 0.9),
    "peak": 0.75,
    "images": 48_000,
    "covariance_images": 1_000_000,
}
WORLDS = ("additive_tree", "latent_dag")  # symbols have no Gaussian twin; a Gaussian world is its own
CELLS = False

Readings = dict[int, Reading]


def run(job: Job) -> Table:
    """Train in the world and in its surrogate at every ratio; read both, and what is linear in the pixels.

    Arms ``world/...`` and ``surrogate/...``: ``v{visible}`` (placed at its ratio), ``linear`` (all pixels),
    ``pca``, ``random_init``, and ``shape`` over the ratios; ``difference/shape`` is the world's less the
    surrogate's. Quantities, at levels 1 to L: ``r2``; ``beyond_linear``, r2 less that of all pixels;
    ``concat_beyond_linear``, the same from concatenated tokens (world, peak); ``inverted_u``, r2 at `peak`
    less the mean of r2 at the lowest and the highest ratio.
    """
    patches = MaskPatches(job.grid)
    counts = sorted({visible_count(patches.n_patches, r) for r in job.settings["mask_ratios"]}, reverse=True)
    peak = visible_count(patches.n_patches, job.settings["peak"])
    if not (peak in counts and counts[0] > peak > counts[-1]):
        raise ExperimentError(
            f"surrogate: peak={job.settings['peak']} must be among "
            f"mask_ratios={job.settings['mask_ratios']}, and not the lowest or the highest (visible "
            f"patches: {peak} of {counts})"
        )
    table = Table()
    twin = GaussianSurrogate(job.world, job.settings["covariance_images"])
    shapes = {}
    for name, world in (("world", job.world), ("surrogate", twin)):
        trained = _read(table, name, world, job, patches, counts, peak)
        shapes[name] = differences(trained[peak], _middle(trained[counts[0]], trained[counts[-1]]))
        add_readings(table, f"{name}/shape", shapes[name], job.test, "inverted_u")
    # other images in each: the two halves of a difference of replicates are independent
    apart = differences(shapes["world"], shapes["surrogate"])
    add_readings(table, "difference/shape", apart, job.test, "inverted_u")
    return table


def _read(
    table: Table, name: str, world: World, job: Job, patches: MaskPatches, counts: list[int], peak: int
) -> dict[int, Readings]:
    """Add controls and trained models of one world; returns the readings of the latter by visible count."""
    evaluation = draw(job, world)
    every = pixels(evaluation)
    linear = read_levels(every, job, evaluation)
    axes = principal_axes(every[: evaluation.n_train], job.cfg.width)
    controls = {"linear": linear, "pca": read_levels(every @ axes, job, evaluation)}
    controls["random_init"] = read_levels(job.initial(), job, evaluation)
    for control, found in controls.items():
        add_readings(table, f"{name}/{control}", found, job.test)
    recipe = replace(job.recipe, images=job.images)
    trained = {}
    for visible in counts:
        model, arm = job.initial(), f"{name}/v{visible}"
        fit(model, Batches(world, patches, visible, job.seed, recipe), model.loss, recipe, arm)
        table.place(arm, realised_ratio(patches.n_patches, visible))
        trained[visible] = read_levels(model, job, evaluation)
        add_readings(table, arm, trained[visible], job.test)
        beyond = {"beyond_linear": trained[visible]}
        if arm == f"world/v{peak}":  # a thousand features: once
            beyond["concat_beyond_linear"] = read_levels(model, job, evaluation, pooling="concat")
        for quantity, found in beyond.items():
            add_readings(table, arm, differences(found, linear), job.test, quantity)
    return trained


def _middle(one: Readings, other: Readings) -> Readings:
    """Mean of two readings of every level, replicate by replicate."""
    return {level: average([reading, other[level]]) for level, reading in one.items()}
