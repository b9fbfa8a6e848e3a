"""Claim 4: the dimension of c must be given."""

from __future__ import annotations

from collections.abc import Mapping

from maestrata.claims.one_mask import at_levels, gained, test, told
from maestrata.claims.rule import Contrast

NUMBER = 4
TITLE = "The dimension of c must be given"
SAYS = (
    "Theorem 2 takes the dimension d_c of c for known: fewer outputs lose a part of c, more take in what is "
    "not c."
)
RULE = (
    "The models of claim 2 at w = d_c / 2, d_c and 2 d_c outputs. Skill: the share explained of what can be "
    "explained of the masked part. Knee at d_c: skill(d_c) - skill(d_c / 2) above .05, and skill(2 d_c) - "
    "skill(d_c) below .05 (the margin that claim 7 takes for no difference). And the leak of claim 3, with "
    "outputs weighted by what the decoder makes of them, E d'Md / (2 tr M Cov), d = c_hat(x) - c_hat(x') and "
    "M = E J'J, J the decoder's Jacobian: leak(2 d_c) - leak(d_c) above 0. All are needed, at every level of "
    "c that a run has; any one reversed speaks against. Worlds in which 2 d_c outputs explain less than .9 "
    "of what can be explained are left out. Judged in the invertible world."
)
NEEDS = ("experiments/bottleneck",)
TRAINS = True

HALF, FULL, DOUBLE = "trained/0.5d", "trained/1d", "trained/2d"
MARGIN = 0.05

TESTS = (
    test("skill gained from d_c / 2 to d_c", gained("progress", FULL, HALF), "above", MARGIN, units="skill"),
    test("skill gained from d_c to 2 d_c", gained("progress", DOUBLE, FULL), "below", MARGIN, units="skill"),
    test(
        "rise of the leak from d_c to 2 d_c", gained("leak_used", DOUBLE, FULL), "above", 0.0, units="share"
    ),
)
SECONDARY = (
    test(
        "rise of the whitened leak from d_c to 2 d_c",
        gained("leak", DOUBLE, FULL),
        "above",
        0.0,
        units="share",
    ),
    test("R2 of c gained from d_c / 2 to d_c", gained("r2", FULL, HALF), "above", MARGIN),
    test("R2 of c gained from d_c to 2 d_c", gained("r2", DOUBLE, FULL), "below", MARGIN),
    test("share explained at 2 d_c", at_levels("progress", DOUBLE), "above", 0.9, units="share"),
)


def sentence(contrasts: Mapping[str, Contrast]) -> str:
    """Say what came out."""
    half, double, leak = (told(contrasts, asked) for asked in TESTS)
    return (
        f"From d_c / 2 to d_c outputs skill rises by {half}, from d_c to 2 d_c by {double}; the share of the "
        f"code that is not c's then rises by {leak}."
    )
