"""Settings of the theory of a sweep (`maestrata.theory.sweep`)."""

from __future__ import annotations

from dataclasses import dataclass

from maestrata.bounds import MOST_ROWS, MOST_WIDTH
from maestrata.errors import ConfigError
from maestrata.settings import check, setting


@dataclass(frozen=True)
class TheorySettings:
    """Where the shared information sits, for every mask patch and ratio of the grid.

    Raises
    ------
    ConfigError
        If a number is out of range.
    """

    samples: int = setting(
        20_000, "masks drawn where they are too many to enumerate", least=2, most=MOST_ROWS
    )
    dag_samples: int = setting(1000, "the same where the graph is no tree", least=2, most=MOST_ROWS)
    linear_rank: int = setting(16, "width of the linear MAE's bottleneck", least=1, most=MOST_WIDTH)

    def __post_init__(self) -> None:
        check(self, ConfigError)
