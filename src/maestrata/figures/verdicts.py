"""The verdicts: every deciding test of every claim on one page, each drawn as on the page of verdicts."""

from __future__ import annotations

from math import isfinite
from typing import Any

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from maestrata.claims import registry as claims
from maestrata.claims.picture import LIES, LOOKS, SHADE, Look, axis, counted, verdicts_of
from maestrata.claims.rule import Test, true_range, where
from maestrata.figures.style import SMALLEST, WIDTH, Style
from maestrata.figures.words import realised_text, span
from maestrata.results import CubeSet
from maestrata.text import wrap

TITLE = "The claims, put to the test"
CAPTION = (
    "The verdict on every claim, and every test that decides it, each on its own axis. Dots: worlds, "
    "training seeds averaged; bar and diamond: mean over worlds with its 95 % t interval (ci_world); an "
    "arrow: it goes on beyond. Dashed: the threshold, fixed before any model was trained; shaded: where "
    "the claim would be supported. Signs and colours of a test say where its own interval lies, those of "
    "a claim the verdict. At the right the mean with its interval in its own units, and where it must "
    "lie. Under ten worlds a claim that trains models is inconclusive by rule."
)
NEEDS = ("verdicts",)
USES = ("regression",)

SIGNS = {"above": "> ", "below": "< ", "within": "within ±"}
LINE = 0.155  # inches a line
# columns of the page, as shares of its width
SIGN, NAMES, LEFT, RIGHT, NUMBERS = 0.014, 0.032, 0.41, 0.635, 0.65
NAME_WIDTH, NUMBERS_WIDTH, NOT_RUN_WIDTH = 50, 54, 136  # characters


def draw(cubes: CubeSet, style: Style) -> Figure:
    """Draw one page: each claim that was judged, then its deciding tests; the others by name."""
    cube, sweep = cubes.one("verdicts"), cubes.get("regression")
    verdicts = verdicts_of(cube)
    decide = (cube.decides.values == 1) & (cube.contrast_worlds.values > 0)
    lines: list[tuple[float, str, int | None]] = []
    y = 0.0
    labels = list(map(str, cube.claim.values))
    for label, verdict in zip(labels, verdicts, strict=True):
        if verdict == "not_run":
            continue
        lines.append((y, label, None))
        y += 1.15
        for at in np.flatnonzero(decide & (cube.contrast_claim.values == label)):
            lines.append((y, label, int(at)))
            y += max(len(_name(cube, int(at))), len(_numbers(cube, int(at))))
    titles = map(str, cube.title.values)
    claimed = zip(labels, titles, verdicts, strict=True)
    absent = [f"{label} {title}" for label, title, verdict in claimed if verdict == "not_run"]
    told = wrap(f"{LOOKS['not_run'].text}: {'; '.join(absent)}", NOT_RUN_WIDTH) if absent else []
    bottom = y + 0.8 * len(told)
    figure = Figure(figsize=(WIDTH, LINE * (bottom + 0.8)))
    n = span(cube.contrast_worlds.values[decide].tolist() or [0])
    above, below = style.frame(figure, TITLE, counted(verdicts), notes=[
        ", ".join(look.text for look in LOOKS.values()),
        f"dots: worlds (n = {n} a test), training seeds averaged; bar, diamond: 95 % t interval over worlds "
        "(ci_world), mean; dashed: the threshold, fixed before any model was trained; shaded: for the claim; "
        "each line has its own axis",
        realised_text(sweep) if sweep is not None else "",
    ])  # fmt: skip
    height = figure.get_figheight()
    ax = figure.add_axes((0, below / height, 1, 1 - (above + below) / height))
    ax.set(xlim=(0, 1), ylim=(bottom, -0.8))
    ax.axis("off")
    for at_y, label, test in lines:
        if test is None:
            _claim(ax, at_y, cube.sel(claim=label), LOOKS[verdicts[labels.index(label)]])
        else:
            _test(ax, at_y, cube, test)
    if told:
        ax.axhline(y - 0.45, 0.005, 0.995, color="#dddddd", linewidth=0.5)
        look: dict[str, Any] = {"va": "top", "fontsize": SMALLEST, "linespacing": 1.35}
        ax.text(SIGN - 0.007, y - 0.25, "\n".join(told), color=LOOKS["not_run"].color, **look)
    return figure


def _claim(ax: Axes, y: float, here: xr.Dataset, look: Look) -> None:
    """Write a claim's title and verdict."""
    ax.text(SIGN, y, look.sign, color=look.color, ha="center", va="center", weight="bold")
    text = f"{here.claim.values!s}  {here.title.values!s}" + " (ours)" * int(here.ours)
    ax.text(NAMES, y, text, weight="bold", va="center")
    p = float(here.p_holm)
    told = f"{look.word}{f', Holm p = {p:.2g}' if isfinite(p) else ''}"
    ax.text(0.995, y, told, va="center", ha="right", color=look.color, weight="bold")
    ax.axhline(y - 0.55, 0.005, 0.995, color="#dddddd", linewidth=0.5)


def _name(cube: xr.Dataset, at: int) -> list[str]:
    """Break the name of a test into lines."""
    return wrap(str(cube.contrast_name.values[at]), NAME_WIDTH)


def _test(ax: Axes, y: float, cube: xr.Dataset, at: int) -> None:
    """Draw one test on its own axis, with its name and its numbers."""
    here = cube.isel(contrast=at)
    rows = cube.row_contrast.values == at
    values = cube.row_value.values[rows].tolist()
    test = _declared(here)
    mean, low, high = (float(here[part]) for part in ("estimate", "low", "high"))
    drawn = axis(test.side, test.threshold, values, (low, high))
    look = _lies(test, here)

    def x(*numbers: float) -> list[float]:
        return [LEFT + drawn.at(number) * (RIGHT - LEFT) for number in numbers]

    left, right = x(*drawn.shaded)
    ax.add_patch(Rectangle((left, y - 0.45), right - left, 0.9, facecolor=SHADE, edgecolor="none"))
    ax.vlines(x(*drawn.thresholds), y - 0.45, y + 0.45, color="#333333", linewidth=0.7, linestyle=(0, (3, 2)))
    ax.plot(
        x(*values), np.full(len(values), y - 0.22), ".", color=look.color, markersize=3, alpha=0.55, mew=0
    )
    bar = y + 0.2
    if isfinite(low):
        ax.plot(x(low, high), [bar, bar], color=look.color, linewidth=1.3, solid_capstyle="butt")
        for end, beyond, arrow in zip((low, high), drawn.goes_on, "<>", strict=True):
            ax.plot(x(end), [bar], marker=arrow if beyond else "|", color=look.color, markersize=3)
    ax.plot(x(mean), [bar], marker="D", color=look.color, markersize=2.6)
    small: dict[str, Any] = {"fontsize": SMALLEST}
    ax.text(NAMES + 0.005, y, look.sign, color=look.color, ha="center", va="center", **small)
    for left, lines in ((NAMES + 0.02, _name(cube, at)), (NUMBERS, _numbers(cube, at))):
        for i, line in enumerate(lines):
            ax.text(left, y + 0.9 * i, line, va="center", **small)


def _lies(test: Test, here: xr.Dataset) -> Look:
    """Look of a test, by where its own interval lies."""
    ends = true_range(float(here.low), float(here.high), "not skill" in str(here.contrast_units.values))
    return LOOKS[LIES[where(test, *ends)]]


def _declared(here: xr.Dataset) -> Test:
    """Find the test that a contrast is the outcome of."""
    return claims.test_of(str(here.contrast_claim.values), str(here.contrast_name.values))


def _numbers(cube: xr.Dataset, at: int) -> list[str]:
    """Write the mean with its interval and units, and where it must lie, in lines."""
    here = cube.isel(contrast=at)
    test = _declared(here)
    low, high = float(here.low), float(here.high)
    interval = f" [{_short(low)}, {_short(high)}]" if isfinite(low) else " (one world)"
    units = str(here.contrast_units.values).split(" (")[0]
    named = "" if units == "1" else f" {units}"
    asked = f"{SIGNS[test.side]}{_short(test.threshold, plus=False)}"
    return wrap(f"{_short(float(here.estimate))}{interval}{named}, asked {asked}", NUMBERS_WIDTH)


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
