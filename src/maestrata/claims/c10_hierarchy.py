"""Claim 10: what is learnt is hierarchy, not covariance."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

from maestrata.claims.rule import Contrast, Test
from maestrata.results import Select

NUMBER = 10
TITLE = "It is hierarchy, not covariance"
SAYS = (
    "Masked autoencoders recover latent variables of the hierarchy, and the masking ratio decides which: not "
    "what second moments of the pixels already tell."
)
# r = .75 is the paper's optimum: with the ratio fixed nothing is chosen on the scores that are tested. The
# shape is the inverted U that the paper claims, so its difference has a sign.
RULE = (
    "R2 of the root from a model trained at r = .75 minus that of ridge on all pixels, which no linear "
    "encoder exceeds: above 0. And the inverted U (R2 at .75 minus the mean of R2 at the lowest and at the "
    "highest ratio trained) in the world minus that in a Gaussian world of the same covariance of pixels "
    "and latents: above 0."
)
NEEDS = ("experiments/surrogate",)
TRAINS = True

RATIO = 0.75
surrogate = partial(Select, "experiments/surrogate", level="root")
beyond = partial(surrogate, "beyond_linear", ratio=RATIO)
CONCAT = surrogate("concat_beyond_linear", "world/", ratio=RATIO)
shape = partial(surrogate, "inverted_u", "difference/shape")
sweep = partial(Select, "regression", "r2", ratio=RATIO, level="root", interval="none")
SWEEP = sweep() - sweep(arm="pixels", labels={"pooling": "concat"})

TESTS = (
    Test("root: trained minus best linear", beyond("world/"), "above", 0.0),
    Test("root: inverted U, world minus surrogate", shape(), "above", 0.0),
)
SECONDARY = (
    Test("root: trained, concatenated tokens, minus best linear", CONCAT, "above", 0.0),
    # trained for longer
    Test("root: trained minus best linear, models of the sweep", SWEEP, "above", 0.0, elsewhere=False),
    # nothing exceeds linear in a Gaussian world: a check
    Test("root: trained minus best linear, in the surrogate", beyond("surrogate/"), "below", 0.0),
    Test("level below the root: inverted U, world minus surrogate", shape(level=-2), "above", 0.0),
    Test("level 1: inverted U, world minus surrogate", shape(level="lowest"), "above", 0.0),
)


def sentence(contrasts: Mapping[str, Contrast]) -> str:
    """Say what came out."""
    beyond_linear, inverted = (contrasts[test.name].text() for test in TESTS)
    return (
        f"At r = .75 R2 of the root lies {beyond_linear} from that of the best linear encoder, and its "
        f"inverted U is {inverted} from that of a Gaussian world of the same covariance."
    )
