"""Claim 15: a latent that the conditional mean cannot see is out of reach of the mean squared error."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

from maestrata.claims.rule import ANY, Contrast, Test
from maestrata.results import Select

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
    "mean over all levels, minus that of the encoder at random init: trained by the mean squared error, at "
    "most .01 (below .01); trained by a likelihood of whole tokens, above 0. Both must hold."
)
NEEDS = ("experiments/hidden_phase",)
TRAINS = True

MARGIN = 0.01
phase = partial(Select, "experiments/hidden_phase")
over_random, side_by_side = partial(phase, "over_random"), partial(phase, "over_random_concat")
MSE, LIKELIHOOD = "hidden/mse", "hidden/likelihood"
test = partial(Test, world=ANY)

TESTS = (
    test("phase hidden: mean squared error minus random init", over_random(MSE), "below", MARGIN),
    test("phase hidden: likelihood minus random init", over_random(LIKELIHOOD), "above", 0.0),
)
SECONDARY = (
    test("phase hidden: likelihood minus mean squared error", phase("over_mse", LIKELIHOOD), "above", 0.0),
    test("level 1: mean squared error minus random init", over_random(MSE, level=1), "below", MARGIN),
    test("level 1: likelihood minus random init", over_random(LIKELIHOOD, level=1), "above", 0.0),
    test("tokens side by side: mean squared error minus random init", side_by_side(MSE), "below", MARGIN),
    test("tokens side by side: likelihood minus random init", side_by_side(LIKELIHOOD), "above", 0.0),
    # the budget suffices where there is something to learn
    test("phase not hidden: mean squared error minus random init", over_random("plain/mse"), "above", 0.0),
)


def sentence(contrasts: Mapping[str, Contrast]) -> str:
    """Say what came out."""
    mse, likelihood = (contrasts[test.name].text() for test in TESTS)
    return (
        "Where the conditional mean hides the latents, training changes their R2 over random init by "
        f"{mse} with the mean squared error and by {likelihood} with a likelihood."
    )
