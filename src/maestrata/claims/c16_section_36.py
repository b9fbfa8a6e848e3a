"""Claim 16: what Section 3.6 advises: masks that follow the structure, and a loss without border tokens."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from maestrata.claims._experiment import labels, measured, root
from maestrata.claims.base import Evidence, Missing, Row, Test, elsewhere
from maestrata.claims.skill import PRIMARY, Cell, read

NUMBER = 16
TITLE = "Aligned masks and a loss without the border help"
SAYS = (
    "Masks that follow the latent structure, and a loss that leaves out what lies at the border between "
    "masked and visible, turn the representation towards high levels (Section 3.6)."
)
# The paper's own setting, r = .75 and mask patches of twice the ViT's, is 2 x 2 tokens. Threshold 0: what is
# claimed is a gain. Dividing by a ceiling, the same for both sides, would not change the sign.
RULE = (
    "Gain in R2 of the root, each above 0: (1) mask patches aligned with the tree less the same patches "
    "offset by half a block, mean over patches of 2 and 4 tokens and over the ratios that a run has of "
    "both; (2) border tokens left out of the loss less the standard loss, patches of 2 x 2 tokens, r = "
    ".75; (3) the same less a loss that leaves out equally many masked tokens at random."
)
NEEDS = ("regression", "experiments/border")
TRAINS = True
ALIGNED = "root: aligned less offset masks"
BORDER = "root: border left out less standard loss"
RANDOM = "root: border left out less random left out"
TESTS = tuple(Test(name, "above", 0.0) for name in (ALIGNED, BORDER, RANDOM))
FINE_BORDER = "root: border left out less standard loss, patches of one token"
FINE_RANDOM = "root: border left out less random left out, patches of one token"
LOW_ALIGNED = "level 1: aligned less offset masks"
LOW_BORDER = "level 1: border left out less standard loss"
BESIDE = (
    Test(FINE_BORDER, "above", 0.0),
    Test(FINE_RANDOM, "above", 0.0),
    Test(LOW_ALIGNED, "below", 0.0),  # turned towards high levels, and away from low ones
    Test(LOW_BORDER, "below", 0.0),
)

NAME = "border"
SIZES = (2, 4)
RATIOS = (0.1, 0.25, 0.5, 0.75, 0.9)


def rows(evidence: Evidence) -> dict[str, list[Row]]:
    """Gains in every world of either cube."""
    found = {}
    for label in _sweep_labels(evidence):
        try:
            aligned = _aligned(evidence, label)
        except Missing:
            if label == PRIMARY:
                raise
            continue
        for test, given in aligned.items():
            found[test if label == PRIMARY else elsewhere(test, label)] = given
    for label in labels(evidence, NAME):
        for test, given in _border(evidence, label).items():
            found[test if label == PRIMARY else elsewhere(test, label)] = given
    return found


def sentence(means: Mapping[str, tuple[float, float, float]]) -> str:
    """What was found, in a sentence."""
    parts = []
    for test in (ALIGNED, BORDER, RANDOM):
        mean, low, high = means[test]
        parts.append(f"{mean:+.3f}" + (f" [{low:+.3f}, {high:+.3f}]" if np.isfinite(low) else ""))
    return (
        f"The root gains {parts[0]} of R2 by masks that follow the tree; by leaving the border out of the "
        f"loss {parts[1]} over the standard loss and {parts[2]} over leaving out as many tokens at random."
    )


def _sweep_labels(evidence: Evidence) -> list[str]:
    found = [str(label) for label in evidence.cube("regression").world.values]
    return sorted(found, key=lambda label: (label != PRIMARY, label))


def _aligned(evidence: Evidence, label: str) -> dict[str, list[Row]]:
    """Aligned less offset, root and level 1: mean over all pairs of cells that differ in the offset alone."""
    pairs = []
    for size in SIZES:
        for ratio in RATIOS:
            cells = Cell(ratio, size, 0), Cell(ratio, size, 1)
            try:
                read(evidence, label, cells)
            except Missing:
                continue
            pairs.append(cells)
    if not pairs:
        raise Missing(f"the sweep has no mask patches both aligned and offset in the world {label!r}")
    profiles = read(evidence, label, [cell for pair in pairs for cell in pair])
    # (pairs, worlds, levels); NaN where a world lacks a cell of any pair
    gain = (profiles.mean[0::2] - profiles.mean[1::2]).mean(0)
    # Quadrature takes no account of the images that all cells share: rather too wide.
    half = np.sqrt(np.square(profiles.half).sum(0)) / len(pairs)
    found = {ALIGNED: profiles.rows(gain[:, -1], half[:, -1])}
    if gain.shape[1] > 1:
        found[LOW_ALIGNED] = profiles.rows(gain[:, 0], half[:, 0])
    return found


def _border(evidence: Evidence, label: str) -> dict[str, list[Row]]:
    top = root(evidence, NAME, label)

    def of(arm: str, quantity: str, level: int = top) -> list[Row]:
        return measured(evidence, NAME, label, arm, quantity, level)

    found = {
        BORDER: of("2x2/no_border", "over_standard"),
        RANDOM: of("2x2/no_border", "over_random"),
    }
    try:
        found[FINE_BORDER] = of("1x1/no_border", "over_standard")
        found[FINE_RANDOM] = of("1x1/no_border", "over_random")
    except Missing:
        pass
    if top > 1:
        found[LOW_BORDER] = of("2x2/no_border", "over_standard", 1)
    return found
