"""Claim 8: representations learnt at r = .9 resemble those learnt at r = .1."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from maestrata.claims.base import Evidence, Missing, Row, Test, elsewhere
from maestrata.claims.skill import PRIMARY, Cell, Profiles, labels, nanmean, read
from maestrata.claims.statistics import squared_distance, squared_distance_pseudovalues

NUMBER = 8
TITLE = "Masking 90 % resembles masking 10 %"
SAYS = (
    "With most of the image masked the visible part misses a high-level variable's evidence as a small mask "
    "misses its descendants: both ends of the range leave low-level representations, which are alike."
)
RULE = (
    "Squared distance of the profiles of R2 over levels (mean over levels), estimated without the bias of a "
    "square: products of different training seeds; with one training seed the other worlds stand in for "
    "them. The distance of (.9, .1) lies below that of (.9, .5) and below that of (.1, .5), each one-sided. "
    "CKA of representations stands beside, against models of the same ratio and another seed."
)
NEEDS = ("regression",)
TRAINS = True
TESTS = (
    Test("(.9, .1) less (.9, .5)", "below", 0.0, units="squared R2"),
    Test("(.9, .1) less (.1, .5)", "below", 0.0, units="squared R2"),
)
BESIDE = (
    # As alike as the same ratio trained twice: nothing of the ratio would be left to see.
    Test("CKA: (.9, .1) less the same ratio", "within", 0.05, units="CKA"),
    Test("CKA: (.9, .1) less (.9, .5)", "above", 0.0, units="CKA"),
    Test("CKA: (.9, .1) less (.1, .5)", "above", 0.0, units="CKA"),
)

RATIOS = (0.1, 0.5, 0.9)
_CKA = {
    "CKA: (.9, .1) less the same ratio": "cka_same_ratio",
    "CKA: (.9, .1) less (.9, .5)": "cka_50_90",
    "CKA: (.9, .1) less (.1, .5)": "cka_10_50",
}


def rows(evidence: Evidence) -> dict[str, list[Row]]:
    """Differences of squared distances, in every world."""
    cells = [Cell(ratio) for ratio in RATIOS]
    found = _of_world(read(evidence, PRIMARY, cells))
    for label in labels(evidence):
        if label == PRIMARY:
            continue
        try:
            other = _of_world(read(evidence, label, cells))
        except Missing:
            continue
        found |= {elsewhere(name, label): given for name, given in other.items()}
    return found | _similarity(evidence)


def sentence(means: Mapping[str, tuple[float, float, float]]) -> str:
    """What was found, in a sentence."""
    parts = [means[test.name][0] for test in TESTS]
    words = [
        f"{'closer' if mean < 0 else 'farther'} than {pair} by {abs(mean):.2g}"
        for mean, pair in zip(parts, ("(.9, .5)", "(.1, .5)"), strict=True)
    ]
    return f"In squared R2, the profiles of .9 and .1 are {' and '.join(words)}."


def _of_world(profiles: Profiles) -> dict[str, list[Row]]:
    low, middle, high = profiles.each  # (worlds, seeds, levels)
    pairs = [_distances(one - other) for one, other in ((high, low), (high, middle), (low, middle))]
    found = (pairs[0] - pairs[1], pairs[0] - pairs[2])
    return {test.name: profiles.rows(values) for test, values in zip(TESTS, found, strict=True)}


def _distances(difference: NDArray[np.float64]) -> NDArray[np.float64]:
    """Squared distances over levels, one a world; of differences (worlds, seeds, levels)."""
    n_levels = difference.shape[2]
    there: NDArray[np.bool_] = np.asarray(np.isfinite(difference).all(2))
    distances = np.full(len(difference), np.nan)
    if (there.sum(1) > 1).any():
        # Worlds with a single training seed among others with several have no unbiased number.
        for k in np.flatnonzero(there.sum(1) > 1):
            distances[k] = squared_distance(difference[k, there[k]]) / n_levels
        return distances
    worlds = np.flatnonzero(there.any(1))
    means = nanmean(difference[worlds], 1)
    if len(worlds) > 2:
        distances[worlds] = squared_distance_pseudovalues(means) / n_levels
    else:
        # Too few for products of different worlds: the plain square, too large by the noise of both profiles.
        distances[worlds] = np.square(means).mean(1)
    return distances


def _similarity(evidence: Evidence) -> dict[str, list[Row]]:
    cube = evidence.there.get("experiments/similarity")
    if cube is None or PRIMARY not in cube.world.values or "cka_10_90" not in cube["quantity"].values:
        return {}
    one = cube.value.sel(world=PRIMARY)
    over = tuple(d for d in one.dims if d not in ("world_seed", "quantity"))
    values = one.transpose("quantity", "world_seed", *over)
    found = {}
    for name, quantity in _CKA.items():
        if quantity not in cube["quantity"].values:
            continue
        ours, theirs = (
            nanmean(values.sel(quantity=q).values.reshape(cube.sizes["world_seed"], -1), 1)
            for q in ("cka_10_90", quantity)
        )
        found[name] = [
            Row(PRIMARY, int(seed), float(value))
            for seed, value in zip(cube.world_seed.values, ours - theirs, strict=True)
        ]
    return found
