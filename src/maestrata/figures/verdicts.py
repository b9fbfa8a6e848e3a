"""The verdicts: every deciding test of every claim on one page, each drawn as on the page of verdicts."""

from __future__ import annotations

import textwrap
from math import isfinite

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Rectangle

from maestrata.claims import registry as claims
from maestrata.claims.picture import LOOKS, SHADE, Look, axis
from maestrata.claims.rule import Test
from maestrata.figures.style import Style
from maestrata.figures.words import span
from maestrata.results import CubeSet
from maestrata.text import wrap

NAME = "verdicts"
TITLE = "The claims, put to the test"
CAPTION = (
    "Every test that decides a claim, each on its own axis. Dots: worlds, training seeds averaged; bar and "
    "diamond: mean over worlds with its 95 % t interval (ci_world); an arrow: it goes on beyond. Dashed: the "
    "threshold, fixed before any model was trained; shaded: where the claim would be supported. At the right "
    "the mean with its interval in its own units, and where it must lie. Under ten worlds a claim that "
    "trains models is inconclusive by rule."
)
NEEDS = ("verdicts",)

SIGNS = {"above": "> ", "below": "< ", "within": "within ±"}
LINE = 0.152  # inches a line
ABOVE, BELOW = 0.5, 0.42  # inches for title and legend, and for the footer
# columns of the page, as shares of its width
NAMES, LEFT, RIGHT, NUMBERS = 0.03, 0.43, 0.645, 0.66


def draw(cubes: CubeSet, style: Style) -> Figure:
    """Draw one page: each claim, then its deciding tests."""
    cube = cubes.one("verdicts")
    decide = (cube.decides.values == 1) & (cube.contrast_worlds.values > 0)
    lines: list[tuple[str, int | None]] = []
    for label in map(str, cube.claim.values):
        of_claim = np.flatnonzero(decide & (cube.contrast_claim.values == label))
        lines += [(label, None), *((label, int(at)) for at in of_claim)]
    title = wrap(style.noted(TITLE), 75)
    above = ABOVE + 0.16 * (len(title) - 1)
    height = LINE * (len(lines) + 1)
    total = height + above + BELOW
    figure = Figure(figsize=(7.2, total))
    ax = figure.add_axes((0, BELOW / total, 1, height / total))
    ax.set(xlim=(0, 1), ylim=(len(lines), -1))
    ax.axis("off")
    for y, (label, at) in enumerate(lines):
        if at is None:
            _claim(ax, y, cube, label)
        else:
            _test(ax, y, cube, at)
    figure.suptitle("\n".join(title), x=0.01, y=1 - 0.08 / total, ha="left", va="top", fontsize="large")
    figure.legend(
        handles=[
            Line2D([], [], color=look.color, marker=look.marker, linestyle="", markersize=5, label=look.word)
            for look in LOOKS.values()
        ],
        loc="upper left",
        bbox_to_anchor=(0.0, 1 - (above - 0.2) / total),
        ncols=4,
        fontsize="x-small",
        handletextpad=0.2,
        columnspacing=1.0,
    )
    n = span(cube.contrast_worlds.values[cube.decides.values == 1].tolist() or [0])
    text = (
        f"dots: worlds (n = {n} a test), training seeds averaged; bar, diamond: 95 % t interval over worlds "
        "(ci_world), mean; dashed: the threshold, fixed before any model was trained; shaded: for the claim; "
        "each line has its own axis"
    )
    figure.text(0.01, 0.06 / total, textwrap.fill(text, 125), fontsize="x-small", color="#333333")
    return figure


def _look(cube: xr.Dataset, label: str) -> Look:
    """Look of a claim's verdict."""
    return list(LOOKS.values())[int(cube.verdict.sel(claim=label))]  # in the order of the cube's flags


def _claim(ax: Axes, y: int, cube: xr.Dataset, label: str) -> None:
    """Write a claim's title and verdict."""
    here = cube.sel(claim=label)
    look = _look(cube, label)
    ax.plot([0.012], [y], marker=look.marker, color=look.color, markersize=5, clip_on=False)
    text = f"{label}  {here.title.values!s}" + " (ours)" * int(here.ours)
    ax.text(NAMES, y, text, fontsize="small", weight="bold", va="center")
    p = float(here.p_holm)
    told = f"{look.word}{f', Holm p = {p:.2g}' if isfinite(p) else ''}"
    ax.text(0.995, y, told, fontsize="small", va="center", ha="right", color=look.color, weight="bold")
    ax.axhline(y - 0.5, 0.005, 0.995, color="#dddddd", linewidth=0.5)


def _test(ax: Axes, y: int, cube: xr.Dataset, at: int) -> None:
    """Draw one test on its own axis, with its name and its numbers."""
    here = cube.isel(contrast=at)
    rows = cube.row_contrast.values == at
    name, values = str(here.contrast_name.values), cube.row_value.values[rows].tolist()
    label = str(here.contrast_claim.values)
    test = claims.test_of(label, name, str(cube.row_world.values[rows][0]))
    mean, low, high = (float(here[part]) for part in ("estimate", "low", "high"))
    drawn = axis(test.side, test.threshold, values, (low, high))
    color = _look(cube, label).color

    def x(*numbers: float) -> list[float]:
        return [LEFT + drawn.at(number) * (RIGHT - LEFT) for number in numbers]

    left, right = x(*drawn.shaded)
    ax.add_patch(Rectangle((left, y - 0.45), right - left, 0.9, facecolor=SHADE, edgecolor="none"))
    ax.vlines(x(*drawn.thresholds), y - 0.45, y + 0.45, color="#333333", linewidth=0.7, linestyle=(0, (3, 2)))
    ax.plot(x(*values), np.full(len(values), y - 0.22), ".", color=color, markersize=3, alpha=0.55, mew=0)
    bar = y + 0.2
    if isfinite(low):
        ax.plot(x(low, high), [bar, bar], color=color, linewidth=1.3, solid_capstyle="butt")
        for end, beyond, arrow in zip((low, high), drawn.goes_on, "<>", strict=True):
            ax.plot(x(end), [bar], marker=arrow if beyond else "|", color=color, markersize=3)
    ax.plot(x(mean), [bar], marker="D", color=color, markersize=2.6)
    shown = name if len(name) <= 50 else f"{name[:49]}…"
    ax.text(NAMES + 0.012, y, shown, fontsize="x-small", va="center")
    ax.text(NUMBERS, y, _numbers(here, test), fontsize="x-small", va="center")


def _numbers(here: xr.Dataset, test: Test) -> str:
    """Write the mean with its interval and units, and where it must lie."""
    low, high = float(here.low), float(here.high)
    interval = f" [{_short(low)}, {_short(high)}]" if isfinite(low) else " (one world)"
    units = str(here.contrast_units.values).split(" (")[0]
    named = "" if units == "1" else f" {units}"
    asked = f"{SIGNS[test.side]}{_short(test.threshold, plus=False)}"
    return f"{_short(float(here.estimate))}{interval}{named}, asked {asked}"


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
