"""Claim 11: high levels are invariant to low-level noise."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

from maestrata.claims.peak import over_ratio, over_start
from maestrata.claims.rule import Contrast, Test
from maestrata.results import Select

NUMBER = 11
TITLE = "Invariance to low-level noise"
SAYS = (
    "What a masked autoencoder learns at an intermediate masking ratio is high in the hierarchy, and so "
    "changes little when the noise below is drawn anew."
)
RULE = (
    "Mean of the tokens of the whole image, last layer; mask patches of one token. Share of its variance "
    "that changes when the noise below level l is drawn anew (levels l and above kept), over what changes "
    "when all noise is, mean over l = 1..L: at the peak ratio minus at r = .1, below 0. And the mirror, "
    "noise at level l and above drawn anew with what is below kept: above 0. The peak is claim 6's, chosen "
    "in all the other worlds. Both are needed; either one reversed speaks against. The threshold is 0: an "
    "order is claimed."
)
NEEDS = ("experiments/invariance", "regression")
USES = ("limits",)
TRAINS = True

CUBE = "experiments/invariance"


def low(ratio: float) -> Select:
    """Select the share that changes with the noise below a level, mean over levels."""
    return Select(CUBE, "low_redrawn", "1x1/", ratio=ratio, level="all", interval="centred")


def high(ratio: float) -> Select:
    """Select the share that changes with the noise at a level and above, mean over levels."""
    return Select(CUBE, "high_redrawn", "1x1/", ratio=ratio, level="all", interval="centred")


falls = partial(Test, side="below", threshold=0.0, units="share")
rises = partial(Test, side="above", threshold=0.0, units="share")

TESTS = (
    falls("low noise redrawn, peak minus .1", over_ratio(low, 0.1)),
    rises("high noise redrawn, peak minus .1", over_ratio(high, 0.1)),
)
SECONDARY = (
    falls("low noise redrawn, peak minus .9", over_ratio(low, 0.9)),
    rises("high noise redrawn, peak minus .9", over_ratio(high, 0.9)),
    falls("low noise redrawn, peak minus random init", over_start(low)),
    rises("high noise redrawn, peak minus random init", over_start(high)),
)


def sentence(contrasts: Mapping[str, Contrast]) -> str:
    """Say what came out."""
    below, above = (contrasts[test.name].text() for test in TESTS)
    return (
        "From r = .1 to the peak, the share of variance that changes with the noise below a level differs by "
        f"{below}, with the noise above by {above}."
    )
