"""Claim 4: the dimension of c must be given."""

from __future__ import annotations

from collections.abc import Mapping

from maestrata.claims._experiment import measured
from maestrata.claims._one_mask import best, gated, less, places
from maestrata.claims.base import Evidence, Row, Test

__all__ = ["BESIDE", "NEEDS", "NUMBER", "RULE", "SAYS", "TESTS", "TITLE", "TRAINS", "rows", "sentence"]

NUMBER = 4
TITLE = "The dimension of c must be given"
SAYS = (
    "Theorem 2 takes the dimension d_c of c for known: fewer outputs lose a part of c, more take in what is "
    "not c."
)
RULE = (
    "The models of claim 2 at w = d_c / 2, d_c and 2 d_c outputs. Skill: the share explained of what can be"
    " explained of the masked part. Knee at d_c: skill(d_c) - skill(d_c / 2) above .05, and skill(2 d_c) - "
    "skill(d_c) below .05 (the margin that claim 7 takes for no difference). And leak(2 d_c) - leak(d_c) "
    "above 0. All three are needed; any one reversed speaks against. Worlds in which no width explains .9 "
    "of what can be explained are left out. Judged in the invertible world."
)
NEEDS = ("experiments/bottleneck",)
TRAINS = True

NAME = "bottleneck"
HALF, FULL, DOUBLE = "trained/0.5d", "trained/1d", "trained/2d"
MARGIN = 0.05

TESTS = (
    Test("skill gained from d_c / 2 to d_c", "above", MARGIN, units="skill"),
    Test("skill gained from d_c to 2 d_c", "below", MARGIN, units="skill"),
    Test("rise of the leak from d_c to 2 d_c", "above", 0.0, units="share"),
)
BESIDE = tuple(
    Test(f"{test.name}, all worlds", test.side, test.threshold, units=test.units) for test in TESTS
) + (
    Test("rise of the leak from d_c / 2 to d_c, all worlds", "above", 0.0, units="share"),
    Test("R2 of c gained from d_c / 2 to d_c, all worlds", "above", MARGIN),
    Test("R2 of c gained from d_c to 2 d_c, all worlds", "below", MARGIN),
    Test("largest share explained of what can be", "above", 0.9, units="share"),
)


def rows(evidence: Evidence) -> dict[str, list[Row]]:
    """Return the numbers of every world; see `RULE`."""
    found = {}
    for label, key in places(evidence, NAME):

        def gain(quantity: str, arm: str, base: str, label: str = label) -> list[Row]:
            return less(*(measured(evidence, NAME, label, at, quantity) for at in (arm, base)))

        progress = best(evidence, NAME, label, (HALF, FULL, DOUBLE))
        plain = [gain("progress", FULL, HALF), gain("progress", DOUBLE, FULL), gain("leak", DOUBLE, FULL)]
        for test, every in zip(TESTS, plain, strict=True):
            found[key.format(test.name)] = gated(every, progress)
        beside = [*plain, gain("leak", FULL, HALF), gain("r2", FULL, HALF), gain("r2", DOUBLE, FULL)]
        largest = [Row(label, seed, value) for seed, value in sorted(progress.items())]
        for test, every in zip(BESIDE, [*beside, largest], strict=True):
            found[key.format(test.name)] = every
    return found


def sentence(means: Mapping[str, tuple[float, float, float]]) -> str:
    """Say what was found."""
    up, beyond, leak = (means[test.name][0] for test in TESTS)
    return (
        f"Doubling the outputs up to d_c gains {up:+.2f} of skill, doubling them once more {beyond:+.2f}; "
        f"the leak then changes by {leak:+.2f}."
    )
