"""Claim 16b, whether it pays: a loss without border tokens serves the root."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

from maestrata.claims.rule import Contrast
from maestrata.claims.section_36 import border_minus, itself, test

NUMBER = 16
PART = "b root"
TITLE = "A loss without the border serves the root"
SAYS = (
    "A loss that leaves out what lies at the border between masked and visible gives better high-level "
    "representations (Section 3.6)."
)
RULE = (
    "R2 of the root, r = .75, mean over the patches of 2x1 and 2x2 tokens that a run has: border tokens left "
    "out of the loss minus the standard loss, and minus a loss that leaves out equally many masked tokens at "
    "random; both above 0. Judged where a part tells its cause less than surely."
)
NEEDS = ("experiments/border",)
TRAINS = True

at_root = partial(border_minus, level="root", of=itself)
fine = partial(at_root, patches=("1x1",))

TESTS = (
    test("root: border left out minus standard loss", at_root("standard")),
    test("root: border left out minus random left out", at_root("no_random")),
)
SECONDARY = (
    test("root: border left out minus standard loss, patches of one token", fine("standard")),
    test("root: border left out minus random left out, patches of one token", fine("no_random")),
)


def sentence(contrasts: Mapping[str, Contrast]) -> str:
    """Say what came out."""
    standard, random = (contrasts[test.name].text() for test in TESTS)
    return (
        f"By leaving the border out of the loss the root gains {standard} of R2 over the standard loss and "
        f"{random} over leaving out as many tokens at random."
    )
