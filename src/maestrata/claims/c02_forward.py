"""Claim 2: Theorem 2, forward."""

from __future__ import annotations

from collections.abc import Mapping

from maestrata.claims.one_mask import NEAR_OPTIMUM, bottleneck, test
from maestrata.claims.rule import Contrast

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

TRAINED, START, PCA = "trained/1d", "random_init/1d", "pca/1d"
SKILL = bottleneck("skill", TRAINED)
BEYOND_START = bottleneck("r2", TRAINED) - bottleneck("r2", START)
BEYOND_PCA = bottleneck("r2", TRAINED) - bottleneck("r2", PCA)
LINEAR = bottleneck("r2_linear", TRAINED) - bottleneck("r2_linear", START)
PROGRESS = bottleneck("progress", TRAINED)

SKILL_NEAR, BEYOND_START_NEAR, BEYOND_PCA_NEAR = (
    of.where(PROGRESS, NEAR_OPTIMUM) for of in (SKILL, BEYOND_START, BEYOND_PCA)
)

TESTS = (
    test("R2 of c over that from the conditional mean", SKILL_NEAR, "above", 0.9, units="skill"),
    test("R2 of c minus random init", BEYOND_START_NEAR, "above", 0.0),
    test("R2 of c minus PCA", BEYOND_PCA_NEAR, "above", 0.0),
)
SECONDARY = (
    test("R2 of c over that from the conditional mean, all worlds", SKILL, "above", 0.9, units="skill"),
    test("R2 of c minus random init, all worlds", BEYOND_START, "above", 0.0),
    test("R2 of c minus PCA, all worlds", BEYOND_PCA, "above", 0.0),
    test("linear R2 of c minus random init, all worlds", LINEAR, "above", 0.0),
    test("share explained of what can be", PROGRESS, "above", 0.9, units="share"),
)


def sentence(contrasts: Mapping[str, Contrast]) -> str:
    """Say what came out."""
    skill, start, pca = (contrasts[test.name].estimate for test in TESTS)
    return (
        f"From w = d_c outputs c is read with {skill:.2f} of the R2 that the conditional mean of the masked "
        f"part gives; R2 {start:+.2f} against the untrained encoder's outputs and {pca:+.2f} against as many"
        " principal components."
    )
