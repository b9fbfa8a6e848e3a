"""What sets of images are read from."""

from __future__ import annotations

import abc
from typing import Any

import numpy as np
from numpy.typing import NDArray


class Source(abc.ABC):
    """Images by position, all of one shape.

    Attributes
    ----------
    where : str
        Names the set in errors.
    shape : tuple of int
        (channel, y, x), 1 or 3 channels.
    labels : ndarray (n,) of int, or None
        Class of each image, as position in `classes`; None where images have no classes.
    classes : tuple of str
    """

    where: str
    shape: tuple[int, int, int]
    labels: NDArray[np.int64] | None = None
    classes: tuple[str, ...] = ()

    @abc.abstractmethod
    def __len__(self) -> int:
        """Number of images."""

    @abc.abstractmethod
    def read(self, rows: NDArray[np.int64]) -> NDArray[Any]:
        """Read images (n, channel, y, x), uint8 or floating point, in the order of their positions."""

    @abc.abstractmethod
    def digest(self, row: int) -> bytes:
        """Return a SHA-256 digest of the content of an image."""

    def named(self, row: int) -> str:
        """Name an image in an error."""
        return f"{self.where}, image {row}"
