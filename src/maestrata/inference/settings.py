"""Settings of the limits of a sweep, and of the images that models and limits are both scored on."""

from __future__ import annotations

from dataclasses import dataclass

from maestrata.bounds import MOST_REPLICATES, MOST_ROWS
from maestrata.errors import InferenceError
from maestrata.settings import check, setting


@dataclass(frozen=True)
class Samples:
    """Images that probes are fitted and scored on; experiments and exact limits take the same ones."""

    probe_train: int = setting(8192, "images that probes are fitted on", least=100, most=MOST_ROWS)
    test: int = setting(8192, "fresh images that R2 is measured on", least=100, most=MOST_ROWS)
    replicates: int = setting(500, "bootstrap replicates over test images", least=1, most=MOST_REPLICATES)


@dataclass(frozen=True)
class LimitSettings:
    """Exact inference, or bounds, at every visibility of the grid, on the test images of the evaluation.

    Raises
    ------
    InferenceError
        If a number is out of range.
    """

    grid_samples: int = setting(
        2048, "test images of inference on a grid, the first ones", least=2, most=MOST_ROWS
    )
    bound_samples: int = setting(
        1024, "test images of the upper bound, the first ones", least=2, most=MOST_ROWS
    )

    def __post_init__(self) -> None:
        check(self, InferenceError)
