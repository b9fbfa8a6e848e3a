"""What a claim measures on cubes, by the names of its contrasts."""

from __future__ import annotations

from collections.abc import Callable
from types import ModuleType
from typing import Any

import pytest

from maestrata.claims.rule import Contrast
from maestrata.claims.verdict import Outcome, evaluate, judge
from maestrata.results import CubeSet, Row


@pytest.fixture(scope="session")
def contrasts_of() -> Callable[..., dict[str, Contrast]]:
    """(claim, *cubes) -> contrasts by name."""

    def of(claim: ModuleType, *cubes: Any) -> dict[str, Contrast]:
        return {c.name: c for c in evaluate(claim, CubeSet(cubes)).contrasts}

    return of


@pytest.fixture(scope="session")
def rows_of(contrasts_of: Callable[..., dict[str, Contrast]]) -> Callable[..., dict[str, tuple[Row, ...]]]:
    """(claim, *cubes) -> rows by name, without those that have no number."""

    def of(claim: ModuleType, *cubes: Any) -> dict[str, tuple[Row, ...]]:
        return {name: c.rows for name, c in contrasts_of(claim, *cubes).items()}

    return of


@pytest.fixture(scope="session")
def verdict_of() -> Callable[..., Outcome]:
    """(claim, *cubes) -> outcome, of the claim judged alone."""

    def of(claim: ModuleType, *cubes: Any) -> Outcome:
        return judge(CubeSet(cubes), [claim])[0]

    return of
