"""Handwritten digits of scikit-learn: 1,797 grey images of 8 x 8 pixels in ten classes, shipped with it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from maestrata.worlds._augment import Augmentation
from maestrata.worlds._packaged import packaged
from maestrata.worlds.images import ImageWorld


class Digits(ImageWorld):
    """Handwritten digits (optical recognition of handwritten digits, UCI, as scikit-learn has them).

    Parameters
    ----------
    seed : int
    token_pixels, fit, test, data
        As of `ImageWorld`.
    shift, flip, crop
        As of `maestrata.worlds._augment.Augmentation`.
    """

    name = "digits"

    def __init__(
        self,
        seed: int,
        token_pixels: int = 2,
        fit: str = "exact",
        test: float = 0.25,
        shift: int = 0,
        flip: bool = False,
        crop: float = 1.0,
        data: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(
            seed,
            packaged(self.name, "digits"),
            token_pixels=token_pixels,
            fit=fit,
            test=test,
            augmentation=Augmentation(shift, flip, crop),
            data=data,
        )
