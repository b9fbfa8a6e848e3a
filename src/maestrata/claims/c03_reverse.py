"""Claim 3: Theorem 2, reverse."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

from maestrata.claims.one_mask import GATE, at_levels, test, told
from maestrata.claims.rule import Contrast

NUMBER = 3
TITLE = "Theorem 2, reverse: c_hat holds nothing but c"
SAYS = (
    "An encoder with as many outputs as c has intrinsic dimensions, trained to predict the masked part, "
    "holds no information of the visible part but c."
)
RULE = (
    "The models of claim 2. Leak: E|c_hat(x) - c_hat(x')|^2 / (2 tr Cov) of whitened c_hat, x and x' with "
    "all noise of the shared ancestors in common and the visible side's own drawn anew. Below .1 speaks for "
    "the claim, above .2 against, at every level of c (1, 2, 3) that a run has. "
    f"{GATE}Judged in the invertible world."
)
NEEDS = ("experiments/bottleneck",)
TRAINS = True

TRAINED = "trained/1d"
share = partial(test, units="share")

TESTS = (share("leak at w = d_c", at_levels("leak", TRAINED), "below", 0.1, against=0.2),)
SECONDARY = (
    share("leak minus null_trained", at_levels("leak", TRAINED, "null_trained/1d"), "below", 0.0),
    share("leak minus random init", at_levels("leak", TRAINED, "random_init/1d"), "below", 0.0),
    share("leak minus PCA", at_levels("leak", TRAINED, "pca/1d"), "below", 0.0),
    share("share explained of what can be", at_levels("progress", TRAINED), "above", 0.9),
)


def sentence(contrasts: Mapping[str, Contrast]) -> str:
    """Say what came out."""
    made = told(contrasts, TESTS[0])
    return f"Noise that is none of c's makes {made} of the variance of whitened c_hat at w = d_c."
