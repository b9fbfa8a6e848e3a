"""Claim 18, ours: the surer a part tells its cause, the more may be hidden."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial

import numpy as np

from maestrata.claims.peak import peaks, skill
from maestrata.claims.rule import Contrast, Test
from maestrata.results import Combined, InRole, Numbers, slope_of

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


def _best(scores: Sequence[Numbers]) -> Numbers:
    return scores[0].derived(peaks(np.array([score.mean[:, 0] for score in scores]).T, RATIOS))


BEST = Combined(tuple(skill(ratio) for ratio in RATIOS), _best)
SLOPE = slope_of([InRole(BEST, role) for role in AMBIGUITY], list(AMBIGUITY.values()))

test = partial(Test, world="certain", elsewhere=False)
best = partial(test, of=BEST, side="above", threshold=0.5, units="ratio")

TESTS = (
    test("slope of the best ratio over ambiguity", SLOPE, "below", 0.0, units="ratio a unit of ambiguity"),
)
SECONDARY = (
    best("best ratio, ambiguity 1"),
    best("best ratio, ambiguity sqrt 2", world="between"),
    best("best ratio, ambiguity 1.8", world="ambiguous", side="below"),
)


def sentence(contrasts: Mapping[str, Contrast]) -> str:
    """Say what came out."""
    told = [f"{c.estimate:.2f}" for test in SECONDARY if (c := contrasts.get(test.name)) and c.rows]
    means = f" (means: {', '.join(told)})" if told else ""
    slope = contrasts[TESTS[0].name].text(".2f")
    return f"From ambiguity 1 to 1.8 the best ratio changes by {slope} a unit{means}."
