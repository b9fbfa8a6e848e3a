"""Reconstructions judged by structure, by pixels and by meaning (the paper's first experiment).

Models of several masking ratios fill in the same masked images of a grammar. SSIM and FSIM say how alike the
filled-in and the true image are in local structure, PSNR and the mean squared error in pixels; and exact
belief propagation on the filled-in image, read as if it were observed, says how probable the true root is.
If the first two and not the others follow the root, the rankings of the ratios part.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata

from maestrata import worlds
from maestrata.experiments._similarity_index import GREY_LEVELS, fsim, mean_squared_error, ssim
from maestrata.experiments.base import Job, Table
from maestrata.geometry import unpatchify
from maestrata.inference.base import posterior
from maestrata.masks import MaskPatches, evaluation_masks, mask_matrix, realised_ratio, visible_count
from maestrata.representation.reconstruct import reconstruct
from maestrata.resampling import Estimates
from maestrata.worlds.base import World

SUMMARY = (
    "masked positions filled in: SSIM, FSIM, PSNR, squared error and the exact root posterior of the result"
)
SETTINGS = {
    "leaves": 16,
    "token_pixels": 8,
    "symbols": 12,
    "images": 36_000,
    "batch": 64,
    "mask_ratios": (0.1, 0.25, 0.5, 0.75, 0.9),
    "patches": ("2x2",),
    "patch_ratio": 0.75,
    "eval_ratio": 0.75,
    "scored": 512,
}
RANGES = {
    "images": {"least": "batch", "most": 10_000_000_000},
    "batch": {"least": 1, "most": 1_000_000},
    "mask_ratios": {"above": 0, "below": 1},
    "patch_ratio": {"above": 0, "below": 1},
    "eval_ratio": {"above": 0, "below": 1},
    "scored": {"least": 2, "most": 1_000_000},
}
WORLDS = ("grammar_tree",)
FILLS_IN = True

Floats = NDArray[np.float64]

HALF_RANGE = 4.0
"""Pixel value that is grey level 255, its negative being 0: pixels have mean 0 and variance about 1."""

STRUCTURE, PIXELS, ROOT = ("ssim", "fsim"), ("psnr", "mse"), "root_probability"
UPWARDS = {"mse": -1.0}  # the other quantities are better the larger they are


class Masks(NamedTuple):
    """Masks of the scored images: ids of visible and of masked tokens."""

    visible: NDArray[np.int64]
    masked: NDArray[np.int64]


def run(job: Job) -> Table:
    """Train a model a ratio (and patch), and score what each fills in.

    The world is the job's with larger tokens, so that an image has 32 x 32 pixels: the settings `leaves`,
    `token_pixels` and `symbols` replace the world's. Arms are ``{patches}/v{visible}``, placed at the ratio,
    and two references: ``exact``, the posterior mean of the masked tokens, and ``grey``, the mean pixel.
    Quantities, all of level 0, at the common masks (single tokens, `eval_ratio`; primary) and, with the
    suffix ``_own``, at the masks of the model's own training: ``ssim``, ``fsim``, ``psnr`` (dB), ``mse``
    (squared pixel values, masked tokens alone), ``root_probability`` and ``root_accuracy`` of the filled-in
    image, and ``root_probability_filled`` of the filled-in tokens without the visible ones. The arm
    ``ratios`` holds Spearman's correlations over the ratios of the first kind of arms, at the common masks:
    ``rank_{quantity}`` with `root_probability`, and ``rank_gap``, their mean over SSIM and FSIM minus that
    over PSNR and the squared error (the smaller, the better).
    """
    settings, table = job.settings, Table()
    changes = {key: settings[key] for key in ("leaves", "token_pixels", "symbols")}
    world = worlds.make(job.world.name, job.world.seed, **{**job.world.settings, **changes})
    job = job.in_world(world)
    sample = world.sample(settings["scored"], "test")
    images, roots = sample.images, sample.latents[world.levels][:, 0, 0]
    weights = job.weights(len(images))
    tokens = MaskPatches(world.grid)
    common_masks = _masks(world, tokens, settings["eval_ratio"], len(images))

    common: dict[str, dict[str, Floats]] = {}
    cells = [(tokens, ratio) for ratio in settings["mask_ratios"]]
    cells += [(MaskPatches.parse(p, world.grid), settings["patch_ratio"]) for p in settings["patches"]]
    compared = []
    for patches, ratio in cells:
        visible = visible_count(patches.n_patches, ratio)
        arm = f"{patches.label}/v{visible}"
        if arm in common:
            continue  # two ratios that realise the same count are one model
        model, _ = job.train(arm, visible, patches)
        own = _masks(world, patches, ratio, len(images))
        common[arm] = score(world, images, roots, reconstruct(model, images, *common_masks)[0], common_masks)
        scores = score(world, images, roots, reconstruct(model, images, *own)[0], own)
        _add(table, arm, common[arm], weights)
        _add(table, arm, scores, weights, "_own")
        table.place(arm, realised_ratio(patches.n_patches, visible))
        if patches is tokens:
            compared.append(arm)

    for arm, filled in _references(world, images, common_masks).items():
        _add(table, arm, score(world, images, roots, filled, common_masks), weights)
    if len(compared) > 2:  # with fewer a rank correlation says nothing
        for quantity, value in rank_correlations([common[arm] for arm in compared], weights).items():
            if np.isfinite(value[0]):
                table.add("ratios", quantity, 0, value, len(images))
    return table


def score(
    world: World,
    images: NDArray[np.float32],
    roots: NDArray[np.int64],
    filled: NDArray[np.float32],
    masks: Masks,
) -> dict[str, Floats]:
    """Score filled-in images, image by image.

    Parameters
    ----------
    world : World
        A grammar.
    images, filled : ndarray (n, channel, y, x)
    roots : ndarray (n,)
        True symbols of the root.
    masks : Masks

    Returns
    -------
    dict of str to ndarray (n,)
        See `run`; ``psnr`` is not there, being a function of the mean of ``image_error``.
    """
    n, channels = images.shape[:2]
    one, other = (_grey(part).reshape(n * channels, *part.shape[2:]) for part in (images, filled))

    def per_image(values: Floats) -> Floats:
        return values.reshape(n, channels).mean(1)

    whole = posterior(world, filled, np.ones(world.grid.n_tokens, bool)).probabilities[world.levels][:, 0]
    hidden = ~mask_matrix(masks.visible, world.grid.n_tokens)
    alone = posterior(world, filled, hidden).probabilities[world.levels][:, 0]
    rows = np.arange(n)
    squared = np.square(filled.astype(np.float64) - images).mean((1, 2, 3))
    return {
        "ssim": per_image(ssim(one, other)),
        "fsim": per_image(fsim(one, other)),
        "mse": squared * world.grid.n_tokens / masks.masked.shape[1],
        "image_error": per_image(mean_squared_error(one, other)),
        "root_probability": whole[rows, roots],
        "root_accuracy": (whole.argmax(1) == roots).astype(np.float64),
        "root_probability_filled": alone[rows, roots],
    }


def means(scores: Mapping[str, Floats], weights: NDArray[np.float32]) -> dict[str, Estimates]:
    """Mean of every score, with PSNR in the place of the image error.

    Parameters
    ----------
    scores : mapping of str to ndarray (n,)
    weights : ndarray (replicates, n)

    Returns
    -------
    dict of str to ndarray (1 + replicates,)
    """
    n = weights.shape[1]
    averages = {}
    for key, values in scores.items():
        parts = (np.ones((1, n)), weights.astype(np.float64))
        averages[key] = np.concatenate([counts @ values / counts.sum(1) for counts in parts])
    with np.errstate(divide="ignore"):
        averages["psnr"] = 10 * np.log10(GREY_LEVELS**2 / averages.pop("image_error"))
    return averages


def rank_correlations(scores: list[dict[str, Floats]], weights: NDArray[np.float32]) -> dict[str, Estimates]:
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
    every = [means(one, weights) for one in scores]

    def ranks(quantity: str) -> Floats:
        values = np.stack([UPWARDS.get(quantity, 1.0) * one[quantity] for one in every])
        centred = rankdata(values, axis=0) - (len(every) + 1) / 2
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


def _grey(images: NDArray[np.floating]) -> Floats:
    """Pixel values as grey levels: -4 to 4 become 0 to 255."""
    grey: Floats = (images.astype(np.float64) / HALF_RANGE + 1) * (GREY_LEVELS / 2)
    return grey


def _masks(world: World, patches: MaskPatches, ratio: float, n: int) -> Masks:
    return Masks(*evaluation_masks(world.seed, patches, visible_count(patches.n_patches, ratio), n))


def _references(world: World, images: NDArray[np.float32], masks: Masks) -> dict[str, NDArray[np.float32]]:
    """Images filled in by the posterior mean given the visible tokens, and by the mean pixel, 0."""
    shown = mask_matrix(masks.visible, world.grid.n_tokens)
    exact = unpatchify(posterior(world, images, shown).tokens, world.grid, world.token_pixels)
    flags = np.repeat(shown[..., None], world.token_values, -1)
    grey = images * unpatchify(flags, world.grid, world.token_pixels)
    return {"exact": exact.astype(np.float32), "grey": grey.astype(np.float32)}


def _add(
    table: Table, arm: str, scores: Mapping[str, Floats], weights: NDArray[np.float32], suffix: str = ""
) -> None:
    """Add the means of all scores, with their bootstrap intervals."""
    for quantity, value in means(scores, weights).items():
        table.add(arm, f"{quantity}{suffix}", 0, value, weights.shape[1])
