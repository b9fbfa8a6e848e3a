"""One drawing of a contrast, for the page and the figure: its axis, and a small inline SVG.

`axis` says where threshold, shading, dots and interval lie. `picture` draws them: dots for the worlds, a bar
and a diamond for their mean and its interval.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from math import floor, isfinite, log10
from typing import TYPE_CHECKING, cast

from maestrata.claims.rule import Contrast, Lies, Side
from maestrata.claims.verdict import Verdict
from maestrata.cubes.schema import KINDS

if TYPE_CHECKING:
    import xarray as xr


@dataclass(frozen=True)
class Look:
    """How a verdict is told: by word and sign, and by a colour dark enough for white text.

    Attributes
    ----------
    word, sign, color : str
        Colours are those of Okabe and Ito, and greys.
    """

    word: str
    sign: str
    color: str

    @property
    def text(self) -> str:
        """Sign and word."""
        return f"{self.sign} {self.word}"


LOOKS: dict[Verdict, Look] = {
    "not_run": Look("not run", "–", "#767676"),
    "inconclusive": Look("inconclusive", "○", "#555555"),
    "supported": Look("supported", "●", "#0072B2"),
    "contradicted": Look("contradicted", "✕", "#B34A00"),
}
"""The one sign of each verdict: in tables, pages, figures and the README."""

LIES: dict[Lies, Verdict] = {"for": "supported", "against": "contradicted", "open": "inconclusive"}
"""As which verdict a contrast is drawn, by where its interval lies."""

_ORDER: tuple[Verdict, ...] = ("supported", "contradicted", "inconclusive", "not_run")


def verdicts_of(cube: xr.Dataset) -> list[Verdict]:
    """Return the verdicts that a cube of them holds, one a claim."""
    names = KINDS["verdicts"].variables["verdict"].flags or {}
    return [cast("Verdict", names[int(flag)]) for flag in cube["verdict"].values]


def counted(verdicts: Sequence[Verdict]) -> str:
    """Count the verdicts.

    Examples
    --------
    >>> counted(["not_run", "supported", "not_run"])
    '3 claims: 1 supported, 2 not run.'
    """
    counts = [(verdicts.count(verdict), LOOKS[verdict].word) for verdict in _ORDER]
    told = ", ".join(f"{count} {word}" for count, word in counts if count)
    return f"{len(verdicts)} claim{'s' * (len(verdicts) != 1)}: {told or 'none'}."


SHADE = "#DCEBF5"
"""Colour of where the claim would be supported."""


@dataclass(frozen=True)
class Axis:
    """The axis of a contrast, in its own units.

    Attributes
    ----------
    low, high : float
        Its ends.
    thresholds : tuple of float
        One, or both ends of an equivalence.
    shaded : (float, float)
        Where the claim would be supported.
    ticks : tuple of float
        Round numbers, three to seven.
    goes_on : (bool, bool)
        Whether the interval goes on beyond the left and the right end, where it is cut.
    """

    low: float
    high: float
    thresholds: tuple[float, ...]
    shaded: tuple[float, float]
    ticks: tuple[float, ...]
    goes_on: tuple[bool, bool]

    def at(self, value: float) -> float:
        """Return where a value lies, from 0 (left end) to 1 (right end); beyond them, at the end."""
        return (min(max(value, self.low), self.high) - self.low) / (self.high - self.low)


def axis(side: Side, threshold: float, values: Sequence[float], interval: tuple[float, float]) -> Axis:
    """Lay out the axis of a contrast that has at least one row: it holds threshold, rows, and 0 where near.

    The interval is cut at the ends of the axis: that of two or three worlds can be many times as wide as
    their rows lie apart.

    Parameters
    ----------
    side : {"above", "below", "within"}
    threshold : float
    values : sequence of float
        Numbers of the worlds.
    interval : (float, float)
        Over worlds; NaN where there is none.
    """
    thresholds = (-threshold, threshold) if side == "within" else (threshold,)
    shown = [*values, *thresholds]
    if min(shown) > 0 and min(shown) < max(shown) / 2:
        shown.append(0.0)
    wide = max(shown) - min(shown) or max(abs(shown[0]), 1.0)
    # As much of the interval as does not press the rows together.
    ends = [end for end in interval if isfinite(end)]
    low = max(min([*shown, *ends]), min(shown) - 0.5 * wide) - 0.04 * wide
    high = min(max([*shown, *ends]), max(shown) + 0.5 * wide) + 0.04 * wide
    shaded = {"above": (threshold, high), "below": (low, threshold), "within": (-threshold, threshold)}[side]
    goes_on = (interval[0] < low, interval[1] > high)
    return Axis(low, high, thresholds, shaded, tuple(_ticks(low, high)), goes_on)


WIDTH, HEIGHT = 480.0, 46.0
_LEFT, _RIGHT = 14.0, 466.0
_DOTS, _BAR, _AXIS = 11.0, 24.0, 34.0


def picture(c: Contrast) -> str:
    """Draw a contrast that has at least one row; an arrow says that its interval goes on beyond the axis."""
    values = [row.value for row in c.rows]
    drawn = axis(c.test.side, c.test.threshold, values, (c.low, c.high))

    def x(value: float) -> float:
        return _LEFT + drawn.at(value) * (_RIGHT - _LEFT)

    color = LOOKS[LIES[c.lies]].color
    left, right = map(x, drawn.shaded)
    size = f'width="{max(right - left, 0):.1f}" height="{_AXIS - 3:g}"'
    parts = [f'<rect x="{left:.1f}" y="3" {size} fill="{SHADE}"/>']
    parts += [_line(_LEFT, _AXIS, _RIGHT, _AXIS, "#888888")]
    parts += [_line(x(end), 3, x(end), _AXIS, "#333333", "4 3") for end in drawn.thresholds]
    if drawn.low < 0 < drawn.high:
        parts.append(_line(x(0), _AXIS - 3, x(0), _AXIS + 3, "#333333"))
    parts += [
        f'<circle cx="{x(value):.1f}" cy="{_DOTS:g}" r="3" fill="{color}" fill-opacity="0.55"/>'
        for value in values
    ]
    if isfinite(c.low):
        parts.append(_line(x(c.low), _BAR, x(c.high), _BAR, color, width=2))
        parts += [_end(x(c.low), drawn.goes_on[0], -1, color), _end(x(c.high), drawn.goes_on[1], 1, color)]
    parts.append(f'<path d="M{x(c.estimate):.1f} {_BAR - 5:g}l5 5l-5 5l-5 -5z" fill="{color}"/>')
    parts += [_tick(x(value), value) for value in drawn.ticks]
    label = f"{c.name}: mean {c.estimate:+.3g}"
    if isfinite(c.low):
        label += f", 95 % interval {c.low:+.3g} to {c.high:+.3g}"
    body = "".join(parts)
    return f'<svg viewBox="0 0 {WIDTH:g} {HEIGHT:g}" role="img" aria-label="{escape(label)}">{body}</svg>'


def _end(at: float, goes_on: bool, sign: int, color: str) -> str:
    if goes_on:
        return f'<path d="M{at:.1f} {_BAR - 4:g}l{5 * sign} 4l{-5 * sign} 4z" fill="{color}"/>'
    return _line(at, _BAR - 4, at, _BAR + 4, color, width=2)


def _tick(at: float, value: float) -> str:
    return (
        f'<text x="{at:.1f}" y="{HEIGHT - 2:g}" font-size="9" text-anchor="middle" fill="#444444">'
        f"{value:g}</text>{_line(at, _AXIS, at, _AXIS + 3, '#888888')}"
    )


def _ticks(low: float, high: float) -> list[float]:
    raw = (high - low) / 5
    power = 10.0 ** floor(log10(raw))
    step = next(power * k for k in (1, 2, 5, 10) if power * k >= raw * 0.9999)
    digits = max(0, -floor(log10(step)))
    first = int(-(-low // step))
    ticks = (round((first + k) * step, digits) + 0.0 for k in range(8))
    return [tick for tick in ticks if low <= tick <= high]


def _line(x1: float, y1: float, x2: float, y2: float, color: str, dashes: str = "", width: float = 1) -> str:
    dashed = f' stroke-dasharray="{dashes}"' if dashes else ""
    return (
        f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" stroke="{color}" '
        f'stroke-width="{width:g}"{dashed}/>'
    )
