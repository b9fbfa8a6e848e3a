"""Claim 16a, whether it pays: masks that follow the structure serve the root."""

from __future__ import annotations

from collections.abc import Mapping

from maestrata.claims.rule import Contrast
from maestrata.claims.section_36 import aligned_minus_offset, itself, test

NUMBER = 16
PART = "a root"
TITLE = "Masks that follow the structure serve the root"
SAYS = "Masks that follow the latent structure give better high-level representations (Section 3.6)."
RULE = (
    "R2 of the root: mask patches aligned with the tree minus the same patches offset by half a block, mean "
    "over patches of 2 and 4 tokens and over the ratios that a run has of both; above 0. Judged where a part "
    "tells its cause less than surely."
)
NEEDS = ("regression",)
TRAINS = True

TESTS = (test("root: aligned minus offset masks", aligned_minus_offset("root", itself)),)
SECONDARY = (test("level below the root: aligned minus offset masks", aligned_minus_offset(-2, itself)),)


def sentence(contrasts: Mapping[str, Contrast]) -> str:
    """Say what came out."""
    return f"The root gains {contrasts[TESTS[0].name].text()} of R2 by masks that follow the tree."
