"""How well models of given images reconstruct them: whole test images, as in the paper, and masked ones.

The paper passes validation images through encoder and decoder with nothing masked, and compares masking
ratios by SSIM, FSIM, PSNR and the squared error of what comes out. What becomes of its meaning is told by a
probe of pixels, fitted to true images: whether it tells the class of what comes out. Where latents are known,
`maestrata.experiments.reconstruction` asks exact inference instead.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from maestrata.experiments._features import models
from maestrata.experiments._quality import pass_through, pixel_error, quality
from maestrata.experiments.base import Job, Table
from maestrata.experiments.measures import root_class
from maestrata.masks import MaskPatches, evaluation_masks, visible_count
from maestrata.regression.probes import make
from maestrata.representation.reconstruct import reconstruct
from maestrata.resampling import mean_bootstrap
from maestrata.worlds.base import Sample
from maestrata.worlds.maps import one_hot

SUMMARY = "test images passed through models, whole and filled in: SSIM, FSIM, PSNR, squared error"
SETTINGS = {"eval_ratio": 0.75, "scored": 512, "fit": 2048}
RANGES = {
    "eval_ratio": {"above": 0, "below": 1},
    "scored": {"least": 2, "most": "test"},
    "fit": {"least": 100},
}
CELLS = True
NEEDS = "images"
FILLS_IN = True
FINDS = ("regression.probes.kernel_ridge",)

POINTS = 1000  # of the kernel


def run(job: Job) -> Table:
    """Score every trained model of the world, and the untrained one.

    Parameters
    ----------
    job : Job
        Its settings: `scored` test images; `eval_ratio`, at which tokens are masked where some are; `fit`
        images (no more than the job's own number) for the probe of pixels.

    Returns
    -------
    Table
        At level 0, means over images: ``ssim`` and ``fsim`` (images of 11 to 383 pixels a side), ``psnr``
        (dB) and ``mse`` (in the pixel values that models see) of whole images, nothing masked, and
        ``class_told``, the share whose class kernel ridge on pixels tells from what comes out (of images with
        classes); with the suffix ``_masked`` of images whose masked tokens are filled in, visible ones as
        they are; ``mask_ratio``. Masks are of one token, the same for all models. Arm ``original``:
        ``class_told`` of the true images.
    """
    sample = job.sample("test", "scored")
    images, told = sample.images, _reader(job, sample)
    visible = visible_count(job.grid.n_tokens, job.settings["eval_ratio"])
    masks = evaluation_masks(job.world.seed, MaskPatches(job.grid), visible, len(images))
    weights, grey = job.weights(len(images)), job.world.grey
    table = Table()
    for quantity, right in told(images).items():
        table.add("original", quantity, 0, mean_bootstrap(right, weights), len(right))
    for arm, model, _ in models(job, table):
        for others, suffix in (
            (pass_through(model, images), ""),
            (reconstruct(model, images, *masks)[0], "_masked"),
        ):
            scores = quality(grey(images), grey(others)) | {"mse": pixel_error(images, others)} | told(others)
            for quantity, values in scores.items():
                table.add(arm, f"{quantity}{suffix}", 0, mean_bootstrap(values, weights), len(values))
    return table


def _reader(job: Job, sample: Sample) -> Callable[[NDArray[np.float32]], dict[str, NDArray[np.bool_]]]:
    """Return what says of versions of the sample's images whether a probe of pixels tells the true class."""
    world = job.world
    if not sample.latents:
        return lambda others: {}
    labels, classes = root_class(world, sample.latents[world.levels])
    fit = job.sample("probe-train", "fit")
    known = root_class(world, fit.latents[world.levels])[0]
    pixels = fit.images.reshape(len(fit.images), -1)
    probe = make("kernel_ridge", points=POINTS).fit(pixels, one_hot(known, classes))
    return lambda others: {
        "class_told": probe.predict(others.reshape(len(others), -1)).argmax(1) == labels,
    }
