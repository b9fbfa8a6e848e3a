"""Claim 17, ours: what few images starve lies at the bottom, and the top is not for want of images."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

from maestrata.claims.rule import Contrast, Test
from maestrata.results import UNGATED, Combined, Select
from maestrata.results.read import Level

NUMBER = 17
OURS = True
TITLE = "Starvation: lost with few images, not for want of more"
SAYS = (
    "Token-level self-supervision may need samples exponential in depth. At the sizes used here it does not "
    "want for them: which levels are recovered is decided by the mask, not by how many different images were "
    "seen, though with few images even the lowest level is lost."
)
# .02: between ratios the root differs by .03 and more (grammars of 8 leaves, trials), so sizes that differ by
# less cannot turn the order of two ratios. .05: what claim 7 takes for no difference is not a loss.
MARGIN, LOSS = 0.02, 0.05
SMALLEST, NEXT, LARGEST = 256, 16_384, 65_536
RULE = (
    "Steps fixed, size of the training set swept in fourfold steps from 256 to 65,536. Positive control: R2 "
    "of level 1 with 256 images minus that with 65,536 lies below -.05, so the sweep reaches down to where "
    "images are too few. Flat at the top: from 16,384 to 65,536 images R2 of the root, and the mean of R2 "
    "over levels, change by less than .02 (equivalence). The gate on progress is asked of the largest set "
    "alone. Secondary: more steps on the largest set, and fresh images at every step. Judged in the grammar."
)
NEEDS = ("experiments/samples",)
TRAINS = True

samples = partial(Select, "experiments/samples", "r2")


def change(level: Level, fewer: int, more: str = f"s{LARGEST}") -> Combined:
    """Contrast an arm with the largest set, or another, with a smaller set."""
    return samples(more, level=level) - samples(f"s{fewer}", level=level, gate=UNGATED)


def longer(multiple: int) -> Combined:
    """Contrast the largest set trained for longer with itself."""
    return samples(f"s{LARGEST}/{multiple}x", level="root") - samples(f"s{LARGEST}", level="root")


LOST = samples(f"s{SMALLEST}", level="lowest", gate=UNGATED) - samples(f"s{LARGEST}", level="lowest")
# where images can be wanting: symbols that a part tells for sure take few
test = partial(Test, world="nonlinear")
flat = partial(test, side="within", threshold=MARGIN)

TESTS = (
    test("level 1: R2, 256 images minus 65,536", LOST, "below", -LOSS),
    flat("root: R2, 65,536 images minus 16,384", change("root", NEXT)),
    flat("mean over levels: R2, 65,536 images minus 16,384", change("all", NEXT)),
)
SECONDARY = (
    test("root: R2, 65,536 images minus 256", change("root", SMALLEST), "above", 0.0),
    flat("root: R2, fresh images at every step minus 65,536", change("root", LARGEST, "endless")),
    *(flat(f"root: R2, {k} times the steps on 65,536 images", longer(k)) for k in (2, 4)),
)


def sentence(contrasts: Mapping[str, Contrast]) -> str:
    """Say what came out."""
    lost, root, mean = (contrasts[test.name].text() for test in TESTS)
    return (
        f"With 256 images in place of 65,536 R2 of level 1 changes by {lost}; the last fourfold step changes "
        f"that of the root by {root}, and the mean over levels by {mean}."
    )
