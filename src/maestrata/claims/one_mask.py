"""What the claims about one fixed mask share: the world, the gate, the experiment of claims 2 to 4."""

from __future__ import annotations

from functools import partial

from maestrata.claims.rule import Test
from maestrata.results import UNGATED, Select

NEAR_OPTIMUM = 0.9
"""Share of what could be explained of the masked part that a model must explain to speak for the theorem.

Theorem 2 is about the optimum: a model that is far from it neither bears it out nor refutes it, and its world
is left out. A tenth is also what claim 2 allows for the recovery of c."""

test = partial(Test, world="one_mask")
"""A `rule.Test` in the world where Assumption 1 holds to the letter."""


def bottleneck(quantity: str, arm: str) -> Select:
    """Select a quantity of the models with few outputs, such as ``trained/1d`` (as many as c has)."""
    return Select("experiments/bottleneck", quantity, arm, gate=UNGATED)
