"""Claim 11: high levels are invariant to low-level noise."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

from maestrata.claims.rule import Contrast, Test
from maestrata.results import Combined, Select
from maestrata.results.read import Level

NUMBER = 11
TITLE = "Invariance to low-level noise"
SAYS = (
    "What a masked autoencoder learns at an intermediate masking ratio is high in the hierarchy, and so "
    "changes little when the noise below is drawn anew."
)
RULE = (
    "Whitened primary features of the whole image, mask patches of one token, ratio .75. Share of variance "
    "that changes when the noise below level l is drawn anew (levels l and above kept), over what changes "
    "when all noise is, mean over l = 1..L: trained minus random init below 0. And the mirror, noise at "
    "level l and above drawn anew with what is below kept: trained minus random init above 0. Both are "
    "needed; either one reversed speaks against. The threshold is 0: no size of change has a meaning of its "
    "own."
)
NEEDS = ("experiments/invariance",)
TRAINS = True

redrawn = partial(Select, "experiments/invariance", interval="centred")
share = partial(Test, units="share")


def against_start(quantity: str, level: Level) -> Combined:
    """Contrast the model trained at .75, the ratio of the paper and of He et al., with the untrained one."""
    return redrawn(quantity, "1x1/", ratio=0.75, level=level) - redrawn(quantity, "random_init", level=level)


def against_ratio(ratio: float) -> Combined:
    """Contrast the model trained at .75 with one of another ratio."""
    low = partial(redrawn, "low_redrawn", "1x1/", level="all")
    return low(ratio=0.75) - low(ratio=ratio)


LOW, HIGH = against_start("low_redrawn", "all"), against_start("high_redrawn", "all")
TOKENS, OWN_ROOT = against_start("low_redrawn", "lowest"), against_start("low_redrawn", "root")

TESTS = (
    share("low noise redrawn, .75 minus random init", LOW, "below", 0.0),
    share("high noise redrawn, .75 minus random init", HIGH, "above", 0.0),
)
SECONDARY = (
    share("token noise redrawn, .75 minus random init", TOKENS, "below", 0.0),
    share("all but the root's noise redrawn, .75 minus random init", OWN_ROOT, "below", 0.0),
    share("low noise redrawn, .75 minus .1", against_ratio(0.1), "below", 0.0),
    share("low noise redrawn, .75 minus .9", against_ratio(0.9), "below", 0.0),
)


def sentence(contrasts: Mapping[str, Contrast]) -> str:
    """Say what came out."""
    low, high = (contrasts[test.name].estimate for test in TESTS)
    return (
        f"With the noise below a level drawn anew, the share of variance that changes is {abs(low):.3f} "
        f"{'lower' if low < 0 else 'higher'} than in the untrained encoder; with the noise above, "
        f"{abs(high):.3f} {'higher' if high > 0 else 'lower'}."
    )
