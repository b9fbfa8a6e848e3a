"""Claim 13: accuracy that is lost under shifted noise (the paper's ImageNet variants)."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

from maestrata.claims.rule import Contrast, Test
from maestrata.results import Select

NUMBER = 13
TITLE = "Robustness to shifted noise"
SAYS = (
    "A linear probe on what is learned at an intermediate masking ratio keeps more of its accuracy when the "
    "low-level statistics of the images shift (the paper's ImageNet variants)."
)
RULE = (
    "Probes for the root's class are fitted to plain images. Share lost: accuracy on plain images minus that "
    "under a shift, over accuracy on plain images minus chance; minus the same of exact inference that knows "
    "of the shift, where there is one (one number a world, which drops out of contrasts); mean over the "
    "shifts. Mask patches of one token: share lost at .75 minus random init below 0, and minus the share "
    "lost at .1 below 0. Both are needed; either one reversed speaks against. The threshold is 0, that of an "
    "order; secondary: whether the share lost beyond the ceiling's stays below .05, claim 7's margin."
)
NEEDS = ("experiments/robustness",)
TRAINS = True

shifted = partial(Select, "experiments/robustness", interval="centred")
lost = partial(shifted, "lost_share", "1x1/")  # by models of mask patches of one token
right = partial(shifted, "shifted_accuracy", "1x1/")
share, accuracy = partial(Test, units="share"), partial(Test, units="accuracy")
LOST_AT_START, RIGHT_AT_START = (shifted(q, "random_init") for q in ("lost_share", "shifted_accuracy"))
EXCESS = shifted("excess_share", "1x1/", ratio=0.75)

TESTS = (
    share("share lost, .75 minus random init", lost(ratio=0.75) - LOST_AT_START, "below", 0.0),
    share("share lost, .75 minus .1", lost(ratio=0.75) - lost(ratio=0.1), "below", 0.0),
)
SECONDARY = (
    share("share lost, .75 minus .9", lost(ratio=0.75) - lost(ratio=0.9), "below", 0.0),
    share("share lost beyond the ceiling's, .75", EXCESS, "below", 0.05),
    accuracy("accuracy under shift, .75 minus .1", right(ratio=0.75) - right(ratio=0.1), "above", 0.0),
    accuracy("accuracy under shift, .75 minus random init", right(ratio=0.75) - RIGHT_AT_START, "above", 0.0),
)


def sentence(contrasts: Mapping[str, Contrast]) -> str:
    """Say what came out."""
    start, low = (contrasts[test.name].estimate for test in TESTS)
    return (
        f"Under shifted noise the probe at ratio .75 loses a share of its accuracy {abs(start):.3f} "
        f"{'smaller' if start < 0 else 'larger'} than from the untrained encoder and {abs(low):.3f} "
        f"{'smaller' if low < 0 else 'larger'} than at ratio .1."
    )
