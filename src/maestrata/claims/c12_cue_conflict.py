"""Claim 12: where two cues disagree, the answer is for the root (the paper's shape bias)."""

from __future__ import annotations

from collections.abc import Mapping

from maestrata.claims import _arms
from maestrata.claims._arms import Contrast, Reading
from maestrata.claims.base import Evidence, Row, Test

__all__ = ["BESIDE", "NEEDS", "NUMBER", "RULE", "SAYS", "TESTS", "TITLE", "TRAINS", "rows", "sentence"]

NUMBER = 12
TITLE = "Cue conflict: root over texture (shape bias)"
SAYS = (
    "A representation learned at an intermediate masking ratio lets a probe rest on the high level: where "
    "shape and texture disagree it answers for the shape more often than one learned at a small ratio (the "
    "paper's shape bias: .14 at .1, .26 at .75, .20 at .9)."
)
RULE = (
    "A linear probe is fitted where the root's class and a texture, the common sign of one coordinate of the "
    "tokens' noise, agree; on test images where they disagree, the share of answers for the root among "
    "those for either (with two classes, all). Mask patches of one token: share at .75 less random init "
    "above 0, and less the share at .1 above 0. Both are needed; either one reversed speaks against. The "
    "threshold is 0: the share itself depends on how strong the texture is made, an order does not."
)
NEEDS = ("experiments/cue_conflict",)
TRAINS = True

SHARE = "root_share"
UNITS = "share"

TESTS = (
    Test("share for the root, .75 less random init", "above", 0.0, units=UNITS),
    Test("share for the root, .75 less .1", "above", 0.0, units=UNITS),
)
BESIDE = (
    Test("share for the root, .75 less .9", "above", 0.0, units=UNITS),
    Test("share for the root at .75", "above", 0.5, units=UNITS),
    Test("root alone told right, .75 less .1", "above", 0.0, units="accuracy"),
    Test("texture alone told right, .75 less .1", "below", 0.0, units="accuracy"),
)


def _between(quantity: str, less: str | float) -> Contrast:
    return Contrast(Reading(quantity, 0.75), Reading(quantity, less))


_CONTRASTS = {
    TESTS[0].name: _between(SHARE, "random_init"),
    TESTS[1].name: _between(SHARE, 0.1),
    BESIDE[0].name: _between(SHARE, 0.9),
    BESIDE[1].name: Contrast(Reading(SHARE, 0.75)),
    BESIDE[2].name: _between("root_alone", 0.1),
    BESIDE[3].name: _between("texture_alone", 0.1),
}


def rows(evidence: Evidence) -> dict[str, list[Row]]:
    """Return the contrasts of every world; see `RULE`."""
    return _arms.rows(evidence, "cue_conflict", _CONTRASTS, [test.name for test in TESTS])


def sentence(means: Mapping[str, tuple[float, float, float]]) -> str:
    """Say what was found."""
    start, low = (means[test.name][0] for test in TESTS)
    return (
        "Where root and texture disagree, the share of answers for the root at ratio .75 is "
        f"{abs(start):.3f} {'higher' if start > 0 else 'lower'} than from the untrained encoder and "
        f"{abs(low):.3f} {'higher' if low > 0 else 'lower'} than at ratio .1."
    )
