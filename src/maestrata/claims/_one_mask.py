"""What the claims about one fixed mask read of their experiments."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from math import hypot, nan

from maestrata.claims._experiment import measured
from maestrata.claims.base import Evidence, Missing, Row, elsewhere

__all__ = ["LABEL", "NEAR_OPTIMUM", "best", "gated", "less", "places"]

LABEL = "invertible"
"""The world in which Assumption 1 holds to the letter, on which these claims are judged."""

NEAR_OPTIMUM = 0.9
"""Share of what could be explained of the masked part that a model must explain to speak for the theorem.

Theorem 2 is about the optimum: a model that is far from it neither bears it out nor refutes it, and its world
is left out. A tenth is also what claim 2 allows for the recovery of c."""


def places(evidence: Evidence, name: str) -> Iterator[tuple[str, str]]:
    """Yield the world labels of an experiment, the deciding one first, each with the form of its keys.

    The form is ``"{}"`` for the deciding label and that of `base.elsewhere` for others.

    Raises
    ------
    Missing
        If the experiment was not run in the deciding world.
    """
    found = [str(label) for label in evidence.cube(f"experiments/{name}").world.values]
    if LABEL not in found:
        raise Missing(f"experiment {name} was not run in the world {LABEL!r}")
    yield LABEL, "{}"
    for label in sorted(set(found) - {LABEL}):
        yield label, elsewhere("{}", label)


def less(rows: list[Row], others: list[Row]) -> list[Row]:
    """Differences, world by world; a world that one side lacks has none.

    The intervals are joined as if they were independent, which is on the wide side for readings of the same
    images.
    """
    by_seed = {row.world_seed: row for row in others}
    found = []
    for row in rows:
        other = by_seed.get(row.world_seed)
        if other is not None:
            value = row.value - other.value
            low = value - hypot(row.value - row.low, other.high - other.value)
            high = value + hypot(row.high - row.value, other.value - other.low)
            found.append(Row(row.world, row.world_seed, value, low, high, min(row.seeds, other.seeds)))
    return found


def gated(rows: list[Row], progress: Mapping[int, float]) -> list[Row]:
    """Rows of the worlds whose training came near the optimum; NaN in the others, which are so counted."""
    return [
        row
        if progress.get(row.world_seed, nan) >= NEAR_OPTIMUM
        else Row(row.world, row.world_seed, nan, seeds=row.seeds)
        for row in rows
    ]


def best(evidence: Evidence, name: str, label: str, arms: tuple[str, ...]) -> dict[int, float]:
    """Return the largest progress over some arms, by world seed."""
    found: dict[int, float] = {}
    for arm in arms:
        for row in measured(evidence, name, label, arm, "progress"):
            found[row.world_seed] = max(row.value, found.get(row.world_seed, row.value))
    return found
