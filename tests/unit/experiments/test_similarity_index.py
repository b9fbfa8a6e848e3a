"""Image similarity: values of other implementations, and what must hold whatever the implementation."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from maestrata.errors import ExperimentError
from maestrata.experiments._similarity_index import (
    fsim,
    mean_squared_error,
    phase_congruency,
    ssim,
)


def scene(height, width):
    """Waves, a disc and stripes, in grey levels."""
    y, x = np.mgrid[:height, :width].astype(float)
    disc = (x - height / 3) ** 2 + (y - width / 2) ** 2 < (height / 4) ** 2
    waves = 128 + 60 * np.sin(2 * np.pi * (x * 3 + y * 2) / height)
    return waves + 40 * disc - 30 * ((x + y) % 16 < 4)


def changed(image, how):
    y, x = np.mgrid[: image.shape[0], : image.shape[1]]
    if how == "wave":
        return np.clip(image + 25 * np.cos(1.7 * x + 0.3 * y * y), 0, 255)
    return np.clip(gaussian_filter(image, 1.5) if how == "blur" else image[::-1], 0, 255)


# (height, width, change, FSIM, SSIM) as piq 0.8.0 computes them (data_range=255, chromatic=False,
# downsample=False); its own tests compare its FSIM with that of the authors' MATLAB code on two photographs.
KNOWN = [
    (33, 33, "wave", 0.9069322456182534, 0.8842886798762728),
    (33, 33, "blur", 0.8615031560466071, 0.8370031395592364),
    (33, 33, "flip", 0.7345633373724706, 0.08762536667895506),
    (65, 65, "wave", 0.8445444100044585, 0.7534726502538259),
    (65, 65, "blur", 0.9221701089995594, 0.8984330954321246),
    (65, 65, "flip", 0.7435435710104861, 0.0788197130200478),
    (129, 97, "wave", 0.7764451809551692, 0.592441074065786),
    (129, 97, "blur", 0.8850970435835558, 0.8326170460221559),
    (129, 97, "flip", 0.7179820660036751, 0.07590049670177247),
    # an even number of pixels: piq takes the lower of the two middle values for the median
    (32, 32, "wave", 0.9061910808800808, 0.8928446736190774),
    (32, 32, "flip", 0.7289720340599508, 0.08512753590390626),
    (64, 48, "blur", 0.9198267289192981, 0.9032647965788893),
]


@pytest.mark.parametrize(("height", "width", "how", "feature", "structure"), KNOWN)
def test_values_of_another_implementation(height, width, how, feature, structure):
    image = np.clip(scene(height, width), 0, 255)[None]
    other = changed(image[0], how)[None]
    even = height * width % 2 == 0
    assert fsim(image, other)[0] == pytest.approx(feature, abs=2e-5 if even else 1e-12)
    assert ssim(image, other)[0] == pytest.approx(structure, abs=1e-12)


def test_ssim_of_a_batch_is_that_of_each_image():
    rng = np.random.default_rng(0)
    images = rng.uniform(0, 255, (3, 32, 40))
    others = images + rng.normal(0, 40, images.shape)
    alone = [ssim(a[None], b[None])[0] for a, b in zip(images, others, strict=True)]
    np.testing.assert_allclose(ssim(images, others), alone, rtol=0, atol=1e-12)


def test_what_can_be_derived_by_hand():
    # constant images a and b: SSIM is (2ab + C1) / (a^2 + b^2 + C1), C1 = (.01 * 255)^2
    a, b = np.full((1, 16, 16), 100.0), np.full((1, 16, 16), 150.0)
    c1 = 2.55**2
    assert ssim(a, b)[0] == pytest.approx((2 * 100 * 150 + c1) / (100**2 + 150**2 + c1), rel=1e-9)
    assert mean_squared_error(a, b)[0] == 2500
    # an image and its opposite about 0, mean 0 in every window: (c2 - 2v) / (c2 + 2v) at large v is -1
    x = np.tile([[1e4, -1e4], [-1e4, 1e4]], (16, 16))[None]
    assert ssim(x, -x)[0] == pytest.approx(-1, abs=1e-4)


def test_identity_symmetry_and_range():
    rng = np.random.default_rng(1)
    x = rng.uniform(0, 255, (4, 32, 32))
    x[3] = 77.0  # no structure at all
    y = np.concatenate([x[1:], x[:1]])
    for index in (ssim, fsim):
        assert index(x, x) == pytest.approx(1, abs=1e-12)
        assert index(x, y) == pytest.approx(index(y, x), abs=1e-12)
        assert (index(x, y) < 1).all() and (index(x, y) > -1).all()
    assert (fsim(x, y) > 0).all()


@pytest.mark.parametrize("index", [ssim, fsim, lambda a, b: -mean_squared_error(a, b)])
def test_more_noise_and_more_blur_are_less_alike(index):
    image = scene(48, 48)
    noise = np.random.default_rng(2).standard_normal(image.shape)
    noisy = np.stack([image + s * noise for s in (2, 8, 20, 50)])
    blurred = np.stack([gaussian_filter(image, s) for s in (0.5, 1, 2, 4)])
    for worse in (noisy, blurred):
        assert (np.diff(index(np.broadcast_to(image, worse.shape), worse)) < 0).all()


def test_phase_congruency_knows_edges_whatever_their_contrast():
    step = np.zeros((1, 64, 64))
    step[:, :, 32:] = 1.0
    weak, strong = phase_congruency(step * 20)[0], phase_congruency(step * 200 + 30)[0]
    assert abs(weak - strong).max() < 1e-6
    middle = strong[20:44]  # away from the border, where the image, taken as periodic, steps back
    assert middle[:, 31:33].min() > 0.7 and middle[:, 4:10].max() < 0.3
    assert (phase_congruency(np.full((1, 32, 32), 9.0)) == 0).all()


def test_a_batch_is_its_images_one_by_one():
    rng = np.random.default_rng(3)
    x, y = rng.uniform(0, 255, (2, 200, 32, 32))
    for index in (ssim, fsim):
        together = index(x, y)
        assert together.shape == (200,)
        assert together[[0, 150]] == pytest.approx([index(x[i : i + 1], y[i : i + 1])[0] for i in (0, 150)])


@pytest.mark.parametrize("index", [ssim, fsim])
@pytest.mark.parametrize(
    "shapes", [((1, 32, 32), (1, 32, 31)), ((32, 32), (32, 32)), ((1, 10, 32), (1, 10, 32))]
)
def test_images_that_do_not_fit_are_refused(index, shapes):
    with pytest.raises(ExperimentError, match="must be one shape"):
        index(*(np.zeros(shape) for shape in shapes))


def test_images_that_fsim_would_average_down_are_refused():
    with pytest.raises(ExperimentError, match="images of 384x384 pixels must have sides of at most 383"):
        fsim(np.zeros((1, 384, 384)), np.zeros((1, 384, 384)))
