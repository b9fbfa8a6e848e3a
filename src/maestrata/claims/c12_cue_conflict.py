"""Claim 12: where two cues disagree, the answer is for the root (the paper's shape bias)."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

from maestrata.claims.rule import Contrast, Test
from maestrata.results import Select

NUMBER = 12
TITLE = "Cue conflict: root over texture (shape bias)"
SAYS = (
    "A representation learned at an intermediate masking ratio lets a probe rest on the high level: where "
    "shape and texture disagree it answers for the shape more often than one learned at a small ratio (the "
    "paper's shape bias: .14 at .1, .26 at .75, .20 at .9)."
)
RULE = (
    "A linear probe is fitted where the root's class and a texture, the common sign of one coordinate of the "
    "tokens' noise, agree; on test images where they disagree, the share of answers for the root among "
    "those for either (with two classes, all). Mask patches of one token: share at .75 minus random init "
    "above 0, and minus the share at .1 above 0. Both are needed; either one reversed speaks against. The "
    "threshold is 0: the share itself depends on how strong the texture is made, an order does not."
)
NEEDS = ("experiments/cue_conflict",)
TRAINS = True

answers = partial(Select, "experiments/cue_conflict", interval="centred")
for_root = partial(answers, "root_share", "1x1/")  # from models of mask patches of one token
alone = partial(answers, arm="1x1/")
ROOT_ALONE = alone("root_alone", ratio=0.75) - alone("root_alone", ratio=0.1)
TEXTURE_ALONE = alone("texture_alone", ratio=0.75) - alone("texture_alone", ratio=0.1)
START = answers("root_share", "random_init")
share, accuracy = partial(Test, units="share"), partial(Test, units="accuracy")

TESTS = (
    share("share for the root, .75 minus random init", for_root(ratio=0.75) - START, "above", 0.0),
    share("share for the root, .75 minus .1", for_root(ratio=0.75) - for_root(ratio=0.1), "above", 0.0),
)
SECONDARY = (
    share("share for the root, .75 minus .9", for_root(ratio=0.75) - for_root(ratio=0.9), "above", 0.0),
    share("share for the root at .75", for_root(ratio=0.75), "above", 0.5),
    accuracy("root alone told right, .75 minus .1", ROOT_ALONE, "above", 0.0),
    accuracy("texture alone told right, .75 minus .1", TEXTURE_ALONE, "below", 0.0),
)


def sentence(contrasts: Mapping[str, Contrast]) -> str:
    """Say what came out."""
    start, low = (contrasts[test.name].estimate for test in TESTS)
    return (
        "Where root and texture disagree, the share of answers for the root at ratio .75 is "
        f"{abs(start):.3f} {'higher' if start > 0 else 'lower'} than from the untrained encoder and "
        f"{abs(low):.3f} {'higher' if low > 0 else 'lower'} than at ratio .1."
    )
