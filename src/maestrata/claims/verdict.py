"""From the rows of a claim to its verdict, by rules that know nothing of what is claimed.

A test speaks *for* its claim where the 95 % t interval over worlds lies wholly on its side of the threshold,
and *against* it where it lies wholly beyond `Test.contrary` on the other side. Then

- p for: the largest p value of the deciding tests (all must hold: an intersection-union test needs no
  correction for their number);
- p against: that any deciding test lies beyond its `contrary`, by the joint sign-flip test over all of them
  (any can sink the claim, so their number is corrected for: Westfall and Young's max-T).

Both are exact sign-flip p values, doubled, so that a claim wrongly supported and one wrongly contradicted
share 5 %, as the two ends of the interval do. The p value of a claim is the smaller of the two (p for, where
no interval lies against it), and Holm's correction runs over the claims that train models and could be run. A
claim is

- *supported* where all deciding tests speak for it and its corrected p is below .05;
- *contradicted* where any speaks against it and its corrected p is below .05;
- *inconclusive* otherwise, and by rule where a claim that trains models has fewer than ten worlds in any
  deciding test: with n worlds no two-sided p is below 2/2^n;
- *not run* where the run does not hold what it needs.

Claims that train nothing stand outside the family, and their intervals decide alone. Estimates are always
computed.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from math import inf, isfinite, nan
from types import ModuleType
from typing import Literal

import numpy as np

from maestrata.claims import registry
from maestrata.claims.base import Evidence, Missing, Row, Test
from maestrata.claims.statistics import equivalence, holm, joint_sign_flip, sign_flip, t_interval
from maestrata.errors import ClaimError

__all__ = ["ALPHA", "MIN_WORLDS", "Contrast", "Outcome", "judge", "judge_rows"]

MIN_WORLDS = 10
ALPHA = 0.05

Verdict = Literal["not_run", "inconclusive", "supported", "contradicted"]
_LEVEL = re.compile(r"(.*), level \d+")
_ELSEWHERE = re.compile(r"(.*) \[[^\[\]]+\]")


@dataclass(frozen=True)
class Contrast:
    """A test and what was found.

    Attributes
    ----------
    name : str
        Key of the rows: the test's name, or of one of its levels, or of it in other worlds.
    test : Test
    decides : bool
    rows : tuple of Row
        One a world, by label and seed; those without a number are left out.
    left_out : int
        Worlds left out.
    estimate, low, high : float
        Mean over worlds and its 95 % t interval.
    p_for : float
        Sign-flip p value for the claim, doubled; 1 where there are no rows.
    lies : {"for", "against", "open"}
        Where the interval lies.
    """

    name: str
    test: Test
    decides: bool
    rows: tuple[Row, ...]
    left_out: int
    estimate: float
    low: float
    high: float
    p_for: float
    lies: Literal["for", "against", "open"]

    @property
    def bound(self) -> bool:
        """Whether any row is a bound (`Row.bound`)."""
        return any(row.bound for row in self.rows)

    @property
    def units(self) -> str:
        """Units of the rows: R2 where skill could not be had."""
        if self.bound and "skill" in self.test.units:
            return self.test.units.replace("skill", "R2") + " (not skill: no exact ceiling in this world)"
        return self.test.units


@dataclass(frozen=True)
class Outcome:
    """A claim and its verdict.

    Attributes
    ----------
    number : int
    title, says, rule : str
        As the claim declares them.
    trains : bool
    verdict : {"not_run", "inconclusive", "supported", "contradicted"}
    sentence : str
        What was found, and why it is not more than that.
    p : float
        The smaller of p for and, where any interval lies against the claim, p against; NaN where the claim
        trains nothing or was not run.
    p_holm : float
        After Holm's correction.
    n_worlds : int
        The fewest in any deciding test.
    contrasts : tuple of Contrast
        Those that decide first.
    """

    number: int
    title: str
    says: str
    rule: str
    trains: bool
    verdict: Verdict
    sentence: str
    p: float
    p_holm: float
    n_worlds: int
    contrasts: tuple[Contrast, ...]


def judge(evidence: Evidence, claims: Iterable[ModuleType] | None = None) -> tuple[Outcome, ...]:
    """Judge claims on the cubes of a run.

    Parameters
    ----------
    evidence : Evidence
    claims : iterable of modules, optional
        All by default. Holm's family is those of them that train models and could be run.

    Returns
    -------
    tuple of Outcome
        In the order given.
    """
    found: list[tuple[ModuleType, Mapping[str, Sequence[Row]] | str]] = []
    for claim in registry.load_all() if claims is None else claims:
        try:
            for key in claim.NEEDS:
                evidence.cube(key)
            found.append((claim, claim.rows(evidence)))
        except Missing as missing:
            found.append((claim, str(missing)))
    return judge_rows(found)


def judge_rows(
    found: Sequence[tuple[ModuleType, Mapping[str, Sequence[Row]] | str]],
) -> tuple[Outcome, ...]:
    """Judge claims on their rows (see `judge`).

    Parameters
    ----------
    found : sequence of (claim, rows)
        Rows by test name, or the reason why there are none.
    """
    outcomes = [_measure(claim, rows) for claim, rows in found]
    corrected = holm([outcome.p for outcome in outcomes])
    return tuple(
        _decide(replace(outcome, p_holm=float(p)), claim)
        for outcome, p, (claim, _) in zip(outcomes, corrected, found, strict=True)
    )


def contrast(name: str, test: Test, decides: bool, rows: Iterable[Row]) -> Contrast:
    """Apply a test to its rows."""
    given = sorted(rows, key=lambda row: (row.world, row.world_seed))
    places = [(row.world, row.world_seed) for row in given]
    if len(set(places)) < len(places):
        raise ClaimError(f"test {name!r}: a world has two rows; allowed: one, training seeds averaged")
    there = tuple(row for row in given if isfinite(row.value))
    values = np.array([row.value for row in there])
    estimate, low, high = t_interval(values)
    bound = any(row.bound for row in there)
    lies = _lies(test, *_true_range(low, high, bound))
    return Contrast(
        name=name,
        test=test,
        decides=decides,
        rows=there,
        left_out=len(given) - len(there),
        estimate=estimate,
        low=low,
        high=high,
        p_for=_p_for(test, values),
        lies=lies,
    )


def _true_range(low: float, high: float, bound: bool) -> tuple[float, float]:
    """Range of the number asked for: numbers that are bounds may be larger in magnitude without end."""
    if not bound:
        return low, high
    return (low if low > 0 else -inf), (high if high < 0 else inf)


def _lies(test: Test, low: float, high: float) -> Literal["for", "against", "open"]:
    # Comparisons with NaN (fewer than two worlds) are false throughout.
    speaks = {
        "above": (low > test.threshold, high < test.contrary),
        "below": (high < test.threshold, low > test.contrary),
        "within": (
            low > -test.threshold and high < test.threshold,
            low > test.contrary or high < -test.contrary,
        ),
    }[test.side]
    return "for" if speaks[0] else "against" if speaks[1] else "open"


def _p_for(test: Test, values: np.ndarray) -> float:
    if not len(values):
        return 1.0
    if test.side == "within":
        one_sided = equivalence(values, test.threshold)
    else:
        one_sided = sign_flip(values, test.threshold, "greater" if test.side == "above" else "less")
    return min(1.0, 2 * one_sided)


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
    if not worlds:
        return 1.0
    return min(1.0, 2 * joint_sign_flip(np.array(columns).T))


def _measure(claim: ModuleType, rows: Mapping[str, Sequence[Row]] | str) -> Outcome:
    """Everything but Holm's correction and the verdict; `sentence` holds the reason for "not run"."""
    contrasts: tuple[Contrast, ...] = ()
    reason = rows if isinstance(rows, str) else ""
    if not isinstance(rows, str):
        contrasts = _contrasts(claim, rows)
        reason = _nothing_for(claim, contrasts)
    deciding = [c for c in contrasts if c.decides]
    p = nan
    if claim.TRAINS and not reason:
        # No verdict can go against a claim that no interval lies against, so that p is not asked for then.
        p = max(c.p_for for c in deciding)
        if any(c.lies == "against" for c in deciding):
            p = min(p, _p_against(deciding))
    return Outcome(
        number=claim.NUMBER,
        title=claim.TITLE,
        says=claim.SAYS,
        rule=claim.RULE,
        trains=claim.TRAINS,
        verdict="not_run" if reason else "inconclusive",
        sentence=reason,
        p=p,
        p_holm=nan,
        n_worlds=min((len(c.rows) for c in deciding), default=0),
        contrasts=contrasts,
    )


def _contrasts(claim: ModuleType, rows: Mapping[str, Sequence[Row]]) -> tuple[Contrast, ...]:
    deciding = {test.name: test for test in claim.TESTS}
    shown = {test.name: test for test in registry.beside(claim)}
    tests = deciding | shown
    order = list(tests)
    found = []
    for key, given in rows.items():
        name, decides = _test_of(key, tests), True
        if name is None:
            raise ClaimError(
                f"claim {claim.NUMBER}: rows of {key!r} belong to none of its tests: {', '.join(tests)}"
            )
        decides = name in deciding and _ELSEWHERE.fullmatch(key) is None
        found.append((not decides, order.index(name), contrast(key, tests[name], decides, given)))
    # Stable: parts of one test stay in the order of the rows.
    return tuple(c for *_, c in sorted(found, key=lambda item: item[:2]) if c.rows or c.decides)


def _test_of(key: str, tests: Mapping[str, Test]) -> str | None:
    """Name of the test that a key of rows belongs to (see `base.at_level` and `base.elsewhere`)."""
    while key not in tests:
        match = _ELSEWHERE.fullmatch(key) or _LEVEL.fullmatch(key)
        if match is None:
            return None
        key = match[1]
    return key


def _nothing_for(claim: ModuleType, contrasts: Sequence[Contrast]) -> str:
    """Say which deciding test has no number at all; empty if none."""
    measured = {c.test.name for c in contrasts if c.decides and c.rows}
    empty = [test.name for test in claim.TESTS if test.name not in measured]
    empty += [c.name for c in contrasts if c.decides and not c.rows and c.name not in empty]
    return f"no world has a number for: {', '.join(empty)}" if empty else ""


def _decide(outcome: Outcome, claim: ModuleType) -> Outcome:
    if outcome.verdict == "not_run":
        reason = outcome.sentence.rstrip(".")
        numbers = "; ".join(_number(c) for c in outcome.contrasts if c.decides and c.rows)
        return replace(outcome, sentence=f"Not run: {reason}." + (f" {numbers}." if numbers else ""))
    deciding = [c for c in outcome.contrasts if c.decides]
    verdict: Verdict = "inconclusive"
    reason = ""
    against = [c.name for c in deciding if c.lies == "against"]
    open_ones = [c for c in deciding if c.lies == "open"]
    enough = not outcome.trains or outcome.n_worlds >= MIN_WORLDS
    significant = not outcome.trains or outcome.p_holm < ALPHA
    if not enough:
        reason = f"Inconclusive by rule: {_worlds(outcome.n_worlds)}, of at least {MIN_WORLDS}."
    elif (against or not open_ones) and not significant:
        reason = f"Inconclusive: p = {outcome.p:.2g}, {outcome.p_holm:.2g} after Holm's correction."
    elif against:
        verdict = "contradicted"
        reason = f"Against the claim: {', '.join(against)}."
    elif open_ones:
        reason = f"Inconclusive: {'; '.join(_why_open(c) for c in open_ones)}."
    else:
        verdict = "supported"
    found = _found(claim, outcome.contrasts)
    if any(c.bound and "skill" in c.test.units for c in deciding):
        found += " In R2, not skill: no exact ceiling in this world."
    return replace(outcome, verdict=verdict, sentence=" ".join(part for part in (found, reason) if part))


def _found(claim: ModuleType, contrasts: Sequence[Contrast]) -> str:
    """What was found, in the words of the claim or else as numbers."""
    if hasattr(claim, "sentence"):
        return str(claim.sentence({c.name: (c.estimate, c.low, c.high) for c in contrasts if c.rows})).strip()
    return "; ".join(_number(c) for c in contrasts if c.decides) + "."


def _number(c: Contrast) -> str:
    interval = f" [{c.low:+.3g}, {c.high:+.3g}]" if isfinite(c.low) else ""
    units = f" {c.units}" if c.units not in ("", "1") else ""
    return f"{c.name}: {c.estimate:+.3g}{interval}{units}, {_worlds(len(c.rows))}"


def _why_open(c: Contrast) -> str:
    if not isfinite(c.low):
        return f"{c.name}: one world has no interval"
    if c.bound and _lies(c.test, c.low, c.high) != "open":
        return f"{c.name}: a difference in R2 is only a lower bound of the difference in skill"
    sides = {"above": "above", "below": "below", "within": "within ±"}[c.test.side]
    end = f"{sides}{'' if c.test.side == 'within' else ' '}{c.test.threshold:g}"
    return f"{c.name}: [{c.low:+.3g}, {c.high:+.3g}] is neither {end} nor clearly not"


def _worlds(n: int) -> str:
    return f"{n} world{'' if n == 1 else 's'}"
