"""A contrast as a small inline SVG: rows as dots, mean and interval over worlds, threshold."""

from __future__ import annotations

from collections.abc import Callable
from math import floor, isfinite, log10

from maestrata.claims.verdict import Contrast

__all__ = ["COLORS", "picture"]

# Okabe-Ito and greys, dark enough for white text.
COLORS = {
    "not_run": "#767676",
    "inconclusive": "#555555",
    "supported": "#0072B2",
    "contradicted": "#B34A00",
}
_LIES = {"for": "supported", "against": "contradicted", "open": "inconclusive"}
WIDTH, HEIGHT = 480.0, 46.0
_LEFT, _RIGHT = 14.0, 466.0
_DOTS, _BAR, _AXIS = 11.0, 24.0, 34.0


def picture(c: Contrast) -> str:
    """Draw a contrast that has at least one row; the x axis holds threshold, 0 and all rows.

    The interval is cut at the ends of the axis, where an arrow says that it goes on: that of two or three
    worlds can be many times as wide as their rows lie apart.
    """
    low, high = _range(c)

    def x(value: float) -> float:
        return _LEFT + (min(max(value, low), high) - low) / (high - low) * (_RIGHT - _LEFT)

    color = COLORS[_LIES[c.lies]]
    parts = [_shade(c, x), _line(_LEFT, _AXIS, _RIGHT, _AXIS, "#888888")]
    ends = (-c.test.threshold, c.test.threshold) if c.test.side == "within" else (c.test.threshold,)
    parts += [_line(x(end), 3, x(end), _AXIS, "#333333", "4 3") for end in ends]
    if low < 0 < high:
        parts.append(_line(x(0), _AXIS - 3, x(0), _AXIS + 3, "#333333"))
    for row in c.rows:
        parts.append(
            f'<circle cx="{x(row.value):.1f}" cy="{_DOTS:g}" r="3" fill="{color}" fill-opacity="0.55"/>'
        )
    parts.append(_interval(c, x, low, high, color))
    parts += [_tick(x(value), value) for value in _ticks(low, high)]
    label = f"{c.name}: mean {c.estimate:+.3g}"
    if isfinite(c.low):
        label += f", 95 % interval {c.low:+.3g} to {c.high:+.3g}"
    label = label.replace("&", "&amp;").replace("<", "&lt;").replace('"', "&quot;")
    body = "".join(parts)
    return f'<svg viewBox="0 0 {WIDTH:g} {HEIGHT:g}" role="img" aria-label="{label}">{body}</svg>'


def _range(c: Contrast) -> tuple[float, float]:
    values = [row.value for row in c.rows]
    threshold = c.test.threshold
    shown = [*values, threshold, *((-threshold,) if c.test.side == "within" else ())]
    if min(shown) > 0 and min(shown) < max(shown) / 2:
        shown.append(0.0)
    wide = max(shown) - min(shown) or max(abs(shown[0]), 1.0)
    # As much of the interval as does not press the rows together.
    ends = [end for end in (c.low, c.high) if isfinite(end)]
    low = max(min([*shown, *ends]), min(shown) - 0.5 * wide)
    high = min(max([*shown, *ends]), max(shown) + 0.5 * wide)
    return low - 0.04 * wide, high + 0.04 * wide


def _shade(c: Contrast, x: Callable[[float], float]) -> str:
    threshold = c.test.threshold
    start = {"above": x(threshold), "below": _LEFT, "within": x(-threshold)}[c.test.side]
    end = {"above": _RIGHT, "below": x(threshold), "within": x(threshold)}[c.test.side]
    size = f'width="{max(end - start, 0):.1f}" height="{_AXIS - 3:g}"'
    return f'<rect x="{start:.1f}" y="3" {size} fill="#DCEBF5"/>'


def _interval(c: Contrast, x: Callable[[float], float], low: float, high: float, color: str) -> str:
    middle = x(c.estimate)
    parts = []
    if isfinite(c.low):
        parts.append(_line(x(c.low), _BAR, x(c.high), _BAR, color, width=2))
        for end, beyond, sign in ((c.low, c.low < low, -1), (c.high, c.high > high, 1)):
            at = x(end)
            if beyond:
                parts.append(f'<path d="M{at:.1f} {_BAR - 4:g}l{5 * sign} 4l{-5 * sign} 4z" fill="{color}"/>')
            else:
                parts.append(_line(at, _BAR - 4, at, _BAR + 4, color, width=2))
    parts.append(f'<path d="M{middle:.1f} {_BAR - 5:g}l5 5l-5 5l-5 -5z" fill="{color}"/>')
    return "".join(parts)


def _tick(at: float, value: float) -> str:
    return (
        f'<text x="{at:.1f}" y="{HEIGHT - 2:g}" font-size="9" text-anchor="middle" fill="#444444">'
        f"{value:g}</text>{_line(at, _AXIS, at, _AXIS + 3, '#888888')}"
    )


def _ticks(low: float, high: float) -> list[float]:
    """Round numbers, three to seven."""
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
