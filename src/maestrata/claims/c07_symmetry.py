"""Claim 7: the symmetry under r -> 1 - r that c implies."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from maestrata.claims.base import Evidence, Missing, Row, Test, at_level, elsewhere
from maestrata.claims.skill import PRIMARY, Cell, labels, read, realised, theory_of

NUMBER = 7
TITLE = "What c implies: r and 1 - r leave the same profile"
SAYS = (
    "The information that masked and visible part share is the same when the two change places, so a "
    "representation that recovers c has the same profile over levels at r and at 1 - r."
)
RULE = (
    "Skill at r less skill at 1 - r, for (.9, .1) and (.75, .25), mask patches of one token: within .05 of "
    "skill at every level. Against it: beyond .05 at any level, which says that c alone does not explain an "
    "optimum near .75. Without an exact ceiling the difference is one of R2, a lower bound that can reject "
    "the equivalence and never support it."
)
NEEDS = ("regression",)
TRAINS = True
TESTS = (
    Test("r = .9 less r = .1", "within", 0.05, units="skill"),
    Test("r = .75 less r = .25", "within", 0.05, units="skill"),
)
BESIDE = (
    Test("linear MAE: r = .9 less r = .1", "within", 0.05, units="R2"),
    Test("linear MAE: r = .75 less r = .25", "within", 0.05, units="R2"),
)

PAIRS = ((0.9, 0.1), (0.75, 0.25))


def rows(evidence: Evidence) -> dict[str, list[Row]]:
    """Difference of the two profiles at every level, in every world."""
    found = _differences(evidence, PRIMARY)
    for label in labels(evidence):
        if label == PRIMARY:
            continue
        try:
            other = _differences(evidence, label)
        except Missing:
            continue
        found |= {elsewhere(key, label): given for key, given in other.items()}
    return found


def sentence(means: Mapping[str, tuple[float, float, float]]) -> str:
    """What was found, in a sentence."""
    own = {key: mean for key, mean in means.items() if key.startswith("r =") and not key.endswith("]")}
    key = max(own, key=lambda k: abs(own[k][0]))
    mean, low, high = own[key]
    interval = f" [{low:+.3f}, {high:+.3f}]" if np.isfinite(low) else ""
    return f"The largest difference of mirrored ratios, {key}: {mean:+.3f}{interval}."


def _differences(evidence: Evidence, label: str) -> dict[str, list[Row]]:
    found = {}
    for (above, below), test, rival in zip(PAIRS, TESTS, BESIDE, strict=True):
        cells = [Cell(above), Cell(below)]
        profiles = read(evidence, label, cells)
        share = sum(realised(evidence, label, cell) for cell in cells)
        if not np.isclose(share, 1):
            raise Missing(
                f"world {label!r}: r = {above} and {below} realise no mirrored shares of masked patches"
            )
        skill, half = profiles.mean / profiles.divisor, profiles.half / profiles.divisor
        for k, level in enumerate(profiles.levels):
            found[at_level(test.name, int(level))] = profiles.rows(
                skill[0, :, k] - skill[1, :, k], np.hypot(half[0, :, k], half[1, :, k]), ~profiles.exact[:, k]
            )
        if label != PRIMARY:
            continue
        try:
            linear = theory_of(evidence, "linear_r2", profiles, cells)
        except Missing:
            continue
        for level in map(int, profiles.levels):
            values = linear.sel(level=level).transpose("cell", "world_seed").values
            found[at_level(rival.name, level)] = profiles.rows(values[0] - values[1])
    return found
