"""From the cubes of a run to the verdict on each claim: evaluate, correct, decide.

The p value of a claim is the smaller of two:

- p for: the largest p value of the deciding tests (all must hold: an intersection-union test needs no
  correction for their number);
- p against, where any interval lies against the claim: that any deciding test lies beyond its `contrary`,
  by the joint sign-flip test over all of them (any can sink the claim, so their number is corrected for:
  Westfall and Young's max-T), doubled.

Holm's correction runs over the claims that train models and could be run. Claims that train nothing stand
outside the family, and their intervals decide alone. Estimates are always computed.

Three things come before: worlds whose numbers were known when a claim's rule was written do not decide it, a
claim most of whose models lie below their gate on progress is not run, and a deciding contrast of which all
tokens say clearly the opposite of the primary features is open.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from math import nan
from types import ModuleType
from typing import Literal, TypeAlias, TypeVar

import numpy as np

from maestrata.claims import registry
from maestrata.claims.rule import (
    ALPHA,
    ANY,
    MIN_WORLDS,
    OTHER,
    OTHER_TEXT,
    WORLDS,
    Contrast,
    Test,
    confronted,
    contrast,
)
from maestrata.claims.statistics import holm, joint_sign_flip
from maestrata.claims.words import all_seen, needed, not_run, number, untrained, why_open, worlds
from maestrata.errors import ClaimError, one_of
from maestrata.results import CubeSet, Model, Numbers, Row

T = TypeVar("T", Row, Model)
Verdict: TypeAlias = Literal["not_run", "inconclusive", "supported", "contradicted"]


@dataclass(frozen=True)
class Outcome:
    """A claim and its verdict.

    Attributes
    ----------
    claim : module
        Its `NUMBER`, `TITLE`, `SAYS`, `RULE`.
    contrasts : tuple of Contrast
        Those that decide first.
    lacking : str
        What the run does not hold, and the claim cannot be judged without; else empty.
    verdict : {"not_run", "inconclusive", "supported", "contradicted"}
    sentence : str
        What came out, and why it is not more than that.
    p : float
        NaN where the claim trains nothing or was not run.
    p_holm : float
        After Holm's correction.
    """

    claim: ModuleType
    contrasts: tuple[Contrast, ...]
    lacking: str
    verdict: Verdict = "not_run"
    sentence: str = ""
    p: float = nan
    p_holm: float = nan

    @property
    def label(self) -> str:
        """The claim's number and part."""
        return registry.label(self.claim)

    @property
    def deciding(self) -> list[Contrast]:
        """The contrasts that decide."""
        return [c for c in self.contrasts if c.decides]

    @property
    def models(self) -> list[Model]:
        """The trained models behind the contrasts that decide."""
        return sorted({model for c in self.deciding for model in c.models})

    @property
    def n_worlds(self) -> int:
        """The fewest worlds in any deciding contrast."""
        return min((len(c.rows) for c in self.deciding), default=0)


def judge(
    cubes: CubeSet, claims: Iterable[ModuleType] | None = None, worlds: Mapping[str, str] | None = None
) -> tuple[Outcome, ...]:
    """Judge claims on the cubes of a run.

    Parameters
    ----------
    cubes : CubeSet
    claims : iterable of modules, optional
        All by default. Holm's family is those of them that train models and could be run.
    worlds : mapping, optional
        Labels of the worlds that claims are judged in, by role, where they are not those of `rule.WORLDS`.

    Returns
    -------
    tuple of Outcome
        In the order given.

    Raises
    ------
    ClaimError
        If there is no such role.
    """
    for role in worlds or {}:
        if role not in WORLDS:
            raise ClaimError(f"role of a world {one_of(role, WORLDS)} (claims.worlds)")
    labels = {**WORLDS, **(worlds or {})}
    chosen = registry.load_all() if claims is None else claims
    return correct([evaluate(claim, cubes, labels) for claim in chosen])


# ------------------------------------------------------------------------------------------------ evaluate
def evaluate(claim: ModuleType, cubes: CubeSet, worlds: Mapping[str, str] = WORLDS) -> Outcome:
    """Measure all tests of a claim; its verdict is open still."""
    cubes, seen = cubes.judged_in(worlds), registry.seen(claim)
    for key in claim.NEEDS:
        if key not in cubes:
            return Outcome(claim, (), f"the run has no cube {key!r}")
    contrasts, lacking = [], []
    for test in claim.TESTS:
        measured, without = _measure(test, True, cubes, worlds, seen)
        contrasts += measured
        lacking += [without] * bool(without)
    if seen and not any(c.rows for c in contrasts):
        lacking.append(all_seen(sorted(seen)))
    for test in registry.secondary(claim):
        contrasts += _measure(test, False, cubes, worlds)[0]
    return outcome_of(claim, contrasts, lacking[0] if lacking else "")


def outcome_of(claim: ModuleType, contrasts: Iterable[Contrast], lacking: str = "") -> Outcome:
    """Put the contrasts of a claim together, with its p value."""
    ordered = tuple(sorted(contrasts, key=lambda c: not c.decides))
    outcome = Outcome(claim, ordered, lacking)
    empty = [c.name for c in outcome.deciding if not c.rows]
    lacking = untrained(outcome.models) or lacking
    if empty and not lacking:
        lacking = f"no world has a number for: {', '.join(empty)}"
    p = nan if lacking or not claim.TRAINS else _p(outcome.deciding)
    return replace(outcome, lacking=lacking, p=p)


def _measure(
    test: Test,
    decides: bool,
    cubes: CubeSet,
    worlds: Mapping[str, str],
    seen: frozenset[int] = frozenset(),
) -> tuple[list[Contrast], str]:
    """Return a test's contrasts in the claim's own world and in others, and what the own one lacks."""
    labels = test.of.worlds(cubes)
    if test.world == ANY:
        read = {label: test.of.numbers(cubes, label) for label in labels}
        rows = [row for label, numbers in read.items() for row in _unseen(numbers.rows(label), seen)]
        reasons = [numbers.lacking for numbers in read.values()] or [f"nothing is there for {test.name!r}"]
        return ([contrast(test, rows, decides)], "") if rows else ([], reasons[0])
    own = worlds[test.world]
    numbers = test.of.numbers(cubes, own)
    contrasts = _contrasts(test, numbers, own, decides, seen)
    if decides:
        at_other = test.of.numbers(cubes.at(**OTHER), own)
        others = _contrasts(test, at_other, own, False, seen, features=OTHER_TEXT)
        there = {c.level: c for c in others}
        # a test that reads no features of the sweep, or names its own, has the same numbers at both
        pairs = [(k, there[c.level]) for k, c in enumerate(contrasts) if c.level in there]
        for k, other in [(k, o) for k, o in pairs if o.estimate != contrasts[k].estimate]:
            contrasts[k] = confronted(contrasts[k], other)
            contrasts.append(other)
    for label in sorted(set(labels) - {own}) if test.elsewhere else ():
        contrasts += _contrasts(test, test.of.numbers(cubes, label), label, False, world=label)
    return contrasts, numbers.lacking


def _unseen(rows: Iterable[T], seen: frozenset[int]) -> list[T]:
    """Leave out worlds, rows or models of them, of which more was known than the rule."""
    return [row for row in rows if row.world_seed not in seen]


def _contrasts(
    test: Test,
    numbers: Numbers,
    label: str,
    decides: bool,
    seen: frozenset[int] = frozenset(),
    **about: str,
) -> list[Contrast]:
    """Return a contrast for each level of the numbers; none that has no rows, unless it decides."""
    if numbers.lacking:
        return []
    several = len(numbers.levels) > 1
    each = (
        contrast(
            test,
            _unseen(part.rows(label), seen),
            decides,
            level=level if several else None,
            models=tuple(sorted(_unseen(numbers.models, seen))),
            **about,
        )
        for level, part in numbers.at_each_level()
    )
    return [c for c in each if c.rows or c.decides]


def _p(deciding: Sequence[Contrast]) -> float:
    """The smaller of p for and p against; the latter is not asked for where no interval lies against."""
    p_for = max(c.p_for for c in deciding)
    return min(p_for, _p_against(deciding)) if any(c.lies == "against" for c in deciding) else p_for


def _p_against(deciding: Sequence[Contrast]) -> float:
    """That the mean of any contrast lies beyond its `contrary`: joint over contrasts, by world."""
    worlds = sorted({(row.world, row.world_seed) for c in deciding for row in c.rows})
    columns = []
    for c in deciding:
        # An equivalence fails at the end that its mean is nearer to; both ends are paid for by the doubling.
        sign = {"above": -1, "below": 1, "within": 1 if c.estimate >= 0 else -1}[c.test.side]
        centre = c.test.contrary if c.test.side == "within" else sign * c.test.contrary
        beyond = dict.fromkeys(worlds, 0.0)
        beyond |= {(row.world, row.world_seed): sign * row.value - centre for row in c.rows}
        columns.append(list(beyond.values()))
    return min(1.0, 2 * joint_sign_flip(np.array(columns).T))


# ------------------------------------------------------------------------------------------------- correct
def correct(outcomes: Sequence[Outcome]) -> tuple[Outcome, ...]:
    """Correct the p values for the number of claims, and decide on each."""
    p = [outcome.p for outcome in outcomes]
    family = max(int(np.isfinite(p).sum()), 1)
    corrected = (replace(o, p_holm=float(q)) for o, q in zip(outcomes, holm(p), strict=True))
    return tuple(decide(outcome, family) for outcome in corrected)


# -------------------------------------------------------------------------------------------------- decide
def decide(outcome: Outcome, family: int = 1) -> Outcome:
    """Decide on a claim by the rule of docs/claims.md.

    Parameters
    ----------
    outcome : Outcome
    family : int
        Claims in Holm's family: what is left open is told with the worlds that would pass its first step.
    """
    trains, deciding = outcome.claim.TRAINS, outcome.deciding
    against = [c.name for c in deciding if c.lies == "against"]
    unsettled = [c for c in deciding if c.lies == "open"]
    significant = not trains or outcome.p_holm < ALPHA
    alpha = ALPHA / family if trains else ALPHA

    if outcome.lacking:
        return replace(outcome, verdict="not_run", sentence=not_run(outcome.lacking, deciding))
    if trains and outcome.n_worlds < MIN_WORLDS:
        why = f"Inconclusive by rule: {worlds(outcome.n_worlds)}, of at least {MIN_WORLDS}"
        untrained = any(not model.trained for model in outcome.models)
        left_out = max(c.left_out for c in deciding) if untrained else 0
        why += f" ({left_out} left out: models not trained)" if left_out else ""
        return _said(outcome, "inconclusive", f"{why}.")
    if against and significant:
        return _said(outcome, "contradicted", f"Against the claim: {', '.join(against)}.")
    if not against and unsettled:
        why = "; ".join(why_open(c, alpha) for c in unsettled)
        return _said(outcome, "inconclusive", f"Inconclusive: {why}.")
    if not significant:
        more = [f"{c.name}: {needed(c, alpha)}" for c in deciding if c.p_for >= alpha]
        told = f"p = {outcome.p:.2g}, {outcome.p_holm:.2g} after Holm's correction"
        return _said(outcome, "inconclusive", f"Inconclusive: {'; '.join([told, *more])}.")
    return _said(outcome, "supported", "")


def _said(outcome: Outcome, verdict: Verdict, why: str) -> Outcome:
    """Return the outcome with its verdict, told in the words of the claim or else as numbers."""
    if hasattr(outcome.claim, "sentence"):
        own = {c.name: c for c in outcome.contrasts if not c.world}
        text = str(outcome.claim.sentence(own)).strip()
    else:
        text = "; ".join(number(c) for c in outcome.deciding) + "."
    if any(c.bound and "skill" in c.test.units for c in outcome.deciding):
        text += " In R2, not skill: no exact ceiling in this world."
    return replace(outcome, verdict=verdict, sentence=f"{text} {why}".strip())
