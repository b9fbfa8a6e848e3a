"""Claim 3: Theorem 2, reverse."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

from maestrata.claims.one_mask import NEAR_OPTIMUM, bottleneck, test
from maestrata.claims.rule import Contrast

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

TRAINED, START, PCA = "trained/1d", "random_init/1d", "pca/1d"
LEAK = bottleneck("leak", TRAINED)
PROGRESS = bottleneck("progress", TRAINED)
REGRESSED = bottleneck("leak_regressed", TRAINED)
share = partial(test, units="share")

TESTS = (share("leak at w = d_c", LEAK.where(PROGRESS, NEAR_OPTIMUM), "below", 0.1, against=0.2),)
SECONDARY = (
    share("leak at w = d_c, all worlds", LEAK, "below", 0.1, against=0.2),
    share("leak by regression on the posterior of c, all worlds", REGRESSED, "below", 0.1, against=0.2),
    share("leak minus random init, all worlds", LEAK - bottleneck("leak", START), "below", 0.0),
    share("leak minus PCA, all worlds", LEAK - bottleneck("leak", PCA), "below", 0.0),
    share("share explained of what can be", PROGRESS, "above", 0.9),
)


def sentence(contrasts: Mapping[str, Contrast]) -> str:
    """Say what came out."""
    leak = contrasts[TESTS[0].name]
    return (
        f"Noise that is none of c's makes {leak.estimate:.2f} [{leak.low:.2f}, {leak.high:.2f}] of the "
        "variance of whitened c_hat at w = d_c."
    )
