"""Claim 12: where two cues disagree, the answer is for the root (the paper's shape bias)."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

from maestrata.claims.peak import over_ratio, over_start
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
    "tokens' noise, agree; on test images where they disagree, the share of answers for the root among those "
    "for either (with two classes, all). Mask patches of one token: share at the peak ratio minus that at "
    "r = .1, above 0. The peak is claim 6's, chosen in all the other worlds. The threshold is 0: the share "
    "itself depends on how strong the texture is made, an order does not."
)
NEEDS = ("experiments/cue_conflict", "regression")
USES = ("limits",)
TRAINS = True


def answers(quantity: str, ratio: float) -> Select:
    """Select a share of answers from models of mask patches of one token."""
    return Select("experiments/cue_conflict", quantity, "1x1/", ratio=ratio, interval="centred")


for_root, root_alone, texture_alone = (
    partial(answers, quantity) for quantity in ("root_share", "root_alone", "texture_alone")
)
share = partial(Test, side="above", threshold=0.0, units="share")
accuracy = partial(share, units="accuracy")

TESTS = (share("share for the root, peak minus .1", over_ratio(for_root, 0.1)),)
SECONDARY = (
    share("share for the root, peak minus .9", over_ratio(for_root, 0.9)),
    share("share for the root, peak minus random init", over_start(for_root)),
    accuracy("root alone told right, peak minus .1", over_ratio(root_alone, 0.1)),
    accuracy("texture alone told right, peak minus .1", over_ratio(texture_alone, 0.1), side="below"),
)


def sentence(contrasts: Mapping[str, Contrast]) -> str:
    """Say what came out."""
    change = contrasts[TESTS[0].name].text()
    return f"Where root and texture disagree, the share for the root changes by {change} from .1 to the peak."
