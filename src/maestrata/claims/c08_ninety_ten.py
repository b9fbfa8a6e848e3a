"""Claim 8: representations learnt at r = .9 resemble those learnt at r = .1."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial

import numpy as np
from numpy.typing import NDArray

from maestrata.claims.rule import Contrast, Test
from maestrata.claims.statistics import squared_distance_pseudovalues
from maestrata.results import Combined, Numbers, Select

NUMBER = 8
TITLE = "Masking 90 % resembles masking 10 %"
SAYS = (
    "With most of the image masked the visible part misses a high-level variable's evidence as a small mask "
    "misses its descendants: both ends of the range leave low-level representations, which are alike."
)
RULE = (
    "Squared distance of the profiles of R2 over levels that two ratios have on average over worlds (mean "
    "over levels), estimated without the bias of a square: from products of different worlds, whose noise "
    "has nothing in common. The distance of (.9, .1) lies below that of (.9, .5) and below that of (.1, .5), "
    "each one-sided, over jackknife pseudo-values of the worlds. CKA of representations is secondary, "
    "against models of the same ratio and another seed."
)
NEEDS = ("regression",)
USES = ("experiments/similarity",)
TRAINS = True


def distance(one: float, other: float) -> Combined:
    """Squared distance of the profiles at two ratios, mean over levels."""
    profile = partial(Select, "regression", "r2", level="each", interval="none")
    return Combined((profile(ratio=one) - profile(ratio=other),), _distance)


def _distance(parts: Sequence[Numbers]) -> Numbers:
    (difference,) = parts
    return difference.derived(distances(difference.mean))


def distances(difference: NDArray[np.float64]) -> NDArray[np.float64]:
    """Pseudo-values of the squared distance over levels, one a world; of differences (worlds, levels)."""
    squared = np.full(len(difference), np.nan)
    worlds = np.isfinite(difference).all(1)
    if worlds.sum() > 2:
        squared[worlds] = squared_distance_pseudovalues(difference[worlds]) / difference.shape[1]
    else:
        # Too few for products of different worlds: the plain square, too large by the noise of both profiles.
        squared[worlds] = np.square(difference[worlds]).mean(1)
    return squared


cka = partial(Select, "experiments/similarity", arm="ratios", interval="none")
ENDS = cka("cka_10_90")

nearer = partial(Test, side="below", threshold=0.0, units="squared R2")

TESTS = (
    nearer("(.9, .1) minus (.9, .5)", distance(0.9, 0.1) - distance(0.9, 0.5)),
    nearer("(.9, .1) minus (.1, .5)", distance(0.9, 0.1) - distance(0.1, 0.5)),
)
alike = partial(Test, units="CKA", elsewhere=False)
SECONDARY = (
    # As alike as the same ratio trained twice: nothing of the ratio would be left to see.
    alike("CKA: (.9, .1) minus the same ratio", ENDS - cka("cka_same_ratio"), "within", 0.05),
    alike("CKA: (.9, .1) minus (.9, .5)", ENDS - cka("cka_50_90"), "above", 0.0),
    alike("CKA: (.9, .1) minus (.1, .5)", ENDS - cka("cka_10_50"), "above", 0.0),
)


def sentence(contrasts: Mapping[str, Contrast]) -> str:
    """Say what came out."""
    middle, low = (contrasts[test.name].estimate for test in TESTS)
    words = [
        f"{'closer' if mean < 0 else 'farther'} than {pair} by {abs(mean):.2g}"
        for mean, pair in ((middle, "(.9, .5)"), (low, "(.1, .5)"))
    ]
    return f"In squared R2, the profiles of .9 and .1 are {' and '.join(words)}."
