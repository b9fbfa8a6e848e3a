"""Claim 16: what Section 3.6 advises: masks that follow the structure, and a loss without border tokens."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

from maestrata.claims.rule import Contrast, Test
from maestrata.results import Combined, Select, mean_of
from maestrata.results.read import Level

NUMBER = 16
TITLE = "Aligned masks and a loss without the border help"
SAYS = (
    "Masks that follow the latent structure, and a loss that leaves out what lies at the border between "
    "masked and visible, turn the representation towards high levels (Section 3.6)."
)
# The paper's own setting, r = .75 and mask patches of twice the ViT's, is 2 x 2 tokens. Threshold 0: what is
# claimed is a gain. Dividing by a ceiling, the same for both sides, would not change the sign.
RULE = (
    "Gain in R2 of the root, each above 0: (1) mask patches aligned with the tree minus the same patches "
    "offset by half a block, mean over patches of 2 and 4 tokens and over the ratios that a run has of "
    "both; (2) border tokens left out of the loss minus the standard loss, patches of 2 x 2 tokens, r = "
    ".75; (3) the same minus a loss that leaves out equally many masked tokens at random."
)
NEEDS = ("regression", "experiments/border")
TRAINS = True

SIZES = (2, 4)
RATIOS = (0.1, 0.25, 0.5, 0.75, 0.9)


def aligned_minus_offset(level: Level) -> Combined:
    """Contrast aligned with offset masks: mean over the pairs of cells that a run has."""
    cell = partial(Select, "regression", "r2", level=level)
    return mean_of(
        *(cell(ratio=r, patch=s) - cell(ratio=r, patch=s, offset=1) for s in SIZES for r in RATIOS),
        lacking="the sweep has no mask patches both aligned and offset",
    )


border = partial(Select, "experiments/border", arm="2x2/no_border", level="root")
fine = partial(border, arm="1x1/no_border")  # patches of one token
STANDARD, RANDOM = "over_standard", "over_random"

TESTS = (
    Test("root: aligned minus offset masks", aligned_minus_offset("root"), "above", 0.0),
    Test("root: border left out minus standard loss", border(STANDARD), "above", 0.0),
    Test("root: border left out minus random left out", border(RANDOM), "above", 0.0),
)
SECONDARY = (
    Test("root: border left out minus standard loss, patches of one token", fine(STANDARD), "above", 0.0),
    Test("root: border left out minus random left out, patches of one token", fine(RANDOM), "above", 0.0),
    # turned towards high levels, and away from low ones
    Test("level 1: aligned minus offset masks", aligned_minus_offset("lowest"), "below", 0.0),
    Test("level 1: border left out minus standard loss", border(STANDARD, level=1), "below", 0.0),
)


def sentence(contrasts: Mapping[str, Contrast]) -> str:
    """Say what came out."""
    aligned, standard, random = (contrasts[test.name].text() for test in TESTS)
    return (
        f"The root gains {aligned} of R2 by masks that follow the tree; by leaving the border out of the "
        f"loss {standard} over the standard loss and {random} over leaving out as many tokens at random."
    )
