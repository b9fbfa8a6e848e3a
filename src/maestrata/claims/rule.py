"""The rule for one test: what it asks for, and where the numbers of the worlds lie.

A test speaks *for* its claim where the 95 % t interval over worlds lies wholly on its side of the
threshold, and *against* it where it lies wholly beyond `Test.contrary` on the other side. Its p value is that
of an exact sign-flip test, doubled, so that a claim wrongly supported and one wrongly contradicted share 5 %,
as the two ends of the interval do. From tests to a claim's verdict: `verdict`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from math import inf, isfinite
from typing import Any, Literal, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from maestrata.claims.statistics import equivalence, sign_flip
from maestrata.errors import ClaimError
from maestrata.results import Expression, Model, Row, t_interval

Side: TypeAlias = Literal["above", "below", "within"]
Lies: TypeAlias = Literal["for", "against", "open"]

WORLDS: Mapping[str, str] = {
    "sweep": "grammar",
    "certain": "symbols",
    "between": "symbols_between",
    "ambiguous": "symbols_ambiguous",
    "nonlinear": "grammar",
    "one_mask": "invertible",
    "patterned": "patterned",
    "signs": "signs",
}
"""In which worlds claims are judged: role -> label, where the config says nothing else (``claims.worlds``).

``sweep``: claims about masks of all ratios. ``certain``, ``between``, ``ambiguous``: a part tells its cause
surely, less surely, and as little as in a grammar. ``nonlinear``: a linear probe of all pixels misses most of
the root. ``one_mask``: claims about one fixed mask, for which Assumption 1 must hold to the letter.
``patterned``: tokens with structure. ``signs``: latents of which the conditional mean tells nothing."""

MIN_WORLDS = 10
ALPHA = 0.05
MOST_WORLDS = 500
"""What would take more worlds than these is not a question of worlds."""

OTHER, OTHER_TEXT = {"pooling": "concat"}, "all tokens"
"""Features that every deciding test on scores of the sweep is made at too; they must not say the opposite."""

ANY = "any"
"""The role of a test that takes all worlds together that its cube has."""


@dataclass(frozen=True)
class Test:
    """One test of a claim: where the mean over worlds must lie.

    Attributes
    ----------
    name : str
        What is measured, in a few words.
    of : Expression
        What is measured: a `results.Select`, a contrast of two, or what is made of them. Where it is of
        ``level="each"``, the test is made at every level of the world, and each level decides.
    side : {"above", "below", "within"}
        The test speaks for the claim where the whole interval over worlds lies above (below) `threshold`, or
        within ``-threshold .. threshold`` (equivalence).
    threshold : float
    against : float, optional
        The test speaks against the claim where the whole interval lies beyond this number on the other side
        (for ``within``: outside ``-against .. against``); default: `threshold`.
    units : str
    world : str
        The role of the world that it is judged in, of `WORLDS`, or `ANY`.
    elsewhere : bool
        Whether it is shown for worlds of other labels too, where it never decides.
    """

    __test__ = False  # not one of pytest's

    name: str
    of: Expression
    side: Side
    threshold: float
    against: float | None = None
    units: str = "R2"
    world: str = "sweep"
    elsewhere: bool = True

    @property
    def contrary(self) -> float:
        """The number beyond which the test speaks against the claim."""
        return self.threshold if self.against is None else self.against

    @property
    def asked(self) -> str:
        """Where the interval must lie, such as ``above 0`` or ``within ±0.05``."""
        return f"within ±{self.threshold:g}" if self.side == "within" else f"{self.side} {self.threshold:g}"


@dataclass(frozen=True)
class Contrast:
    """A test and its numbers: in the claim's own world or in another one, at one level or at none.

    Attributes
    ----------
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
    level : int, optional
        Where the test is made at every level.
    world : str
        Label of the worlds, where it is not the one that the claim is judged in; else empty.
    features : str
        The features in words, where they are not those that decide; else empty.
    models : tuple of Model
        The trained models behind it, those below their gate included.
    disputed : str
        What other features say, where that is the opposite; the contrast is then open.
    """

    test: Test
    decides: bool
    rows: tuple[Row, ...]
    left_out: int
    estimate: float
    low: float
    high: float
    p_for: float
    lies: Lies
    level: int | None = None
    world: str = ""
    features: str = ""
    models: tuple[Model, ...] = ()
    disputed: str = ""

    @property
    def name(self) -> str:
        """The test's name, with level, world and features where these are not the claim's own."""
        return named(self.test.name, self.level, self.world, self.features)

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

    def text(self, form: str = ".3f") -> str:
        """Write the mean with its interval, such as ``+0.050 [+0.044, +0.056]``; a dash for no mean."""
        if not isfinite(self.estimate):
            return "–"
        interval = f" [{self.low:+{form}}, {self.high:+{form}}]" if isfinite(self.low) else ""
        return f"{self.estimate:+{form}}{interval}"


def named(test: str, level: int | None = None, world: str = "", features: str = "") -> str:
    """Name a contrast.

    Examples
    --------
    >>> named("r = .9 minus r = .1", 2, "grammar"), named("gain", features="all tokens")
    ('r = .9 minus r = .1, level 2 [grammar]', 'gain, all tokens')
    """
    at = (f"level {level}" if level is not None else "", features)
    return ", ".join([test, *filter(None, at)]) + (f" [{world}]" if world else "")


def contrast(test: Test, rows: Iterable[Row], decides: bool = True, **about: Any) -> Contrast:
    """Apply a test to its rows.

    Parameters
    ----------
    test : Test
    rows : iterable of Row
    decides : bool
    **about
        Further fields of the contrast: `level`, `world`, `features`, `models`.

    Raises
    ------
    ClaimError
        If a world has two rows.
    """
    given = sorted(rows, key=lambda row: (row.world, row.world_seed))
    places = [(row.world, row.world_seed) for row in given]
    if len(set(places)) < len(places):
        raise ClaimError(f"test {test.name!r}: a world has two rows; allowed: one, training seeds averaged")
    there = tuple(row for row in given if isfinite(row.value))
    values = np.array([row.value for row in there])
    estimate, low, high = map(float, t_interval(values))
    bound = any(row.bound for row in there)
    return Contrast(
        test=test,
        decides=decides,
        rows=there,
        left_out=len(given) - len(there),
        estimate=estimate,
        low=low,
        high=high,
        p_for=_p_for(test, values),
        lies=where(test, *true_range(low, high, bound)),
        **about,
    )


def confronted(one: Contrast, other: Contrast) -> Contrast:
    """Return a contrast that is open where other features say the opposite, both clearly."""
    opposite = {one.lies, other.lies} == {"for", "against"}
    return replace(one, lies="open", disputed=other.text()) if opposite else one


def where(test: Test, low: float, high: float) -> Lies:
    """Say where an interval lies; NaN ends (fewer than two worlds) lie nowhere: open."""
    if test.side == "within":
        speaks_for = low > -test.threshold and high < test.threshold
        against = low > test.contrary or high < -test.contrary
    elif test.side == "above":
        speaks_for, against = low > test.threshold, high < test.contrary
    else:
        speaks_for, against = high < test.threshold, low > test.contrary
    return "for" if speaks_for else "against" if against else "open"


def towards(side: Side, threshold: float, values: ArrayLike) -> NDArray[np.float64]:
    """Distance from the threshold, positive on the side that speaks for the claim.

    Examples
    --------
    >>> towards("below", 0.1, [0.3, 0.0]).tolist()
    [-0.2, 0.1]
    >>> towards("within", 0.05, [-0.04, 0.04, 0.1]).round(3).tolist()
    [0.01, 0.01, -0.05]
    """
    x = np.asarray(values, np.float64)
    if side == "within":
        return threshold - np.abs(x)
    return (x - threshold) * (1 if side == "above" else -1)


def true_range(low: float, high: float, bound: bool) -> tuple[float, float]:
    """Range of the number asked for: numbers that are bounds may be larger in magnitude without end."""
    if not bound:
        return low, high
    return (low if low > 0 else -inf), (high if high < 0 else inf)


def _p_for(test: Test, values: np.ndarray) -> float:
    if not len(values):
        return 1.0
    if test.side == "within":
        one_sided = equivalence(values, test.threshold)
    else:
        one_sided = sign_flip(values, test.threshold, "greater" if test.side == "above" else "less")
    return min(1.0, 2 * one_sided)
