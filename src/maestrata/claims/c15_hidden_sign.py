"""Claim 15: a latent that the conditional mean cannot see is out of reach of the mean squared error."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

from maestrata.claims.rule import Contrast, Test
from maestrata.results import Select

NUMBER = 15
TITLE = "A latent that the conditional mean cannot see"
SAYS = (
    "A decoder trained by the mean squared error sees the shared information only through the conditional "
    "mean of the masked part. What that hides it cannot recover; a joint likelihood can."
)
# .01 of R2: about one standard error of an R2 on 8,192 images (.007), less than anything that is taken for an
# effect elsewhere. Both sides of a difference are scored on the same images.
# The root decides: training on nothing leaves weights at random places. By these alone two nulls of one world
# differ by .007 at the root, and by .04 at level 1, where .01 would take some 80 worlds (trials, seeds 0-2).
MARGIN = 0.01
RULE = (
    "Worlds whose tokens are their pattern or minus their pattern, at random (conditional mean 0 whatever is "
    "visible). R2 of the root minus that of a model of the same recipe whose targets are other images': "
    "trained by the mean squared error, within .01 of 0 (equivalence); trained by the "
    "likelihood of whole tokens, a mixture of Gaussians, above 0. The squared error has nothing to explain, "
    "and so no gate: the likelihood, on the same encoder and images, shows that the budget suffices. It "
    "counts if it gains a tenth of the nats that exact inference gains; what it lacks of the rest can only "
    "make its R2 smaller."
)
NEEDS = ("experiments/hidden_sign",)
TRAINS = True

LEARNT = 0.1
gain = partial(Select, "experiments/hidden_sign", "over_null", gate=LEARNT)
test = partial(Test, side="above", threshold=0.0, world="signs")
equal = partial(test, side="within", threshold=MARGIN)

TESTS = (
    equal("root: mean squared error minus its null", gain("mse", level="root")),
    test("root: likelihood minus its null", gain("likelihood", level="root")),
)
SECONDARY = (
    equal("level 1: mean squared error minus its null", gain("mse", level="lowest")),
    equal("mean over levels: mean squared error minus its null", gain("mse", level="all")),
    test("level 1: likelihood minus its null", gain("likelihood", level="lowest")),
    test("mean over levels: likelihood minus its null", gain("likelihood", level="all")),
)


def sentence(contrasts: Mapping[str, Contrast]) -> str:
    """Say what came out."""
    mse, likelihood = (contrasts[test.name].text() for test in TESTS)
    return (
        "Where the conditional mean hides the latents, R2 of the root is over that of training on nothing by "
        f"{mse} with the mean squared error and by {likelihood} with a likelihood."
    )
