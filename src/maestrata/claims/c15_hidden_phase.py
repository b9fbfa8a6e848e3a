"""Claim 15: a latent that the conditional mean cannot see is out of reach of the mean squared error."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from maestrata.claims._experiment import measured
from maestrata.claims.base import Evidence, Missing, Row, Test

NUMBER = 15
TITLE = "A latent that the conditional mean cannot see"
SAYS = (
    "A decoder trained by the mean squared error sees the shared information only through the conditional "
    "mean of the masked part. What that hides it cannot recover; a joint likelihood can."
)
# .01 of R2: about one standard error of an R2 on 8,192 images (.007), less than anything that is read as an
# effect elsewhere. Both sides of a difference are read on the same images.
RULE = (
    "Worlds whose tokens have random phases (conditional mean 0 whatever is visible); R2 of the latents, "
    "mean over all levels, less that of the encoder at random init: trained by the mean squared error, at "
    "most .01 (below .01); trained by a likelihood of whole tokens, above 0. Both must hold."
)
NEEDS = ("experiments/hidden_phase",)
TRAINS = True
NAME = "hidden_phase"
MARGIN = 0.01

MSE = "phase hidden: mean squared error less random init"
LIKELIHOOD = "phase hidden: likelihood less random init"
APART = "phase hidden: likelihood less mean squared error"
LOWEST_MSE = "level 1: mean squared error less random init"
LOWEST_LIKELIHOOD = "level 1: likelihood less random init"
CONCAT_MSE = "tokens side by side: mean squared error less random init"
CONCAT_LIKELIHOOD = "tokens side by side: likelihood less random init"
PLAIN = "phase not hidden: mean squared error less random init"
TESTS = (Test(MSE, "below", MARGIN), Test(LIKELIHOOD, "above", 0.0))
BESIDE = (
    Test(APART, "above", 0.0),
    Test(LOWEST_MSE, "below", MARGIN),
    Test(LOWEST_LIKELIHOOD, "above", 0.0),
    Test(CONCAT_MSE, "below", MARGIN),
    Test(CONCAT_LIKELIHOOD, "above", 0.0),
    Test(PLAIN, "above", 0.0),  # the budget suffices where there is something to learn
)

# test -> arm, quantity, level (0: mean over levels)
_READINGS = {
    MSE: ("hidden/mse", "over_random", 0),
    LIKELIHOOD: ("hidden/likelihood", "over_random", 0),
    APART: ("hidden/likelihood", "over_mse", 0),
    LOWEST_MSE: ("hidden/mse", "over_random", 1),
    LOWEST_LIKELIHOOD: ("hidden/likelihood", "over_random", 1),
    CONCAT_MSE: ("hidden/mse", "over_random_concat", 0),
    CONCAT_LIKELIHOOD: ("hidden/likelihood", "over_random_concat", 0),
    PLAIN: ("plain/mse", "over_random", 0),
}


def rows(evidence: Evidence) -> dict[str, list[Row]]:
    """One row a world; of what does not decide there may be none."""
    labels = list(map(str, evidence.cube(f"experiments/{NAME}").world.values))
    deciding = {test.name for test in TESTS}
    found: dict[str, list[Row]] = {}
    for test, (arm, quantity, level) in _READINGS.items():
        try:
            parts = [measured(evidence, NAME, label, arm, quantity, level) for label in labels]
        except Missing:
            if test in deciding:
                raise
            parts = []
        found[test] = [row for part in parts for row in part]
        if test in deciding and not found[test]:
            raise Missing(f"experiment {NAME} has no {quantity!r} of {arm!r} in any world")
    return found


def sentence(means: Mapping[str, tuple[float, float, float]]) -> str:
    """What was found, in a sentence."""
    parts = []
    for test in (MSE, LIKELIHOOD):
        mean, low, high = means[test]
        parts.append(f"{mean:+.3f}" + (f" [{low:+.3f}, {high:+.3f}]" if np.isfinite(low) else ""))
    return (
        "Where the conditional mean hides the latents, training changes their R2 over random init by "
        f"{parts[0]} with the mean squared error and by {parts[1]} with a likelihood."
    )
