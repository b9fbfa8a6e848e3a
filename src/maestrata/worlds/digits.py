"""Handwritten digits of scikit-learn: 1,797 grey images of 8 x 8 pixels in ten classes, shipped with it."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from maestrata.errors import WorldError
from maestrata.worlds._augment import Augmentation
from maestrata.worlds.image_array import Array
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
        rows = _read()
        super().__init__(
            seed,
            Array("digits of scikit-learn", rows[:, :-1].reshape(-1, 8, 8), rows[:, -1].astype(np.int64)),
            token_pixels=token_pixels,
            fit=fit,
            test=test,
            augmentation=Augmentation(shift, flip, crop),
            data=data,
        )


def _read() -> NDArray[np.uint8]:
    """Read 64 pixels, 0 to 16, and the digit of each image from the file that scikit-learn reads.

    Importing its `load_digits` takes 3 s, this a tenth of one, and every job of a run does it.
    """
    spec = find_spec("sklearn")
    for folder in (spec and spec.submodule_search_locations) or ():
        path = Path(folder, "datasets", "data", "digits.csv.gz")
        if path.is_file():
            return np.loadtxt(path, delimiter=",").astype(np.uint8)
    raise WorldError("digits: this scikit-learn does not hold datasets/data/digits.csv.gz; install another")
