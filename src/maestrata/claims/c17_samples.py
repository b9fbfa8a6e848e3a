"""Claim 17: what is not learnt is not for want of samples."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

from maestrata.claims.rule import Contrast, Test
from maestrata.results import Select

NUMBER = 17
TITLE = "It is not sample starvation"
SAYS = (
    "Which levels are recovered is decided by the mask, not by how many different images were seen: "
    "token-level self-supervision may otherwise need samples exponential in depth."
)
# The margin: between ratios the root's R2 differs by some .04 (additive trees, 240,000 images). Two training
# sets that differ by less than half of that cannot turn the order of two ratios.
MARGIN = 0.02
RULE = (
    "Steps fixed, size of the training set swept in doublings and fourfold steps: over the last doubling "
    "R2 of the root, and the mean of R2 over all levels, change by less than .02 (equivalence)."
)
NEEDS = ("experiments/samples",)
TRAINS = True

change = partial(Select, "experiments/samples")
root = partial(change, "r2_change", level="root")
LEVELS, ENDLESS = change("mean_r2_change", "change/last_doubling"), root("change/endless")

TESTS = (
    Test("root: R2, last doubling of the training set", root("change/last_doubling"), "within", MARGIN),
    Test("mean over levels: R2, last doubling of the training set", LEVELS, "within", MARGIN),
)
SECONDARY = (
    Test("root: R2, fresh images at every step minus the largest set", ENDLESS, "within", MARGIN),
    # that the sweep reaches down to where samples are too few
    Test("root: R2, largest minus smallest training set", root("change/whole_range"), "above", 0.0),
)


def sentence(contrasts: Mapping[str, Contrast]) -> str:
    """Say what came out."""
    root_change, mean_change = (contrasts[test.name].text() for test in TESTS)
    return (
        f"The last doubling of the training set changes R2 of the root by {root_change}, of all by "
        f"{mean_change}."
    )
