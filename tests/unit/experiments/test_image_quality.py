"""Quality of what given images become: scikit-image's numbers, in the grey levels of the set."""

from __future__ import annotations

import numpy as np
import pytest
from skimage.metrics import peak_signal_noise_ratio, structural_similarity

from maestrata import worlds
from maestrata.experiments import attention, embedding, image_quality
from maestrata.experiments._quality import pass_through


def value(table, arm, quantity):
    axes, data = table.arrays()
    if quantity not in axes["quantity"]:
        return None
    return float(data["value"][axes["arm"].index(arm), axes["quantity"].index(quantity), 0])


def test_small_images_have_psnr_and_error_and_no_structure(cells_job):
    job = cells_job("image_quality", worlds.make("digits", 0), visible=(4, 12), scored=60, eval_ratio=0.1)
    table = image_quality.run(job)
    images = job.world.sample(60, "test").images
    others = pass_through(job.cells[0].model(), images)
    assert value(table, "1x1/v4", "mse") == pytest.approx(np.square(images - others).mean(), rel=1e-5)
    pairs = zip(job.world.grey(images), job.world.grey(others), strict=True)
    psnr = np.mean([peak_signal_noise_ratio(a, b, data_range=255) for a, b in pairs])
    assert value(table, "1x1/v4", "psnr") == pytest.approx(psnr, rel=1e-6)
    assert value(table, "1x1/v4", "ssim") is None
    # a probe of pixels tells digits, and of what an untrained model makes of them next to nothing
    assert value(table, "original", "class_told") > 0.8
    assert value(table, "1x1/v4", "class_told") < 0.4
    # two of sixteen tokens are filled in, with values that mean nothing
    assert value(table, "1x1/v4", "class_told_masked") > value(table, "1x1/v4", "class_told") + 0.1
    assert value(table, "1x1/v4", "mask_ratio") == 0.75 and value(table, "random_init", "psnr") < 40


def test_larger_images_have_all_four_and_visible_tokens_stay(cells_job, tmp_path):
    images = np.random.default_rng(0).integers(0, 255, (60, 16, 16, 3)).astype(np.uint8)
    np.save(tmp_path / "a.npy", images)
    world = worlds.make("image_array", 0, path=str(tmp_path / "a.npy"), token_pixels=4, test=0.5)
    job = cells_job("image_quality", world, visible=(8,), scored=10, eval_ratio=0.5)
    table = image_quality.run(job)
    sample = world.sample(10, "test").images
    one, other = world.grey(sample), world.grey(pass_through(job.cells[0].model(), sample))
    how = {"gaussian_weights": True, "use_sample_covariance": False, "data_range": 255}
    ssim = np.mean(
        [structural_similarity(a, b, channel_axis=0, **how) for a, b in zip(one, other, strict=True)]
    )
    assert value(table, "1x1/v8", "ssim") == pytest.approx(ssim, rel=1e-6)
    assert 0 < value(table, "1x1/v8", "fsim") < 1
    assert value(table, "1x1/v8", "mse_masked") < value(table, "1x1/v8", "mse")
    assert value(table, "1x1/v8", "class_told") is None  # there are no classes


def test_attention_and_embedding_take_given_images(cells_job):
    digits = worlds.make("digits", 0)
    table = attention.run(cells_job("attention", digits, visible=(8,), test=50, shown=1, shown_world_seed=0))
    assert 0 < value(table, "1x1/v8", "self_mass") < 1
    job = cells_job("embedding", digits, visible=(8,), images_embedded=120, steps=250, shown_world_seed=0)
    table = embedding.run(job)
    assert value(table, "pca", "purity") > value(table, "chance", "purity") + 0.2
