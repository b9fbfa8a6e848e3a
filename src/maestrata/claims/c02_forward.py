"""Claim 2: Theorem 2, forward."""

from __future__ import annotations

from collections.abc import Mapping

from maestrata.claims._experiment import measured
from maestrata.claims._one_mask import best, gated, less, places
from maestrata.claims.base import Evidence, Row, Test

__all__ = ["BESIDE", "NEEDS", "NUMBER", "RULE", "SAYS", "TESTS", "TITLE", "TRAINS", "rows", "sentence"]

NUMBER = 2
TITLE = "Theorem 2, forward: c can be read from c_hat"
SAYS = (
    "An encoder with as many outputs as c has intrinsic dimensions, trained to predict the masked part, "
    "ends with outputs from which c can be read."
)
RULE = (
    "One fixed mask, w = d_c outputs, the decoder sees these alone. Kernel ridge (a one-to-one function "
    "need not be linear) of c from c_hat: its R2 over that from E[masked part | c], above .9; and its R2 "
    "above that from the untrained encoder's w outputs, and from w principal components of the visible "
    "pixels. Any of the three reversed speaks against. Worlds in which the model explains less than .9 of "
    "what can be explained of the masked part are left out: the theorem is about the optimum. Judged in the"
    " invertible world; where the visible part does not determine c, E[masked | visible] takes the place of"
    " E[masked | c]."
)
NEEDS = ("experiments/bottleneck",)
TRAINS = True

NAME = "bottleneck"
TRAINED, START, PCA = "trained/1d", "random_init/1d", "pca/1d"

TESTS = (
    Test("R2 of c over that from the conditional mean", "above", 0.9, units="skill"),
    Test("R2 of c less random init", "above", 0.0),
    Test("R2 of c less PCA", "above", 0.0),
)
BESIDE = (
    Test("R2 of c over that from the conditional mean, all worlds", "above", 0.9, units="skill"),
    Test("R2 of c less random init, all worlds", "above", 0.0),
    Test("R2 of c less PCA, all worlds", "above", 0.0),
    Test("linear R2 of c less random init, all worlds", "above", 0.0),
    Test("share explained of what can be", "above", 0.9, units="share"),
)


def rows(evidence: Evidence) -> dict[str, list[Row]]:
    """Return the numbers of every world; see `RULE`."""
    found = {}
    for label, key in places(evidence, NAME):

        def read(arm: str, quantity: str, label: str = label) -> list[Row]:
            return measured(evidence, NAME, label, arm, quantity)

        progress = best(evidence, NAME, label, (TRAINED,))
        plain = [
            read(TRAINED, "skill"),
            less(read(TRAINED, "r2"), read(START, "r2")),
            less(read(TRAINED, "r2"), read(PCA, "r2")),
        ]
        for test, every in zip(TESTS, plain, strict=True):
            found[key.format(test.name)] = gated(every, progress)
        linear = less(read(TRAINED, "r2_linear"), read(START, "r2_linear"))
        for test, every in zip(BESIDE, [*plain, linear, read(TRAINED, "progress")], strict=True):
            found[key.format(test.name)] = every
    return found


def sentence(means: Mapping[str, tuple[float, float, float]]) -> str:
    """Say what was found."""
    skill, start, pca = (means[test.name][0] for test in TESTS)
    return (
        f"From w = d_c outputs c is read with {skill:.2f} of the R2 that the conditional mean of the masked "
        f"part gives; R2 {start:+.2f} against the untrained encoder's outputs and {pca:+.2f} against as many"
        " principal components."
    )
