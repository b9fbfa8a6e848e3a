"""Claim 6: high-level skill is an inverted U over the masking ratio."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial

from maestrata.claims.peak import Peak, skill
from maestrata.claims.rule import OTHER, Contrast, Test
from maestrata.results import PRIMARY, Expression, Select

NUMBER = 6
TITLE = "An intermediate masking ratio serves high levels best"
SAYS = (
    "Masks that are too small leave out descendants of a high-level variable, masks that are too large its "
    "evidence: high-level representations come from intermediate ratios only (the probe peaks at .75)."
)
RULE = (
    "Skill of the root, mask patches of one token: at its peak minus at r = .1, and at its peak minus at "
    "r = .9, both above 0. Skill is (R2 - null_trained) / (ceiling - null_trained). The peak is the best of "
    ".25, .5 and .75 in all the other worlds (with a single world: .75, the paper's). Judged where a run has "
    "models of all ratios (role `sweep`); the levels below, other worlds, R2 itself, also from all "
    "tokens, and the rival accounts are secondary."
)
NEEDS = ("regression",)
USES = ("limits", "theory")
TRAINS = True


def supply_demand(ratio: float) -> Select:
    """Select the rival account by supply and demand."""
    return Select("theory", "supply_demand", ratio=ratio)


def linear(ratio: float) -> Select:
    """Select what a linear MAE would recover of the root."""
    return Select("theory", "linear_r2", ratio=ratio, level="root")


def r2(ratio: float, pooling: str = PRIMARY["pooling"]) -> Select:
    """Select R2 of the root: where the null reads nearly all of it there is no skill."""
    return Select("regression", "r2", ratio=ratio, level="root", labels={"pooling": pooling})


def over(
    ratio: float, of: Callable[[float], Select], best: Callable[[float], Select] | None = None
) -> Expression:
    """Contrast the peak with an end."""
    return Peak(of, best or of) - of(ratio)


all_tokens = partial(r2, pooling=OTHER["pooling"])
below, lowest = partial(skill, level=-2), partial(skill, level="lowest")
up = partial(Test, side="above", threshold=0.0, units="skill")
aside = partial(up, elsewhere=False)

TESTS = (
    up("root: peak over .1", over(0.1, skill)),
    up("root: peak over .9", over(0.9, skill)),
)
SECONDARY = (
    up("root, R2: peak over .1", over(0.1, r2, skill), units="R2"),
    up("root, R2: peak over .9", over(0.9, r2, skill), units="R2"),
    up("root, R2 from all tokens: peak over .1", over(0.1, all_tokens), units="R2"),
    up("root, R2 from all tokens: peak over .9", over(0.9, all_tokens), units="R2"),
    aside("level below the root: peak over .1", over(0.1, below)),
    aside("level below the root: peak over .9", over(0.9, below)),
    aside("level 1: peak over .1", over(0.1, lowest)),
    aside("level 1: peak over .9", over(0.9, lowest)),
    aside("supply times demand: peak over .1", over(0.1, supply_demand, skill), units="level"),
    aside("supply times demand: peak over .9", over(0.9, supply_demand, skill), units="level"),
    aside("linear MAE, root: peak over .1", over(0.1, linear, skill), units="R2"),
    aside("linear MAE, root: peak over .9", over(0.9, linear, skill), units="R2"),
)


def sentence(contrasts: Mapping[str, Contrast]) -> str:
    """Say what came out."""
    low, high = (contrasts[test.name].text() for test in TESTS)
    return f"At its peak between them the root gains {low} over r = 0.1 and {high} over r = 0.9."
