"""Claim 18, ours: the surer a part tells its cause, the more may be hidden."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial

import numpy as np

from maestrata.claims.peak import peaks, skill
from maestrata.claims.rule import OTHER, Contrast, Test
from maestrata.results import Combined, Expression, InRole, Numbers, Select, slope_of

NUMBER = 18
OURS = True
TITLE = "The best ratio rises with determinism"
SAYS = (
    "The surer a part tells its cause, the more of an image may be hidden: the masking ratio that serves the "
    "root best falls as children tell less about their parent. So it need not be the paper's .75."
)
RULE = (
    "Best ratio of a world: where skill of the root peaks over r, mask patches of one token: the top of the "
    "parabola fitted to its five ratios, over the logit of r, in which they are evenly spaced; kept within "
    ".1 and .9. Its least-squares slope over the ambiguity 1, sqrt 2 and 1.8 of worlds of one seed, below 0. "
    "Every world by itself: where the others choose, worlds of a kind agree on what noise chose. Primary "
    "features."
)
NEEDS = ("regression",)
USES = ("limits",)
TRAINS = True

RATIOS = (0.1, 0.25, 0.5, 0.75, 0.9)
AMBIGUITY = {"certain": 1.0, "between": 2**0.5, "ambiguous": 1.8}


def _top(scores: Sequence[Numbers]) -> Numbers:
    return scores[0].derived(peaks(np.array([score.mean[:, 0] for score in scores]).T, RATIOS))


def _measured(scores: Sequence[Numbers]) -> Numbers:
    curves = np.array([score.mean[:, 0] for score in scores]).T
    best = np.array(RATIOS)[np.nan_to_num(curves, nan=-np.inf).argmax(1)]
    return scores[0].derived(np.where(np.isfinite(curves).all(1), best, np.nan))


def all_tokens(ratio: float) -> Select:
    """Select R2 of the root from all tokens: it has its best ratio where skill has, and skill has no room."""
    return Select("regression", "r2", ratio=ratio, level="root", labels=OTHER)


def of_each(score: Callable[[float], Select], by: Callable[[Sequence[Numbers]], Numbers]) -> Combined:
    """Return one number of the scores at all ratios."""
    return Combined(tuple(score(ratio) for ratio in RATIOS), by)


def over_ambiguity(of: Combined) -> Expression:
    """Return the slope of a number of each world over the ambiguity of the worlds."""
    return slope_of([InRole(of, role) for role in AMBIGUITY], list(AMBIGUITY.values()))


BEST, MEASURED = of_each(skill, _top), of_each(skill, _measured)
TOKENS, TOKENS_MEASURED = of_each(all_tokens, _top), of_each(all_tokens, _measured)

test = partial(Test, world="certain", elsewhere=False)
best = partial(test, of=BEST, side="above", threshold=0.5, units="ratio")
slope = partial(test, side="below", threshold=0.0, units="ratio a unit of ambiguity")

TESTS = (slope("slope of the best ratio over ambiguity", over_ambiguity(BEST)),)
TOPS = (
    best("best ratio, ambiguity 1"),
    best("best ratio, ambiguity sqrt 2", world="between"),
    best("best ratio, ambiguity 1.8", world="ambiguous", side="below"),
)
SECONDARY = (
    *TOPS,
    slope("slope of the best of the five ratios", over_ambiguity(MEASURED)),
    best("best of the five ratios, ambiguity 1", of=MEASURED),
    best("best of the five ratios, ambiguity sqrt 2", of=MEASURED, world="between"),
    best("best of the five ratios, ambiguity 1.8", of=MEASURED, world="ambiguous", side="below"),
    slope("slope from all tokens (R2)", over_ambiguity(TOKENS)),
    slope("slope of the best of the five ratios, from all tokens (R2)", over_ambiguity(TOKENS_MEASURED)),
)


def sentence(contrasts: Mapping[str, Contrast]) -> str:
    """Say what came out."""
    told = [f"{c.estimate:.2f}" for test in TOPS if (c := contrasts.get(test.name)) and c.rows]
    means = f" (means: {', '.join(told)})" if told else ""
    slope = contrasts[TESTS[0].name].text(".2f")
    return f"From ambiguity 1 to 1.8 the best ratio changes by {slope} a unit{means}."
