"""Reconstructions judged by structure, by pixels and by meaning (the paper's first experiment).

As in the paper, whole images, with nothing masked, pass through encoder and decoder of models that were
trained at several masking ratios. SSIM and FSIM say how alike what comes out and the true image are in local
structure, PSNR and the mean squared error in pixels; and exact belief propagation on what comes out, taken as
if it were observed, says how probable the true root is. If the first two and not the others follow the root,
the rankings of the ratios part.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata

from maestrata.experiments._features import explainable, trained
from maestrata.experiments._quality import Float32, Floats, pass_through, pixel_error, quality
from maestrata.experiments.base import Job, Table
from maestrata.geometry import unpatchify
from maestrata.inference.base import posterior
from maestrata.masks import MaskPatches, evaluation_masks, mask_matrix, visible_count
from maestrata.representation.reconstruct import reconstruct
from maestrata.resampling import Estimates, mean_bootstrap
from maestrata.worlds.base import World

SUMMARY = (
    "whole images passed through models: SSIM, FSIM, PSNR, squared error, exact root posterior of the result"
)
SETTINGS = {
    "images": 120_000,
    "mask_ratios": (0.1, 0.25, 0.5, 0.75, 0.9),
    "eval_ratio": 0.75,
    "scored": 512,
}
RANGES = {
    "images": {"least": "batch", "most": 10_000_000_000},
    "mask_ratios": {"above": 0, "below": 1},
    "eval_ratio": {"above": 0, "below": 1},
    "scored": {"least": 2, "most": "test"},
}
WORLDS = ("grammar_tree", "symbol_tree")
FILLS_IN = True

STRUCTURE, PIXELS, ROOT = ("ssim", "fsim"), ("psnr", "mse"), "root_probability"
UPWARDS = {"mse": -1.0}  # the other quantities are better the larger they are


def run(job: Job) -> Table:
    """Train a model a ratio, and score what whole images become in it.

    Arms are ``1x1/v{visible}``, placed at the ratio. Quantities, all of level 0, means over images: ``ssim``,
    ``fsim``, ``psnr`` (dB), ``mse`` (squared pixel values), ``root_probability`` and ``root_accuracy``; the
    same with the suffix ``_masked`` of images whose tokens are masked at `eval_ratio` and filled in, visible
    ones as they are; ``progress``, ``mask_ratio``. The arm ``exact`` has the latter kind of the posterior
    mean of the masked tokens, ``original`` the root's of the true images. The arm ``ratios`` holds Spearman's
    correlations over the ratios, of whole images: ``rank_{quantity}`` with `root_probability`, and
    ``rank_gap``, their mean over SSIM and FSIM minus that over PSNR and the squared error (the smaller, the
    better); and as ``progress`` the lowest of the models.
    """
    settings, table, world = job.settings, Table(), job.world
    scored = replace(job, test=min(job.test, settings["scored"]))
    sample = world.sample(scored.test, "test")
    images, roots = sample.images, sample.latents[world.levels][:, 0, 0]
    weights = job.weights(len(images))
    visible_ids, masked_ids = evaluation_masks(
        world.seed,
        MaskPatches(job.grid),
        visible_count(job.grid.n_tokens, settings["eval_ratio"]),
        len(images),
    )
    whole: dict[str, dict[str, Floats]] = {}
    progress = []
    for visible in job.visible_counts(settings["mask_ratios"]):
        arm, held = f"1x1/v{visible}", explainable(scored, visible)
        model = trained(job, table, arm, held, visible).eval()
        table.place(arm, 1 - visible / job.grid.n_tokens)
        progress.append(held.progress(model).share)
        whole[arm] = score(world, images, roots, pass_through(model, images))
        _add(table, arm, whole[arm], weights)
        filled = reconstruct(model, images, visible_ids, masked_ids)[0]
        _add(table, arm, score(world, images, roots, filled), weights, "_masked")

    shown = mask_matrix(visible_ids, job.grid.n_tokens)
    best = unpatchify(posterior(world, images, shown).tokens, job.grid, world.token_pixels)
    _add(table, "exact", score(world, images, roots, best.astype(np.float32)), weights, "_masked")
    _add(table, "original", root_scores(world, images, roots), weights)
    if len(whole) > 2:  # with fewer a rank correlation says nothing
        table.add("ratios", "progress", 0, np.min(progress, axis=0), len(images))
        for quantity, value in rank_correlations(list(whole.values()), weights).items():
            if np.isfinite(value[0]):
                table.add("ratios", quantity, 0, value, len(images))
    return table


def score(world: World, images: Float32, roots: NDArray[np.int64], others: Float32) -> dict[str, Floats]:
    """Score images against the true ones, image by image.

    Parameters
    ----------
    world : World
        Of symbols.
    images, others : ndarray (n, channel, y, x)
    roots : ndarray (n,)
        True symbols of the root.

    Returns
    -------
    dict of str to ndarray (n,)
        See `run`.
    """
    return {
        **quality(world.grey(images), world.grey(others)),
        "mse": pixel_error(images, others),
        **root_scores(world, others, roots),
    }


def root_scores(world: World, images: Float32, roots: NDArray[np.int64]) -> dict[str, Floats]:
    """Probability of the true root given whole images, and whether it is the most probable one, (n,)."""
    exact = posterior(world, images, np.ones(world.grid.n_tokens, bool)).probabilities[world.levels][:, 0]
    accuracy = (exact.argmax(1) == roots).astype(np.float64)
    return {ROOT: exact[np.arange(len(images)), roots], "root_accuracy": accuracy}


def rank_correlations(scores: list[dict[str, Floats]], weights: Float32) -> dict[str, Estimates]:
    """Spearman's correlation over models between each quantity and the root's probability.

    Parameters
    ----------
    scores : list of dict
        From `score`, one a model.
    weights : ndarray (replicates, n)

    Returns
    -------
    dict of str to ndarray (1 + replicates,)
        ``rank_ssim``, ``rank_fsim``, ``rank_psnr``, ``rank_mse`` and ``rank_gap``; NaN where a quantity is
        the same for all models.
    """

    def ranks(quantity: str) -> Floats:
        sign = UPWARDS.get(quantity, 1.0)
        values = np.stack([sign * mean_bootstrap(one[quantity], weights) for one in scores])
        centred = rankdata(values, axis=0) - (len(scores) + 1) / 2
        with np.errstate(invalid="ignore", divide="ignore"):
            normed: Floats = centred / np.sqrt(np.square(centred).sum(0))
        return normed

    root = ranks(ROOT)
    correlations = {f"rank_{quantity}": (ranks(quantity) * root).sum(0) for quantity in STRUCTURE + PIXELS}
    structure, pixels = (
        np.mean([correlations[f"rank_{quantity}"] for quantity in kind], axis=0)
        for kind in (STRUCTURE, PIXELS)
    )
    return {**correlations, "rank_gap": structure - pixels}


def _add(table: Table, arm: str, scores: Mapping[str, Floats], weights: Float32, suffix: str = "") -> None:
    """Add the means of all scores, with their bootstrap intervals."""
    for quantity, values in scores.items():
        table.add(arm, f"{quantity}{suffix}", 0, mean_bootstrap(values, weights), len(values))
