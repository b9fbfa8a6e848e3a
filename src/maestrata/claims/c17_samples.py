"""Claim 17: what is not learnt is not for want of samples."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from maestrata.claims._experiment import labels, measured, root
from maestrata.claims.base import Evidence, Row, Test, elsewhere
from maestrata.claims.skill import PRIMARY

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
ROOT = "root: R2, last doubling of the training set"
LEVELS = "mean over levels: R2, last doubling of the training set"
TESTS = (Test(ROOT, "within", MARGIN), Test(LEVELS, "within", MARGIN))
ENDLESS = "root: R2, fresh images at every step less the largest set"
FIRST = "root: R2, largest less smallest training set"
BESIDE = (
    Test(ENDLESS, "within", MARGIN),
    Test(FIRST, "above", 0.0),  # that the sweep reaches down to where samples are too few
)

NAME = "samples"


def rows(evidence: Evidence) -> dict[str, list[Row]]:
    """Changes over the sizes of the training set, in every world."""
    found = {}
    for label in labels(evidence, NAME):
        top = root(evidence, NAME, label)
        given = {
            ROOT: measured(evidence, NAME, label, "change/last_doubling", "r2_change", top),
            LEVELS: measured(evidence, NAME, label, "change/last_doubling", "mean_r2_change"),
            ENDLESS: measured(evidence, NAME, label, "change/endless", "r2_change", top),
            FIRST: measured(evidence, NAME, label, "change/whole_range", "r2_change", top),
        }
        for test, own in given.items():
            found[test if label == PRIMARY else elsewhere(test, label)] = own
    return found


def sentence(means: Mapping[str, tuple[float, float, float]]) -> str:
    """What was found, in a sentence."""
    parts = []
    for test in (ROOT, LEVELS):
        mean, low, high = means[test]
        parts.append(f"{mean:+.3f}" + (f" [{low:+.3f}, {high:+.3f}]" if np.isfinite(low) else ""))
    return (
        f"The last doubling of the training set changes R2 of the root by {parts[0]}, of all by {parts[1]}."
    )
