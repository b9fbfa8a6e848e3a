"""Claim 1: c separates masked from visible, and is minimal and unique. No model is trained for it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from math import log10

from maestrata.claims.rule import ANY, Contrast, Test
from maestrata.results import CubeSet, Expression, Numbers
from maestrata.theory.check import LEAVES, TOLERANCE, check_tree, left_in_grammar
from maestrata.theory.shared import Reading

NUMBER = 1
TITLE = "Theorem 1: c separates, is minimal, and is unique"
SAYS = (
    "For every mask there is one set c of latents, and no smaller one, that holds all that the masked and "
    "the visible part share."
)
RULE = (
    "All masks of a binary tree of 8 leaves, against all sets of its latents, by exact conditional mutual "
    "information: the most that is left given c (below 1e-6 nats), the least that is left given a smaller "
    "set (above 1e-6 nats; counted up to 30, and averaged over trees as logarithms), and the share of masks "
    "for which no other set as small will do (all). The invertible reading decides: it is Assumption 1 to "
    "the letter (trees where each node is an invertible linear map of parent and noise; a set counts if "
    "masked and visible part each determine it). Secondary is the separator, which shows what is lost "
    "without invertibility (random linear trees; what is left given c also in grammars). A check: no model "
    "is trained, and intervals are over random trees."
)
NEEDS = ()
TRAINS = False

SEEDS = (0, 1, 2, 3, 4)
GRAMMAR_SEEDS = (0, 1)
GRAMMAR = "grammar tree"


@dataclass(frozen=True)
class Checked(Expression):
    """A number of the check of the theorem, in random trees; the run's cubes have no part in it."""

    reading: Reading
    number: str

    def numbers(self, cubes: CubeSet, world: str) -> Numbers:
        """Check every tree."""
        if world == GRAMMAR:
            return Numbers.plain(GRAMMAR_SEEDS, [left_in_grammar(seed) for seed in GRAMMAR_SEEDS])
        values = [getattr(check_tree(self.reading, seed), self.number) for seed in SEEDS]
        if self.number == "left_smaller":
            values = [round(log10(max(value, 1e-300)), 9) for value in values]
        return Numbers.plain(SEEDS, values)

    def worlds(self, cubes: CubeSet) -> list[str]:
        """Name the trees."""
        grammars = [GRAMMAR] if (self.reading, self.number) == ("separator", "left") else []
        return [f"{self.reading} linear tree", *grammars]


def tests_of(reading: Reading) -> tuple[Test, ...]:
    """Declare the tests under a reading."""
    left, smaller, unique = (Checked(reading, number) for number in ("left", "left_smaller", "unique"))
    test, least = partial(Test, world=ANY), log10(TOLERANCE)
    return (
        test(f"{reading}: left given c", left, "below", TOLERANCE, units="nat"),
        test(f"{reading}: left given a smaller set", smaller, "above", least, units="log10 nat"),
        test(f"{reading}: share of unique masks", unique, "above", 0.999, units="1"),
    )


TESTS = tests_of("invertible")
SECONDARY = tests_of("separator")


def sentence(contrasts: Mapping[str, Contrast]) -> str:
    """Say what came out."""
    left, least, unique = (contrasts[test.name].estimate for test in TESTS)
    masks = 2**LEAVES - 2
    told = (
        f"Where every node is invertible (Assumption 1), {left:.1g} nats at most are left given c, "
        f"{10**least:.2g} given any smaller set (geometric mean over trees), and c is unique for "
        f"{round(unique * masks)} of {masks} masks"
    )
    separating = contrasts.get(SECONDARY[2].name)
    if separating is None:
        return f"{told}."
    count = round(separating.estimate * masks)
    return f"{told}; without invertibility, as the smallest separating set, for {count}."
