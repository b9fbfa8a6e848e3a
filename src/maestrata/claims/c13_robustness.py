"""Claim 13: accuracy that is lost under shifted noise (the paper's ImageNet variants)."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

from maestrata.claims.peak import Peak, over_ratio, over_start
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
    "under a shift, over accuracy on plain images minus chance; mean over the shifts. Mask patches of one "
    "token: share lost at the peak ratio minus that at r = .1, below 0. The peak is claim 6's, chosen in all "
    "the other worlds. What exact inference that knows of the shift loses is one number a world, and drops "
    "out. The threshold is 0: an order is claimed."
)
NEEDS = ("experiments/robustness", "regression")
USES = ("limits",)
TRAINS = True


def shifted(quantity: str, ratio: float) -> Select:
    """Select a quantity under shifted noise from models of mask patches of one token."""
    return Select("experiments/robustness", quantity, "1x1/", ratio=ratio, interval="centred")


lost, right, beyond = (
    partial(shifted, quantity) for quantity in ("lost_share", "shifted_accuracy", "excess_share")
)
share = partial(Test, side="below", threshold=0.0, units="share")
accuracy = partial(share, side="above", units="accuracy")

TESTS = (share("share lost, peak minus .1", over_ratio(lost, 0.1)),)
SECONDARY = (
    share("share lost, peak minus .9", over_ratio(lost, 0.9)),
    share("share lost, peak minus random init", over_start(lost)),
    # claim 7's margin
    share(
        "share lost beyond the ceiling's, peak", Peak(beyond, cube="experiments/robustness"), threshold=0.05
    ),
    accuracy("accuracy under shift, peak minus .1", over_ratio(right, 0.1)),
    accuracy("accuracy under shift, peak minus random init", over_start(right)),
)


def sentence(contrasts: Mapping[str, Contrast]) -> str:
    """Say what came out."""
    change = contrasts[TESTS[0].name].text()
    return f"Under shifted noise the share of accuracy that is lost changes by {change} from .1 to the peak."
