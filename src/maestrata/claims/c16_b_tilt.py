"""Claim 16b, its sentence: a loss without border tokens turns what is learnt towards high levels."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

from maestrata.claims.profile import tilt
from maestrata.claims.rule import Contrast
from maestrata.claims.section_36 import border_minus, itself, test

NUMBER = 16
PART = "b tilt"
TITLE = "A loss without the border turns towards high levels"
SAYS = (
    "A loss that leaves out what lies at the border between masked and visible turns the representation away "
    "from low levels and towards high ones (Section 3.6)."
)
RULE = (
    "Tilt of R2 over levels (least-squares slope, R2 a level), r = .75, mean over the patches of 2x1 and 2x2 "
    "tokens that a run has: border tokens left out of the loss minus the standard loss, and minus a loss "
    "that leaves out equally many masked tokens at random; both above 0. Judged where a part tells its cause "
    "less than surely. Whether the root itself is better is claim 16b root."
)
NEEDS = ("experiments/border",)
TRAINS = True

leaning = partial(test, units="R2 a level")

TESTS = (
    leaning("tilt over levels: border left out minus standard loss", border_minus("standard", "each", tilt)),
    leaning(
        "tilt over levels: border left out minus random left out", border_minus("no_random", "each", tilt)
    ),
)
SECONDARY = (
    test(
        "level 1: border left out minus standard loss",
        border_minus("standard", "lowest", itself),
        side="below",
    ),
)


def sentence(contrasts: Mapping[str, Contrast]) -> str:
    """Say what came out."""
    standard, random = (contrasts[test.name].text() for test in TESTS)
    return (
        f"Leaving the border out of the loss tilts R2 by {standard} a level over the standard loss, and by "
        f"{random} over leaving out as many tokens at random."
    )
