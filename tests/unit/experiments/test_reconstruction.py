"""What comes out of models, scored by structure, pixels and the exact root posterior."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from skimage.metrics import peak_signal_noise_ratio

from maestrata import worlds
from maestrata.experiments import reconstruction
from maestrata.experiments.base import Job
from maestrata.experiments.reconstruction import pass_through, rank_correlations, score
from maestrata.experiments.settings import fill_settings
from maestrata.model.mae import MAEConfig
from maestrata.representation.encode import image_tokens
from maestrata.resampling import bootstrap_weights
from maestrata.training.recipe import Recipe

SMALL = MAEConfig(grid_height=2, grid_width=2, token_values=192, width=8, depth=1, decoder_width=8)


def test_a_perfect_reconstruction_and_a_grey_one():
    world = worlds.make("grammar_tree", 0, leaves=4, token_pixels=8, symbols=6)
    sample = world.sample(20)
    roots = sample.latents[2][:, 0, 0]
    perfect = score(world, sample.images, roots, sample.images)
    for quantity in ("ssim", "fsim", "root_probability", "root_accuracy"):
        assert perfect[quantity] == pytest.approx(1, abs=1e-6)
    assert (perfect["mse"] == 0).all()
    grey = sample.images.copy()
    grey[:, :, :8, 8:] = grey[:, :, 8:, :8] = 0  # tokens 1 and 2
    worse = score(world, sample.images, roots, grey)
    for quantity in ("ssim", "fsim", "root_probability"):
        assert worse[quantity].mean() < 0.9
    assert worse["mse"].mean() == pytest.approx(0.5, abs=0.1)  # half the image, of unit variance
    grey_levels = (part.astype(float) * 255 / 8 for part in (sample.images[0, 0], grey[0, 0]))
    one_channel = score(world, sample.images[:1], roots[:1], grey[:1])["psnr"]
    levels = [part.astype(float)[0] * 255 / 8 for part in (sample.images, grey)]
    assert one_channel == pytest.approx(peak_signal_noise_ratio(*levels, data_range=255))
    assert peak_signal_noise_ratio(*grey_levels, data_range=255) > 0


def test_whole_images_go_through_with_nothing_masked():
    world = worlds.make("grammar_tree", 0, leaves=4, token_pixels=8, symbols=6)
    images = world.sample(3).images
    model = Job(world, 0, SMALL).initial().eval()
    out = pass_through(model, images)
    assert out.shape == images.shape
    changed = images.copy()
    changed[:, :, :8, :8] += 1  # every token is seen: each has its part in every other
    assert (abs(pass_through(model, changed) - out).max((0, 1)) > 0).all()
    # a token is decoded from the encoder's token at its place, not from the mask token
    with torch.no_grad():
        model.mask_token += 1
    assert np.array_equal(pass_through(model, images), out)
    with torch.no_grad():
        model.head.bias += 2
    assert pass_through(model, images) == pytest.approx(out + 2, abs=1e-5)
    assert image_tokens(out, SMALL).shape == (3, 4, 192)


def scores(ssim, fsim, error, root):
    """Scores of one model, the same for each of eight images but for a little noise."""
    noise = 1e-6 * np.random.default_rng(0).standard_normal(8)
    values = {"ssim": ssim, "fsim": fsim, "mse": error, "psnr": -error, "root_probability": root}
    return {key: value + noise for key, value in values.items()}


def test_rankings_that_part_and_rankings_that_do_not():
    roots, errors = (0.1, 0.2, 0.3, 0.4, 0.5), (5.0, 4.0, 3.0, 2.0, 1.0)
    weights = bootstrap_weights(0, 8, 20)
    together = [scores(r, r, e, r) for r, e in zip(roots, errors, strict=True)]
    apart = [scores(r, r, e, r) for r, e in zip(roots, errors[::-1], strict=True)]
    for ranks, pixels in ((rank_correlations(together, weights), 1), (rank_correlations(apart, weights), -1)):
        assert ranks["rank_ssim"] == pytest.approx(1) and ranks["rank_fsim"] == pytest.approx(1)
        assert ranks["rank_psnr"] == pytest.approx(pixels) and ranks["rank_mse"] == pytest.approx(pixels)
        assert ranks["rank_gap"] == pytest.approx(1 - pixels, abs=1e-12)
    # two neighbours exchanged in one of the four measures: .1 in its correlation, .05 in the gap
    swapped = [scores(s, r, e, r) for s, r, e in zip((0.2, 0.1, 0.3, 0.4, 0.5), roots, errors, strict=True)]
    assert rank_correlations(swapped, weights)["rank_gap"] == pytest.approx(-0.05)
    assert np.isnan(rank_correlations([scores(0.5, 0.5, 1.0, 0.5)] * 3, weights)["rank_gap"]).all()


@pytest.mark.parametrize("kind", reconstruction.WORLDS)
def test_run_measures_every_ratio(kind):
    world = worlds.make(kind, 1, leaves=4, token_pixels=8, patterns="oriented")
    given = {"images": 128, "mask_ratios": (0.25, 0.5, 0.75), "eval_ratio": 0.5, "scored": 32}
    settings = fill_settings("reconstruction", given, reconstruction.SETTINGS)
    job = Job(world, 0, SMALL, Recipe(batch=64), settings, replicates=20)
    axes, data = reconstruction.run(job).arrays()
    models = ["1x1/v3", "1x1/v2", "1x1/v1"]
    assert axes["arm"][:5] == [*models, "exact", "original"]
    assert data["setting"][:3].tolist() == [0.25, 0.5, 0.75]

    def at(arm, quantity):
        return data["value"][axes["arm"].index(arm), axes["quantity"].index(quantity), 0]

    for quantity in ("ssim", "fsim", "psnr", "mse", "root_probability", "root_accuracy"):
        assert all(np.isfinite(at(arm, quantity)) for arm in models)
        assert all(np.isfinite(at(arm, f"{quantity}_masked")) for arm in (*models, "exact"))
    assert all(at("exact", "mse_masked") < at(arm, "mse_masked") for arm in models)  # no decoder can beat it
    assert at("original", "root_accuracy") > 0.9
    if "ratios" in axes["arm"]:
        assert at("ratios", "progress") == min(at(arm, "progress") for arm in models)
