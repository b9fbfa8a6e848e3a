"""How alike two images are: SSIM, FSIM and the mean squared error, over batches of one-channel images.

SSIM (Wang, Bovik, Sheikh & Simoncelli, IEEE Trans. Image Process. 13, 2004) and FSIM (Zhang, Zhang, Mou &
Zhang, IEEE Trans. Image Process. 20, 2011) compare local structure. SSIM is scikit-image's; FSIM is our own,
since no maintained library has it. Images are grey levels, nominally 0 to 255: the constants of SSIM and FSIM
are stated for that range. Values beyond it are allowed, and not clipped.

FSIM rests on phase congruency (Kovesi, Videre 1, 1999): how far the Fourier components at a point are in
phase, whatever their amplitude. The response of a bank of log-Gabor filters, 4 scales and 4 orientations, is

    PC = sum_o max(E_o - T_o, 0) / sum_o sum_s A_os,

with A the modulus of a complex response, E_o the response along the mean phase of an orientation minus the
modulus across it, and T_o what noise alone would give, judged from the median at the finest scale.
"""

from __future__ import annotations

from functools import lru_cache
from math import log, pi, sqrt
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.fft import fft2, ifft2
from scipy.ndimage import correlate1d
from skimage.metrics import structural_similarity

from maestrata.errors import ExperimentError
from maestrata.experiments.settings import WINDOW
from maestrata.worlds.base import GREY_LEVELS  # L of the papers

Floats = NDArray[np.float64]

T1, T2 = 0.85, 160.0  # FSIM's constants for phase congruency and for gradients of 0..255
SCALES, ORIENTATIONS = 4, 4
SHORTEST_WAVE, WAVE_RATIO = 6.0, 2.0  # pixels; each scale twice as coarse as the one before
BANDWIDTH = 0.55  # deviation of a log-Gabor over its centre frequency
ANGLE_SHARE = 1.2  # spacing of the orientations over the deviation of their angular Gaussian
NOISE_SIGMAS, NOISE_RESCALE = 2.0, 1.7
LOWPASS, LOWPASS_ORDER = 0.45, 15
LARGEST_SIDE = 383  # from 384 on the original averages images down first
BLOCK = 1 << 21  # numbers in a working array


def mean_squared_error(one: ArrayLike, other: ArrayLike) -> Floats:
    """Mean squared error of each pair of images, (n,), in squared grey levels."""
    x, y = _pair(one, other, 1)
    error: Floats = np.square(x - y).mean((1, 2))
    return error


def ssim(one: ArrayLike, other: ArrayLike) -> Floats:
    """Structural similarity of each pair of images.

    Parameters
    ----------
    one, other : array (n, y, x)
        Grey levels; sides of at least 11 pixels.

    Returns
    -------
    ndarray (n,)
        -1 to 1; mean over all places of the Gaussian window of 11 x 11 pixels, deviation 1.5, that lie
        wholly within the image.

    Raises
    ------
    ExperimentError
        If the two are not of one shape, or too small.
    """
    # window and constants of the paper: weights that are Gaussian, moments that are those of the window
    options = {"gaussian_weights": True, "use_sample_covariance": False, "data_range": GREY_LEVELS}
    pairs = zip(*_pair(one, other, WINDOW), strict=True)
    return np.array([structural_similarity(a, b, **options) for a, b in pairs])


class _Features(NamedTuple):
    """What FSIM compares: phase congruency and gradient magnitude, each (n, y, x)."""

    congruency: Floats
    gradient: Floats


def fsim(one: ArrayLike, other: ArrayLike) -> Floats:
    """Feature similarity of each pair of images, without colour.

    Parameters
    ----------
    one, other : array (n, y, x)
        Grey levels; sides of 11 to 383 pixels (up to there the original does not average images down).

    Returns
    -------
    ndarray (n,)
        0 to 1: the similarity of phase congruency times that of Scharr gradients, averaged with the larger
        phase congruency as weight. Where neither image has any, every pixel weighs the same.

    Raises
    ------
    ExperimentError
        If the two are not of one shape, or too small or large.
    """
    x, y = _pair(one, other, WINDOW)
    if max(x.shape[1:]) > LARGEST_SIDE:
        raise ExperimentError(
            f"images of {x.shape[1]}x{x.shape[2]} pixels must have sides of at most {LARGEST_SIDE} (FSIM)"
        )
    a, b = (_Features(phase_congruency(part), _gradient(part)) for part in (x, y))
    alike = _alike(a.congruency, b.congruency, T1) * _alike(a.gradient, b.gradient, T2)
    weight = np.maximum(a.congruency, b.congruency)
    weight = np.where(weight.sum((1, 2), keepdims=True) > 0, weight, 1.0)
    index: Floats = (alike * weight).sum((1, 2)) / weight.sum((1, 2))
    return index


def _alike(a: Floats, b: Floats, constant: float) -> Floats:
    return (2 * a * b + constant) / (a * a + b * b + constant)


def _gradient(images: Floats) -> Floats:
    """Gradient magnitude by Scharr's 3 x 3 operator over 16; zeros beyond the border."""
    smooth, slope = np.array([3.0, 10.0, 3.0]) / 16, np.array([-1.0, 0.0, 1.0])
    parts = []
    for along, across in ((1, 2), (2, 1)):
        step = correlate1d(images, slope, axis=along, mode="constant")
        parts.append(correlate1d(step, smooth, axis=across, mode="constant"))
    return np.hypot(*parts)


def phase_congruency(images: ArrayLike) -> Floats:
    """Phase congruency of images (n, y, x): (n, y, x), 0 to 1. See the module's docstring."""
    pixels = np.asarray(images, np.float64)
    bank, noise = _filters(*pixels.shape[1:])
    step = max(1, BLOCK // bank.size)
    parts = [_congruency(pixels[i : i + step], bank, noise) for i in range(0, len(pixels), step)]
    return np.concatenate(parts)


def _congruency(images: Floats, bank: Floats, noise: Floats) -> Floats:
    spectrum = fft2(images)
    energy, amplitude = np.zeros(images.shape), np.zeros(images.shape)
    for filters, unit in zip(bank, noise, strict=True):
        response = ifft2(spectrum[:, None] * filters)  # (n, scales, y, x)
        modulus = abs(response)
        total = response.sum(1, keepdims=True)
        mean_phase = total / np.maximum(abs(total), np.finfo(float).tiny)
        turned = response * mean_phase.conj()  # real: along the mean phase, imaginary: across
        along = (turned.real - abs(turned.imag)).sum(1)
        # |response|^2 of noise is exponential, its median log 2 of its mean
        power = np.median(np.square(modulus[:, 0]), axis=(1, 2)) / log(2)
        threshold = np.sqrt(power) * unit
        energy += np.maximum(along - threshold[:, None, None], 0)
        amplitude += modulus.sum(1)
    # an image without structure has amplitudes of rounding alone
    floor = 1e-9 * np.maximum(abs(images).max((1, 2), keepdims=True), np.finfo(float).tiny)
    return np.where(amplitude > floor, energy / np.maximum(amplitude, floor), 0.0)


@lru_cache(maxsize=8)
def _filters(height: int, width: int) -> tuple[Floats, Floats]:
    """Log-Gabor filters (orientation, scale, y, x), zero frequency first; noise thresholds (orientation,).

    The thresholds are those for noise whose mean squared response at the finest scale is 1: mean and two
    deviations of a Rayleigh variable, over 1.7 (Kovesi's empirical factor for this measure).
    """
    v, u = np.meshgrid(_frequencies(height), _frequencies(width), indexing="ij")
    radius, angle = np.hypot(u, v), np.arctan2(-v, u)
    radius[0, 0] = 1.0  # the mean is not a wave: its filters are set to 0
    lowpass = 1 / (1 + (radius / LOWPASS) ** (2 * LOWPASS_ORDER))
    radial = []
    for scale in range(SCALES):
        centre = 1 / (SHORTEST_WAVE * WAVE_RATIO**scale)
        gabor = np.exp(-(np.log(radius / centre) ** 2) / (2 * log(BANDWIDTH) ** 2)) * lowpass
        gabor[0, 0] = 0.0
        radial.append(gabor)
    deviation = pi / (ORIENTATIONS * ANGLE_SHARE)
    angular = []
    for orientation in range(ORIENTATIONS):
        apart = abs(np.angle(np.exp(1j * (angle - orientation * pi / ORIENTATIONS))))
        angular.append(np.exp(-(apart**2) / (2 * deviation**2)))
    bank = np.stack(angular)[:, None] * np.stack(radial)
    # noise of unit power through all scales: E|sum of even responses|^2, over that of the finest
    even = ifft2(bank).real * sqrt(height * width)
    tau = np.sqrt(np.square(even.sum(1)).sum((1, 2)) / np.square(bank[:, 0]).sum((1, 2)))
    thresholds = tau * (sqrt(pi / 2) + NOISE_SIGMAS * sqrt(2 - pi / 2)) / NOISE_RESCALE
    for array in (bank, thresholds):
        array.setflags(write=False)
    return bank, thresholds


def _frequencies(n: int) -> Floats:
    """Frequencies along an axis, zero first; odd lengths are scaled by n - 1, as in the original."""
    half = n // 2
    grid = np.arange(-half, n - half) / (n - n % 2)
    return np.fft.ifftshift(grid)


def _pair(one: ArrayLike, other: ArrayLike, side: int) -> tuple[Floats, Floats]:
    x, y = np.asarray(one, np.float64), np.asarray(other, np.float64)
    if x.ndim != 3 or x.shape != y.shape or min(x.shape[1:]) < side:
        raise ExperimentError(
            f"images of shapes {x.shape}, {y.shape} must be one shape (n, y, x), sides of at least {side}"
        )
    return x, y
