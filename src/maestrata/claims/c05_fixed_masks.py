"""Claim 5: fixed masks, as in the paper's Figure 4."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from maestrata.claims._experiment import arms, measured
from maestrata.claims._one_mask import less, places
from maestrata.claims.base import Evidence, Missing, Row, Test

__all__ = ["BESIDE", "NEEDS", "NUMBER", "RULE", "SAYS", "TESTS", "TITLE", "TRAINS", "rows", "sentence"]

NUMBER = 5
TITLE = "Fixed masks: conservative, ideal, aggressive"
SAYS = (
    "A mask that hides one half of the image makes the encoder keep what is high in the hierarchy; one that"
    " hides too little or too much makes it keep low-level noise."
)
RULE = (
    "One model a mask. Low-level leak: share of the variance of the whitened mean of the visible tokens "
    "that the noise below level 2 (of levels 0 and 1) makes. That of the ideal mask below those of the "
    "conservative and of the aggressive one; and, as the three differ in ratio, its slope over the ladder "
    "of masks at ratio .5 (one child of every level-k node masked, k = 1..L) below 0 a rung. All three are "
    "needed; any one reversed speaks against. Judged in the invertible world."
)
NEEDS = ("experiments/fixed_masks",)
TRAINS = True

NAME = "fixed_masks"
IDEAL, OTHERS = "ideal", ("conservative", "aggressive")
LOW = 2
"""Noise below this level is low. With 16 leaves these are the lower levels of 0 to 4, and level 1 is the
lowest that any mask can make shared: the noise of a token is never in c."""
UNITS = "share"

TESTS = (
    Test("leak, ideal less conservative", "below", 0.0, units=UNITS),
    Test("leak, ideal less aggressive", "below", 0.0, units=UNITS),
    Test("slope of the leak over the ladder", "below", 0.0, units="share a rung"),
)
# Trained less untrained takes off what a mask does without training, such as how many tokens a mean is over.
BESIDE = (
    Test("change of the leak by training, ideal less conservative", "below", 0.0, units=UNITS),
    Test("change of the leak by training, ideal less aggressive", "below", 0.0, units=UNITS),
    Test("slope of the change of the leak by training", "below", 0.0, units="share a rung"),
    Test("leak of whole images, ideal less conservative", "below", 0.0, units=UNITS),
    Test("leak of whole images, ideal less aggressive", "below", 0.0, units=UNITS),
    Test("slope of the leak of whole images", "below", 0.0, units="share a rung"),
    Test("change of R2 of level 1 by training, slope over the ladder", "below", 0.0, units="R2 a rung"),
    Test("change of R2 of the root by training, slope over the ladder", "above", 0.0, units="R2 a rung"),
)


def rows(evidence: Evidence) -> dict[str, list[Row]]:
    """Return the contrasts of every world; see `RULE`."""
    found = {}
    for label, key in places(evidence, NAME):
        rungs = {a: at for a, at in arms(evidence, NAME, label, "leak").items() if a.startswith("ladder")}
        if len(rungs) < 2:
            raise Missing(
                f"experiment {NAME} has {len(rungs)} rungs in the world {label!r}: two are needed"
            )
        reader = _Reader(evidence, label, rungs)
        top = int(max(rungs.values()))
        given = [*reader.contrasts("leak"), *reader.contrasts("leak", "leak_random_init")]
        given += reader.contrasts("leak_whole")
        given += [reader.slope("r2", level, "r2_random_init") for level in (1, top)]
        for test, of_worlds in zip((*TESTS, *BESIDE), given, strict=True):
            found[key.format(test.name)] = of_worlds
    return found


def sentence(means: Mapping[str, tuple[float, float, float]]) -> str:
    """Say what was found."""
    conservative, aggressive, slope = (means[test.name][0] for test in TESTS)
    return (
        f"Low-level noise makes {conservative:+.3f} of the variance under the ideal mask against the "
        f"conservative one, {aggressive:+.3f} against the aggressive one, and {slope:+.3f} a rung of the "
        "ladder."
    )


@dataclass(frozen=True)
class _Reader:
    """Contrasts of masks in the worlds of one label, of a quantity or of what it has above another."""

    evidence: Evidence
    label: str
    rungs: Mapping[str, float]

    def read(self, arm: str, quantity: str, level: int, base: str | None) -> list[Row]:
        value = measured(self.evidence, NAME, self.label, arm, quantity, level)
        if base is None:
            return value
        return less(value, measured(self.evidence, NAME, self.label, arm, base, level))

    def contrasts(self, quantity: str, base: str | None = None) -> list[list[Row]]:
        """Ideal less either of the others, and the slope over the ladder, at the low level."""
        ideal = self.read(IDEAL, quantity, LOW, base)
        apart = [less(ideal, self.read(other, quantity, LOW, base)) for other in OTHERS]
        return [*apart, self.slope(quantity, LOW, base)]

    def slope(self, quantity: str, level: int, base: str | None = None) -> list[Row]:
        """Least-squares slope over the rungs, of every world that has them all."""
        at = np.array(list(self.rungs.values()))
        weights = (at - at.mean()) / np.square(at - at.mean()).sum()
        by_seed: dict[int, list[Row]] = {}
        for arm in self.rungs:
            for row in self.read(arm, quantity, level, base):
                by_seed.setdefault(row.world_seed, []).append(row)
        found = []
        for seed, given in sorted(by_seed.items()):
            if len(given) == len(at):
                value = float(weights @ [row.value for row in given])
                # of the same images, joined as if independent
                half = float(np.sqrt(np.square(weights) @ [((r.high - r.low) / 2) ** 2 for r in given]))
                seeds = min(row.seeds for row in given)
                found.append(Row(self.label, seed, value, value - half, value + half, seeds))
        return found
