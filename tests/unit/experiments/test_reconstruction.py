"""Reconstructions scored by structure, pixels and the exact root posterior."""

from __future__ import annotations

import numpy as np
import pytest
from skimage.metrics import peak_signal_noise_ratio

from maestrata import worlds
from maestrata.experiments import reconstruction
from maestrata.experiments.base import Job
from maestrata.experiments.reconstruction import Masks, means, rank_correlations, score
from maestrata.experiments.settings import fill_settings
from maestrata.model.mae import MAEConfig
from maestrata.resampling import bootstrap_weights


def test_a_perfect_reconstruction_and_a_grey_one():
    world = worlds.make("grammar_tree", 0, leaves=4, token_pixels=8, symbols=6)
    sample = world.sample(20)
    roots = sample.latents[2][:, 0, 0]
    masks = Masks(np.tile([0, 3], (20, 1)), np.tile([1, 2], (20, 1)))
    perfect = score(world, sample.images, roots, sample.images, masks)
    for quantity in ("ssim", "fsim", "root_probability", "root_accuracy"):
        assert perfect[quantity] == pytest.approx(1, abs=1e-6)
    assert (perfect["mse"] == 0).all()
    assert (perfect["root_probability_filled"] < 1).any()  # two tokens do not determine the root
    grey = sample.images.copy()
    grey[:, :, :8, 8:] = grey[:, :, 8:, :8] = 0  # tokens 1 and 2
    worse = score(world, sample.images, roots, grey, masks)
    for quantity in ("ssim", "fsim", "root_probability"):
        assert worse[quantity].mean() < 0.9
    assert worse["mse"].mean() == pytest.approx(1, abs=0.2)  # the variance of a pixel
    found = means(worse, np.ones((1, 20), np.float32))
    levels = (part.astype(float) * 255 / 8 for part in (sample.images, grey))
    assert found["psnr"][0] == pytest.approx(peak_signal_noise_ratio(*levels, data_range=255))


def scores(ssim, fsim, error, root):
    """Scores of one model, the same for each of eight images but for a little noise."""
    noise = 1e-6 * np.random.default_rng(0).standard_normal(8)
    values = {"ssim": ssim, "fsim": fsim, "mse": error, "image_error": error, "root_probability": root}
    return {key: value + noise for key, value in values.items()}


def test_rankings_that_part_and_rankings_that_do_not():
    roots, errors = (0.1, 0.2, 0.3, 0.4, 0.5), (5.0, 4.0, 3.0, 2.0, 1.0)
    weights = bootstrap_weights(0, 8, 20)
    together = [scores(r, r, e, r) for r, e in zip(roots, errors, strict=True)]
    apart = [scores(r, r, e, r) for r, e in zip(roots, errors[::-1], strict=True)]
    for found, pixels in ((rank_correlations(together, weights), 1), (rank_correlations(apart, weights), -1)):
        assert found["rank_ssim"] == pytest.approx(1) and found["rank_fsim"] == pytest.approx(1)
        assert found["rank_psnr"] == pytest.approx(pixels) and found["rank_mse"] == pytest.approx(pixels)
        assert found["rank_gap"] == pytest.approx(1 - pixels, abs=1e-12)
    # two neighbours exchanged in one of the four measures: .1 in its correlation, .05 in the gap
    swapped = [scores(s, r, e, r) for s, r, e in zip((0.2, 0.1, 0.3, 0.4, 0.5), roots, errors, strict=True)]
    assert rank_correlations(swapped, weights)["rank_gap"] == pytest.approx(-0.05)
    assert np.isnan(rank_correlations([scores(0.5, 0.5, 1.0, 0.5)] * 3, weights)["rank_gap"]).all()


def test_run_measures_every_ratio():
    world = worlds.make("grammar_tree", 1, leaves=8, symbols=8)
    given = {
        "leaves": 4,
        "token_pixels": 8,
        "symbols": 6,
        "images": 128,
        "mask_ratios": (0.25, 0.5, 0.75),
        "patches": ("2x1",),
        "patch_ratio": 0.5,
        "eval_ratio": 0.5,
        "scored": 32,
    }
    settings = fill_settings("reconstruction", given, reconstruction.SETTINGS)
    cfg = MAEConfig(grid_height=4, grid_width=2, width=8, depth=1, decoder_width=8)
    axes, data = reconstruction.run(Job(world, 0, cfg, settings=settings, replicates=20)).arrays()
    models = ["1x1/v3", "1x1/v2", "1x1/v1", "2x1/v1"]
    assert axes["arm"][:4] == models and set(axes["arm"][4:]) <= {"exact", "grey", "ratios"}
    assert data["setting"][:4].tolist() == [0.25, 0.5, 0.75, 0.5]

    def at(arm, quantity):
        return data["value"][axes["arm"].index(arm), axes["quantity"].index(quantity), 0]

    for quantity in ("ssim", "fsim", "psnr", "mse", "root_probability", "root_accuracy"):
        assert all(np.isfinite(at(arm, quantity)) for arm in (*models, "exact", "grey"))
        assert all(np.isfinite(at(arm, f"{quantity}_own")) for arm in models)
    assert all(at("exact", "mse") < at(arm, "mse") for arm in (*models, "grey"))  # no decoder can beat it
    assert at("1x1/v2", "ssim") == at("1x1/v2", "ssim_own")  # its own masks are the common ones
