"""Batches that several models share."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from maestrata.experiments._kept import Kept


def test_steps_are_made_once_as_far_as_memory_allows() -> None:
    made: list[int] = []

    def make(step: int) -> NDArray[np.float32]:
        made.append(step)
        return np.full(4, step, np.float32)

    batches = Kept(make, most=2 * 16)
    for _ in range(3):
        assert [float(batches(step)[0]) for step in range(3)] == [0, 1, 2]
    assert made == [0, 1, 2, 2, 2]
