"""Claim 10: what is learnt is hierarchy, not covariance."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

from maestrata.claims.peak import Peak
from maestrata.claims.rule import Contrast, Test
from maestrata.results import Combined, Expression, Select, largest_of, mean_of
from maestrata.results.read import Level

NUMBER = 10
TITLE = "It is hierarchy, not covariance"
SAYS = (
    "Masked autoencoders recover latent variables of the hierarchy, and the masking ratio decides which: not "
    "what second moments of the pixels already tell."
)
RULE = (
    "R2 of the root from all tokens (concat, reduced without labels), at the peak (the best of .25, .5 and "
    ".75 in all the other worlds): trained minus the best of three controls in the same world (the same "
    "probe on all pixels, random init, null_trained), above 0. Judged where the pixels do not give the root "
    "away to a linear probe. Secondary: each control at every level, from the tokens under the node; and, as "
    "it needs an experiment of its own, whether the inverted U (R2 at .5 minus the mean of R2 at .1 and .9) "
    "is larger in the world than in a Gaussian world of the same covariance of pixels and latents, where all "
    "six models have learnt enough."
)
NEEDS = ("regression",)
USES = ("experiments/surrogate",)
TRAINS = True

CONTROLS = ("pixels", "random_init", "null_trained")


def r2(ratio: float, arm: str = "trained", level: Level = "root", **labels: str) -> Select:
    """Select R2 of an encoder, by default from all its tokens."""
    return Select("regression", "r2", arm, ratio, level=level, labels={"pooling": "concat"} | labels)


def beyond(ratio: float, controls: tuple[str, ...]) -> Combined:
    """Contrast trained with the best of some controls in each world."""
    return r2(ratio) - largest_of(*(r2(ratio, name) for name in controls), all_needed=True)


def at_peak(*controls: str) -> Expression:
    """Take the contrast with some controls at the peak."""
    return Peak(partial(beyond, controls=controls), r2)


def everywhere(name: str) -> Expression:
    """Contrast trained with a control at every level, from the tokens under the node, at the peak."""

    def of(ratio: float) -> Combined:
        under = partial(r2, ratio, level="each", pooling="aligned")
        return under() - under(name)

    return Peak(of, partial(r2, pooling="aligned"))


SHAPE = "root: inverted U, world minus surrogate"


def inverted_u(place: str, level: Level) -> Expression:
    """Contrast R2 at the middle ratio with the mean of the lowest and highest; each model has its gate."""
    low, peak, high = (
        Select("experiments/surrogate", "r2", f"{place}/", ratio, level=level) for ratio in (0.1, 0.5, 0.9)
    )
    return peak - mean_of(low, high)


def shape(level: Level = "root") -> Expression:
    """Contrast the inverted U of the world with that of its surrogate."""
    return inverted_u("world", level) - inverted_u("surrogate", level)


above = partial(Test, side="above", threshold=0.0, world="nonlinear")

TESTS = (above("root: trained minus the best control", at_peak(*CONTROLS)),)
SECONDARY = (
    *(above(f"root: trained minus {name}", at_peak(name), elsewhere=False) for name in CONTROLS),
    *(above(f"tokens under the node: trained minus {name}", everywhere(name)) for name in CONTROLS),
    above(SHAPE, shape()),
    above("level below the root: inverted U, world minus surrogate", shape(level=-2)),
    above("level 1: inverted U, world minus surrogate", shape(level="lowest")),
)


def sentence(contrasts: Mapping[str, Contrast]) -> str:
    """Say what came out."""
    ours, inverted = contrasts[TESTS[0].name].text(), contrasts.get(SHAPE)
    told = f"Of the root, {ours} of R2 more is read from the trained encoder than from the best control"
    if inverted is None:
        return f"{told}."
    return (
        f"{told}; its inverted U is {inverted.text()} from that of a Gaussian world of the same covariance."
    )
