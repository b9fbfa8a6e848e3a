"""What a token shows of its symbol: values drawn one by one, or a grating with a direction and a colour."""

from __future__ import annotations

from math import pi

import numpy as np
from numpy.typing import NDArray

from maestrata.errors import WorldError

KINDS = ("random", "oriented")
LEAST_PIXELS = 4  # a side on which a direction can be seen
_DRAWS = 64
_ENVELOPE = 0.5  # deviation of the window, in sides of a token


def check_patterns(world: str, kind: object, token_pixels: int) -> None:
    """Refuse an unknown kind of patterns, and oriented ones on tokens of too few pixels."""
    if kind not in KINDS:
        raise WorldError(f"{world}: patterns={kind!r} must be one of: {', '.join(KINDS)}")
    if kind == "oriented" and token_pixels < LEAST_PIXELS:
        raise WorldError(
            f"{world}: token_pixels={token_pixels} must be at least {LEAST_PIXELS} for patterns='oriented'"
        )


def draw_patterns(
    rng: np.random.Generator, kind: str, symbols: int, channels: int, pixels: int
) -> NDArray[np.float64]:
    """Draw the pattern of each symbol, (symbols, values of a token): mean 0 and variance 1 over symbols."""
    if kind == "oriented":
        draws = [_gratings(rng, symbols, channels, pixels) for _ in range(_DRAWS)]
        return max(draws, key=_closest)
    return _standard(rng.standard_normal((symbols, channels * pixels**2)))


def _gratings(rng: np.random.Generator, symbols: int, channels: int, pixels: int) -> NDArray[np.float64]:
    """Draw gratings of one period a token under a Gaussian window: Gabor functions, one a symbol.

    Their directions are spread evenly over the half circle; phase and colour are random.
    """
    angle = pi * (rng.permutation(symbols) + rng.random()) / symbols
    phase = rng.uniform(0, 2 * pi, symbols)
    colour = rng.standard_normal((symbols, channels))
    at = (np.arange(pixels) + 0.5) / pixels - 0.5
    along = np.cos(angle)[:, None, None] * at + np.sin(angle)[:, None, None] * at[:, None]
    window = np.exp(-(at**2 + at[:, None] ** 2) / (2 * _ENVELOPE**2))
    wave = np.cos(2 * pi * along + phase[:, None, None]) * window
    values = (colour[:, :, None, None] * wave[:, None]).reshape(symbols, -1)
    return _standard(values / np.sqrt(np.square(values).mean(1, keepdims=True)))


def _standard(values: NDArray[np.float64]) -> NDArray[np.float64]:
    values = values - values.mean(0)
    return np.asarray(values / values.std())


def _closest(patterns: NDArray[np.float64]) -> float:
    """Squared distance of the two closest patterns."""
    square = np.square(patterns).sum(1)
    apart = square[:, None] + square - 2 * patterns @ patterns.T
    return float(apart[np.triu_indices(len(patterns), 1)].min())
