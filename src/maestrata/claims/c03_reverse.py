"""Claim 3: Theorem 2, reverse."""

from __future__ import annotations

from collections.abc import Mapping

from maestrata.claims._experiment import measured
from maestrata.claims._one_mask import best, gated, less, places
from maestrata.claims.base import Evidence, Row, Test

__all__ = ["BESIDE", "NEEDS", "NUMBER", "RULE", "SAYS", "TESTS", "TITLE", "TRAINS", "rows", "sentence"]

NUMBER = 3
TITLE = "Theorem 2, reverse: c_hat holds nothing but c"
SAYS = (
    "An encoder with as many outputs as c has intrinsic dimensions, trained to predict the masked part, "
    "holds no information of the visible part but c."
)
RULE = (
    "The models of claim 2. Leak: E|c_hat(x) - c_hat(x')|^2 / (2 tr Cov) of whitened c_hat, x and x' with "
    "all noise of the shared ancestors in common and the visible side's own drawn anew. Below .1 speaks for"
    " the claim, above .2 against. Where the visible part does not determine c, the leak is the share of "
    "whitened c_hat that kernel ridge on the exact posterior of c does not predict (never less than what it"
    " should be, as the probe is not perfect). Worlds in which the model explains less than .9 of what can "
    "be explained of the masked part are left out: the theorem is about the optimum. Judged in the "
    "invertible world."
)
NEEDS = ("experiments/bottleneck",)
TRAINS = True

NAME = "bottleneck"
TRAINED, START, PCA = "trained/1d", "random_init/1d", "pca/1d"
UNITS = "share"

TESTS = (Test("leak at w = d_c", "below", 0.1, against=0.2, units=UNITS),)
BESIDE = (
    Test("leak at w = d_c, all worlds", "below", 0.1, against=0.2, units=UNITS),
    Test("leak by regression on the posterior of c, all worlds", "below", 0.1, against=0.2, units=UNITS),
    Test("leak less random init, all worlds", "below", 0.0, units=UNITS),
    Test("leak less PCA, all worlds", "below", 0.0, units=UNITS),
    Test("share explained of what can be", "above", 0.9, units=UNITS),
)


def rows(evidence: Evidence) -> dict[str, list[Row]]:
    """Return the numbers of every world; see `RULE`."""
    found = {}
    for label, key in places(evidence, NAME):

        def read(arm: str, quantity: str, label: str = label) -> list[Row]:
            return measured(evidence, NAME, label, arm, quantity)

        leaked = read(TRAINED, "leak")
        found[key.format(TESTS[0].name)] = gated(leaked, best(evidence, NAME, label, (TRAINED,)))
        every = [
            leaked,
            read(TRAINED, "leak_regressed"),
            less(leaked, read(START, "leak")),
            less(leaked, read(PCA, "leak")),
            read(TRAINED, "progress"),
        ]
        for test, shown in zip(BESIDE, every, strict=True):
            found[key.format(test.name)] = shown
    return found


def sentence(means: Mapping[str, tuple[float, float, float]]) -> str:
    """Say what was found."""
    estimate, low, high = means[TESTS[0].name]
    return (
        f"Noise that is none of c's makes {estimate:.2f} [{low:.2f}, {high:.2f}] of the variance of whitened"
        " c_hat at w = d_c."
    )
