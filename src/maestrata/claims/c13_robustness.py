"""Claim 13: accuracy that is lost under shifted noise (the paper's ImageNet variants)."""

from __future__ import annotations

from collections.abc import Mapping

from maestrata.claims import _arms
from maestrata.claims._arms import Contrast, Reading
from maestrata.claims.base import Evidence, Row, Test

__all__ = ["BESIDE", "NEEDS", "NUMBER", "RULE", "SAYS", "TESTS", "TITLE", "TRAINS", "rows", "sentence"]

NUMBER = 13
TITLE = "Robustness to shifted noise"
SAYS = (
    "A linear probe on what is learned at an intermediate masking ratio keeps more of its accuracy when the "
    "low-level statistics of the images shift (the paper's ImageNet variants)."
)
RULE = (
    "Probes for the root's class are fitted to plain images. Share lost: accuracy on plain images less that "
    "under a shift, over accuracy on plain images less chance; less the same of exact inference that knows "
    "of the shift, where there is one (one number a world, which drops out of contrasts); mean over the "
    "shifts. Mask patches of one token: share lost at .75 less random init below 0, and less the share lost "
    "at .1 below 0. Both are needed; either one reversed speaks against. The threshold is 0, that of an "
    "order; beside them, whether the share lost beyond the ceiling's stays below .05, claim 7's margin."
)
NEEDS = ("experiments/robustness",)
TRAINS = True

LOST = "lost_share"
UNITS = "share"

TESTS = (
    Test("share lost, .75 less random init", "below", 0.0, units=UNITS),
    Test("share lost, .75 less .1", "below", 0.0, units=UNITS),
)
BESIDE = (
    Test("share lost, .75 less .9", "below", 0.0, units=UNITS),
    Test("share lost beyond the ceiling's, .75", "below", 0.05, units=UNITS),
    Test("accuracy under shift, .75 less .1", "above", 0.0, units="accuracy"),
    Test("accuracy under shift, .75 less random init", "above", 0.0, units="accuracy"),
)


def _between(quantity: str, less: str | float) -> Contrast:
    return Contrast(Reading(quantity, 0.75), Reading(quantity, less))


_CONTRASTS = {
    TESTS[0].name: _between(LOST, "random_init"),
    TESTS[1].name: _between(LOST, 0.1),
    BESIDE[0].name: _between(LOST, 0.9),
    BESIDE[1].name: Contrast(Reading("excess_share", 0.75)),
    BESIDE[2].name: _between("shifted_accuracy", 0.1),
    BESIDE[3].name: _between("shifted_accuracy", "random_init"),
}


def rows(evidence: Evidence) -> dict[str, list[Row]]:
    """Return the contrasts of every world; see `RULE`."""
    return _arms.rows(evidence, "robustness", _CONTRASTS, [test.name for test in TESTS])


def sentence(means: Mapping[str, tuple[float, float, float]]) -> str:
    """Say what was found."""
    start, low = (means[test.name][0] for test in TESTS)
    return (
        f"Under shifted noise the probe at ratio .75 loses a share of its accuracy {abs(start):.3f} "
        f"{'smaller' if start < 0 else 'larger'} than from the untrained encoder and {abs(low):.3f} "
        f"{'smaller' if low < 0 else 'larger'} than at ratio .1."
    )
