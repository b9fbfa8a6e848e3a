"""The verdicts: every deciding test of every claim on one page, turned so that right speaks for the claim."""

from __future__ import annotations

import textwrap
from dataclasses import dataclass
from math import isfinite
from typing import TYPE_CHECKING

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from numpy.typing import ArrayLike, NDArray

from maestrata.claims import registry as claims
from maestrata.claims.picture import LOOKS, towards
from maestrata.claims.rule import Test
from maestrata.figures.style import Style
from maestrata.results import CubeSet
from maestrata.text import wrap

if TYPE_CHECKING:
    import xarray as xr

NAME = "verdicts"
TITLE = "The paper's claims, put to the test"
CAPTION = (
    "Every test that decides a claim. Dots: worlds, training seeds averaged; thick bar: 95 % t interval over "
    "worlds (ci_world), its mark the mean; vertical line: the threshold, fixed before any model was trained. "
    "Each line is scaled by itself and turned so that right of the line speaks for the claim and left of it "
    "against. At the right the mean with its interval in its own units, and where it must lie. Under ten "
    "worlds a claim that trains models is inconclusive by rule."
)
NEEDS = ("verdicts",)

# verdict -> (word, colour, marker), in the order of the cube's flags; words and markers carry it too
VERDICTS = {k: (look.word, look.color, look.marker) for k, look in enumerate(LOOKS.values())}
SIGNS = {"above": ">", "below": "<", "within": "within ±"}
LINE = 0.152  # inches a line
_ABOVE, _BELOW = 0.5, 0.42  # inches for title and legend, and for the footer
# columns of the page, as shares of its width
_NAMES, _LEFT, _RIGHT, _NUMBERS = 0.03, 0.43, 0.645, 0.66


@dataclass(frozen=True)
class Line:
    """A line of the page: a claim's title, or one of its tests."""

    claim: int
    contrast: int | None = None


def draw(cubes: CubeSet, style: Style) -> Figure:
    """Draw one page."""
    cube = cubes.one("verdicts")
    lines = _lines(cube)
    title = wrap(style.noted(TITLE), 75)
    above = _ABOVE + 0.16 * (len(title) - 1)
    height = LINE * (len(lines) + 1)
    total = height + above + _BELOW
    figure = Figure(figsize=(7.2, total))
    ax = figure.add_axes((0, _BELOW / total, 1, height / total))
    ax.set(xlim=(0, 1), ylim=(len(lines), -1))
    ax.axis("off")
    middle = (_LEFT + _RIGHT) / 2
    ax.text(middle + 0.01, -0.7, "for →", fontsize="x-small", va="center", color="#333333")
    ax.text(middle - 0.01, -0.7, "← against", fontsize="x-small", va="center", ha="right", color="#333333")
    for y, line in enumerate(lines):
        if line.contrast is None:
            _claim(ax, y, cube, line.claim)
        else:
            _test(ax, y, cube, line.claim, line.contrast)
    handles = [
        Line2D([], [], color=color, marker=marker, linestyle="", markersize=5, label=word)
        for word, color, marker in VERDICTS.values()
    ]
    figure.suptitle("\n".join(title), x=0.01, y=1 - 0.08 / total, ha="left", va="top", fontsize="large")
    figure.legend(
        handles=handles,
        loc="upper left",
        bbox_to_anchor=(0.0, 1 - (above - 0.2) / total),
        ncols=4,
        fontsize="x-small",
        handletextpad=0.2,
        columnspacing=1.0,
    )
    worlds = cube.contrast_worlds.values[cube.decides.values == 1]
    span = f"{worlds.min()} to {worlds.max()}" if len(worlds) else "0"
    text = (
        f"dots: worlds (n = {span} a test), training seeds averaged; bars: 95 % t interval over worlds "
        "(ci_world); vertical line: the threshold, fixed before any model was trained; each line has its "
        "own scale"
    )
    figure.text(0.01, 0.06 / total, textwrap.fill(text, 125), fontsize="x-small", color="#333333")
    return figure


def _lines(cube: xr.Dataset) -> list[Line]:
    """List the lines of the page: each claim, then its deciding tests."""
    found = []
    for number in cube.claim.values:
        found.append(Line(int(number)))
        of_claim = np.flatnonzero((cube.contrast_claim.values == number) & (cube.decides.values == 1))
        found += [Line(int(number), int(i)) for i in of_claim if cube.contrast_worlds.values[i]]
    return found


def _claim(ax: Axes, y: int, cube: xr.Dataset, number: int) -> None:
    here = cube.sel(claim=number)
    word, color, marker = VERDICTS[int(here.verdict)]
    ax.plot([0.012], [y], marker=marker, color=color, markersize=5, clip_on=False)
    ax.text(_NAMES, y, f"{number}  {here.title.values!s}", fontsize="small", weight="bold", va="center")
    p = float(here.p_holm)
    told = f"{word}{f', Holm p = {p:.2g}' if isfinite(p) else ''}"
    ax.text(0.995, y, told, fontsize="small", va="center", ha="right", color=color, weight="bold")
    ax.axhline(y - 0.5, 0.005, 0.995, color="#dddddd", linewidth=0.5)


def _test(ax: Axes, y: int, cube: xr.Dataset, number: int, at: int) -> None:
    here = cube.isel(contrast=at)
    name = str(here.contrast_name.values)
    rows_of = cube.row_contrast.values == at
    test = claims.test_of(number, name, str(cube.row_world.values[rows_of][0]))
    color = VERDICTS[int(cube.verdict.sel(claim=number))][1]
    rows = cube.row_value.values[rows_of]
    values = towards(test.side, test.threshold, rows)
    ends = towards(test.side, test.threshold, [float(here.low), float(here.high)])
    if test.side == "within" and float(here.low) < 0 < float(here.high):
        ends = np.array([ends.min(), test.threshold])  # 0, which is best, lies inside
    mean = float(towards(test.side, test.threshold, [float(here.estimate)])[0])
    size = max(np.nanmax(np.abs(np.concatenate([values, ends, [mean]]))), 1e-12)
    middle, half = (_LEFT + _RIGHT) / 2, (_RIGHT - _LEFT) / 2

    def place(x: ArrayLike) -> NDArray[np.float64]:
        return middle + half * np.asarray(x, np.float64) / size

    ax.plot([middle, middle], [y - 0.5, y + 0.5], color="#000000", linewidth=0.7)
    ax.plot(place(values), np.full(len(values), y), ".", color="#888888", markersize=3, alpha=0.7)
    if np.isfinite(ends).all():
        ax.plot(place(sorted(ends)), [y, y], color=color, linewidth=2.4, solid_capstyle="butt", alpha=0.9)
    ax.plot(place([mean]), [y], marker="|", color=color, markersize=7, markeredgewidth=1.6)
    shown = name if len(name) <= 50 else f"{name[:49]}…"
    ax.text(_NAMES + 0.012, y, shown, fontsize="x-small", va="center")
    ax.text(_NUMBERS, y, _numbers(here, test), fontsize="x-small", va="center")


def _numbers(here: xr.Dataset, test: Test) -> str:
    low, high = float(here.low), float(here.high)
    interval = f" [{_short(low)}, {_short(high)}]" if isfinite(low) else " (one world)"
    sign = SIGNS[test.side]
    end = f"{sign}{'' if test.side == 'within' else ' '}{_short(test.threshold, plus=False)}"
    units = str(here.contrast_units.values).split(" (")[0]
    named = "" if units == "1" else f" {units}"
    return f"{_short(float(here.estimate))}{interval}{named}, asked {end}"


def _short(value: float, plus: bool = True) -> str:
    """Three decimals, two figures where that would be nothing, without the 0 before the point.

    Examples
    --------
    >>> _short(0.0512), _short(-0.1), _short(12.34), _short(0.1, plus=False), _short(0.0), _short(-0.00096)
    ('+.051', '-.100', '+12.3', '.1', '0', '-.00096')
    """
    if value == 0:
        return "0"
    if not plus:
        text = f"{value:g}"
    elif abs(value) >= 1:
        text = f"{value:+.1f}" if abs(value) >= 10 else f"{value:+.2f}"
    else:
        text = f"{value:+.3f}" if abs(value) >= 0.01 else f"{value:+.2g}"
    return text.replace("0.", ".", 1) if abs(value) < 1 else text
