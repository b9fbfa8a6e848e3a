"""Claim 11: high levels are invariant to low-level noise."""

from __future__ import annotations

from collections.abc import Mapping

from maestrata.claims import _arms
from maestrata.claims._arms import Contrast, Reading
from maestrata.claims.base import Evidence, Row, Test

__all__ = ["BESIDE", "NEEDS", "NUMBER", "RULE", "SAYS", "TESTS", "TITLE", "TRAINS", "rows", "sentence"]

NUMBER = 11
TITLE = "Invariance to low-level noise"
SAYS = (
    "What a masked autoencoder learns at an intermediate masking ratio is high in the hierarchy, and so "
    "changes little when the noise below is drawn anew."
)
RULE = (
    "Whitened primary reading of the whole image, mask patches of one token, ratio .75. Share of variance "
    "that changes when the noise below level l is drawn anew (levels l and above kept), over what changes "
    "when all noise is, mean over l = 1..L: trained less random init below 0. And the mirror, noise at level "
    "l and above drawn anew with what is below kept: trained less random init above 0. Both are needed; "
    "either one reversed speaks against. The threshold is 0: no size of change has a meaning of its own."
)
NEEDS = ("experiments/invariance",)
TRAINS = True

RATIO = 0.75  # the paper's, and that of He et al.
LOW, HIGH = "low_redrawn", "high_redrawn"
UNITS = "share"

TESTS = (
    Test("low noise redrawn, .75 less random init", "below", 0.0, units=UNITS),
    Test("high noise redrawn, .75 less random init", "above", 0.0, units=UNITS),
)
BESIDE = (
    Test("token noise redrawn, .75 less random init", "below", 0.0, units=UNITS),
    Test("all but the root's noise redrawn, .75 less random init", "below", 0.0, units=UNITS),
    Test("low noise redrawn, .75 less .1", "below", 0.0, units=UNITS),
    Test("low noise redrawn, .75 less .9", "below", 0.0, units=UNITS),
)


def _against_start(quantity: str, levels: str) -> Contrast:
    return Contrast(Reading(quantity, RATIO, levels), Reading(quantity, "random_init", levels))


_CONTRASTS = {
    TESTS[0].name: _against_start(LOW, "all"),
    TESTS[1].name: _against_start(HIGH, "all"),
    BESIDE[0].name: _against_start(LOW, "lowest"),
    BESIDE[1].name: _against_start(LOW, "root"),
    BESIDE[2].name: Contrast(Reading(LOW, RATIO, "all"), Reading(LOW, 0.1, "all")),
    BESIDE[3].name: Contrast(Reading(LOW, RATIO, "all"), Reading(LOW, 0.9, "all")),
}


def rows(evidence: Evidence) -> dict[str, list[Row]]:
    """Return the contrasts of every world; see `RULE`."""
    return _arms.rows(evidence, "invariance", _CONTRASTS, [test.name for test in TESTS])


def sentence(means: Mapping[str, tuple[float, float, float]]) -> str:
    """Say what was found."""
    low, high = (means[test.name][0] for test in TESTS)
    return (
        f"With the noise below a level drawn anew, the share of variance that changes is {abs(low):.3f} "
        f"{'lower' if low < 0 else 'higher'} than in the untrained encoder; with the noise above, "
        f"{abs(high):.3f} {'higher' if high > 0 else 'lower'}."
    )
