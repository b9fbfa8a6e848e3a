"""Claim 16a, its sentence: masks that follow the structure turn what is learnt towards high levels."""

from __future__ import annotations

from collections.abc import Mapping

from maestrata.claims.profile import tilt
from maestrata.claims.rule import Contrast
from maestrata.claims.section_36 import aligned_minus_offset, itself, test

NUMBER = 16
PART = "a tilt"
TITLE = "Masks that follow the structure turn towards high levels"
SAYS = (
    "Masks that follow the latent structure turn the representation away from low levels and towards high "
    "ones (Section 3.6)."
)
RULE = (
    "Tilt of R2 over levels (least-squares slope, R2 a level): mask patches aligned with the tree minus the "
    "same patches offset by half a block, mean over patches of 2 and 4 tokens and over the ratios that a run "
    "has of both; above 0. Judged where a part tells its cause less than surely. Whether the root itself is "
    "better is claim 16a root."
)
NEEDS = ("regression",)
TRAINS = True

TESTS = (
    test(
        "tilt over levels: aligned minus offset masks", aligned_minus_offset("each", tilt), units="R2 a level"
    ),
)
SECONDARY = (
    test("level 1: aligned minus offset masks", aligned_minus_offset("lowest", itself), side="below"),
)


def sentence(contrasts: Mapping[str, Contrast]) -> str:
    """Say what came out."""
    return f"Masks that follow the tree tilt R2 by {contrasts[TESTS[0].name].text()} a level."
