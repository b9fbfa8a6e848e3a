"""Handwritten digits of scikit-learn: 1,797 grey images of 8 x 8 pixels in ten classes, shipped with it."""

from __future__ import annotations

from typing import Any

from maestrata.worlds._packaged import packaged
from maestrata.worlds.images import ImageWorld


class Digits(ImageWorld):
    """Handwritten digits (optical recognition of handwritten digits, UCI, as scikit-learn has them).

    Parameters
    ----------
    seed : int
    token_pixels, **shared
        As of `ImageWorld`.
    """

    name = "digits"

    def __init__(self, seed: int, token_pixels: int = 2, **shared: Any) -> None:
        images = packaged(self.name, "digits")
        super().__init__(seed, images, token_pixels=token_pixels, **shared)
