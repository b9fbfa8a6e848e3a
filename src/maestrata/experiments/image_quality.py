"""How well models of given images reconstruct them: whole test images, as in the paper, and masked ones.

The paper passes validation images through encoder and decoder with nothing masked, and compares masking
ratios by SSIM, FSIM, PSNR and the squared error of what comes out. Where latents are known,
`maestrata.experiments.reconstruction` says besides what becomes of their meaning.
"""

from __future__ import annotations

from maestrata.experiments._features import models
from maestrata.experiments._quality import pass_through, pixel_error, quality
from maestrata.experiments.base import Job, Table
from maestrata.masks import MaskPatches, evaluation_masks, visible_count
from maestrata.representation.reconstruct import reconstruct
from maestrata.resampling import mean_bootstrap

SUMMARY = "test images passed through models, whole and filled in: SSIM, FSIM, PSNR, squared error"
SETTINGS = {"eval_ratio": 0.75, "scored": 512}
RANGES = {"eval_ratio": {"above": 0, "below": 1}, "scored": {"least": 2, "most": "test"}}
CELLS = True
NEEDS = "images"
FILLS_IN = True


def run(job: Job) -> Table:
    """Score every trained model of the world, and the untrained one.

    Parameters
    ----------
    job : Job
        Its settings: `scored` test images; `eval_ratio`, at which tokens are masked where some are.

    Returns
    -------
    Table
        At level 0, means over images: ``ssim`` and ``fsim`` (images of 11 to 383 pixels a side), ``psnr``
        (dB) and ``mse`` (in the pixel values that models see) of whole images, nothing masked; with the
        suffix ``_masked`` of images whose masked tokens are filled in, visible ones as they are;
        ``mask_ratio``. Masks are of one token, the same for all models.
    """
    images = job.sample("test", "scored").images
    visible = visible_count(job.grid.n_tokens, job.settings["eval_ratio"])
    masks = evaluation_masks(job.world.seed, MaskPatches(job.grid), visible, len(images))
    weights, grey = job.weights(len(images)), job.world.grey
    table = Table()
    for arm, model, _ in models(job, table):
        for others, suffix in (
            (pass_through(model, images), ""),
            (reconstruct(model, images, *masks)[0], "_masked"),
        ):
            scores = quality(grey(images), grey(others)) | {"mse": pixel_error(images, others)}
            for quantity, values in scores.items():
                table.add(arm, f"{quantity}{suffix}", 0, mean_bootstrap(values, weights), len(values))
    return table
