"""What a set of images is: every image is read once, checked, and goes into the moments of the channels."""

from __future__ import annotations

from typing import Any

import numpy as np

from maestrata.errors import WorldError
from maestrata.worlds._source import Source

CHUNK = 256  # images read at a time


def survey(world: str, source: Source) -> dict[str, Any]:
    """Return number of images and of classes, moments of each channel, and the ends of all values.

    Parameters
    ----------
    world : str
        Name of the world, for the error.
    source : Source

    Raises
    ------
    WorldError
        If an image cannot be read or holds no numbers, all are of one class, or a channel never varies.
    """
    if source.labels is not None and len(source.classes) < 2:
        raise WorldError(
            f"{world}: {source.where} holds images of one class alone ({source.classes[0]}): two are "
            "needed for a class probe; for images without classes set labels: false"
        )
    total, squares = np.zeros(source.shape[0]), np.zeros(source.shape[0])
    low, high = np.inf, -np.inf
    for start in range(0, len(source), CHUNK):
        rows = np.arange(start, min(start + CHUNK, len(source)))
        images = source.read(rows).astype(np.float64)
        bad = ~np.isfinite(images).all((1, 2, 3))
        if bad.any():
            raise WorldError(
                f"{world}: {source.named(int(rows[bad.argmax()]))} holds NaN or infinity: every value must "
                "be a number"
            )
        low, high = min(low, images.min()), max(high, images.max())
        total += images.sum((0, 2, 3))
        squares += np.square(images).sum((0, 2, 3))
    count = len(source) * np.prod(source.shape[1:])
    mean = total / count
    deviation = np.sqrt(np.maximum(squares / count - mean**2, 0))
    if not (deviation > 1e-6 * np.maximum(1, abs(mean))).all():
        channel = int((deviation <= 1e-6 * np.maximum(1, abs(mean))).argmax())
        raise WorldError(
            f"{world}: channel {channel} of {source.where} is {mean[channel]:g} in every image: images must "
            "vary"
        )
    return {
        "images": len(source),
        "classes": len(source.classes),
        "mean": mean.tolist(),
        "deviation": deviation.tolist(),
        "low": float(low),
        "high": float(high),
    }
