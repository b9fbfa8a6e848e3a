"""Claim 2: Theorem 2, forward."""

from __future__ import annotations

from collections.abc import Mapping

from maestrata.claims.one_mask import GATE, at_levels, test, told
from maestrata.claims.rule import Contrast

NUMBER = 2
TITLE = "Theorem 2, forward: c can be read from c_hat"
SAYS = (
    "An encoder with as many outputs as c has intrinsic dimensions, trained to predict the masked part, "
    "ends with outputs from which c can be read."
)
RULE = (
    "One fixed mask for each level (1, 2, 3) at which c may lie; w = d_c outputs, which are all that the "
    "decoder sees. Kernel ridge (a one-to-one function need not be linear) of c from c_hat: its R2 over that "
    "from E[masked part | c], above .9; and its R2 minus that of the same model trained on targets of other "
    "images, and minus that of w principal components of the visible pixels, above 0. All are needed, at "
    f"every level that a run has; any one reversed speaks against. {GATE}Judged in the invertible world."
)
NEEDS = ("experiments/bottleneck",)
TRAINS = True

TRAINED = "trained/1d"

TESTS = (
    test(
        "R2 of c over that from the conditional mean",
        at_levels("skill", TRAINED),
        "above",
        0.9,
        units="skill",
    ),
    test("R2 of c minus null_trained", at_levels("r2", TRAINED, "null_trained/1d"), "above", 0.0),
    test("R2 of c minus PCA", at_levels("r2", TRAINED, "pca/1d"), "above", 0.0),
)
SECONDARY = (
    test("R2 of c minus random init", at_levels("r2", TRAINED, "random_init/1d"), "above", 0.0),
    test(
        "linear R2 of c minus null_trained", at_levels("r2_linear", TRAINED, "null_trained/1d"), "above", 0.0
    ),
    test("share explained of what can be", at_levels("progress", TRAINED), "above", 0.9, units="share"),
)


def sentence(contrasts: Mapping[str, Contrast]) -> str:
    """Say what came out."""
    read = told(contrasts, TESTS[0], interval=False)
    return f"From w = d_c outputs c is read with {read} of the R2 that E[masked part | c] gives."
