"""Sizes of training sets, other budgets of training, and the border left out of the loss."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from maestrata.figures.arms import (
    Series,
    by_level,
    interval_text,
    levels_with,
    n_text,
    plot,
    ratio_axis,
    root_of,
    series,
)
from maestrata.figures.panels import level_legend
from maestrata.figures.registry import CubeSet
from maestrata.figures.style import MARKERS, Style, level_color, level_marker
from maestrata.figures.summary import READING_TEXT

if TYPE_CHECKING:
    import xarray as xr

NAME = "samples_and_budgets"
TITLE = "Samples, budgets, and the border of the mask"
CAPTION = (
    "First: R2 of every level against the size of the training set at a fixed number of steps; open "
    "marks: fresh images at every step. Second: what the last doubling, and fresh images after it, "
    "change; grey: the margin of .02 within which more samples are taken not to matter. Third: R2 of the "
    "root against the masking ratio with the number of masked tokens in the loss held equal, and with the "
    "compute of training held equal: a curve that keeps its shape does not owe it to either. Fourth: R2 "
    "with the tokens at the border of the mask left out of the loss, less that of the standard loss, and "
    "less that with as many tokens left out at random."
)
NEEDS = ("experiments/samples",)
USES = ("experiments/budgets", "experiments/border")

MARGIN = 0.02  # of claim 17
FRESH = "fresh"
CHANGES = {
    "change/last_doubling": ("last doubling", "#0072B2", "o"),
    "change/endless": ("fresh less largest", "#D55E00", "s"),
}
BUDGETS = {
    "tokens": ("equal tokens in the loss", "#0072B2", "o"),
    "compute": ("equal compute", "#E69F00", "D"),
}
GAINS = {"over_standard": ("over standard", "-"), "over_random": ("over random", "--")}
PATCH_COLORS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7")


def draw(cubes: CubeSet, style: Style) -> Figure:
    """Draw two rows a world."""
    sampled = cubes.one("experiments/samples")
    budgets, border = cubes.get("experiments/budgets"), cubes.get("experiments/border")
    worlds = list(
        dict.fromkeys(str(w) for c in (sampled, budgets, border) if c is not None for w in c["world"].values)
    )
    figure, axes = style.figure(2 * len(worlds), 2, panel_height=1.85, more_height=0.2)
    found: list[Series] = []
    for k, world in enumerate(worlds):
        (curves, changes), (budget, edge) = axes[2 * k : 2 * k + 2]
        found += _sizes(style, curves, sampled, world)
        found += _changes(style, changes, sampled, world)
        found += _budgets(style, budget, budgets, world)
        found += _border(style, edge, border, world)
        for ax in (curves, changes, budget, edge):
            ax.set_title(f"{world}: {ax.get_title(loc='left')}")
    levels = [level for level in levels_with(sampled, "r2") if level > 0]
    style.title(figure, TITLE, level_legend(levels) if levels else [])
    style.footer(
        figure,
        [
            f"{READING_TEXT}; {n_text(found)}",
            interval_text(found),
            "fresh: new images at every step; grey: margin of .02; thin and dots: single worlds; border: "
            "tokens beside a visible one, over the standard loss and over as many random tokens left out",
        ],
    )
    return figure


def _sizes(style: Style, ax: Axes, cube: xr.Dataset, world: str) -> list[Series]:
    """Draw R2 by level against the size of the training set, and beside it fresh images."""
    found: list[Series] = []
    root = root_of(cube, world)
    ticks: dict[float, str] = {}
    for level in range(root, 0, -1):
        color, marker = level_color(level, root), level_marker(level)
        s = series(cube, world, r"s\d+", "r2", level, place=lambda _, arm: float(arm[1:]))
        if s is not None:
            plot(style, ax, s, color, marker, worlds=False)
            found.append(s)
            ticks |= {float(x): _size_label(x) for x in s.x}
        aside = 4 * max((x for x, label in ticks.items() if label != FRESH), default=1.0)
        fresh = series(cube, world, "endless", "r2", level, place=lambda *_, at=aside: at)
        if fresh is not None:
            style.curve(ax, fresh.x, fresh.mean, fresh.low, fresh.high, color=color, marker=marker,
                        linestyle="", markerfacecolor="white")  # fmt: skip
            found.append(fresh)
            ticks[aside] = FRESH
    ax.set(title="training set", xlabel="training images (steps fixed)", ylabel="$R^2$")
    if not found:
        style.missing(ax)
        return found
    ax.set_xscale("log", base=2)
    ax.set_xticks(list(ticks), list(ticks.values()), fontsize="small")
    ax.minorticks_off()
    return found


def _size_label(size: float) -> str:
    """A number of images as short text.

    Examples
    --------
    >>> _size_label(2048), _size_label(65536), _size_label(500)
    ('2k', '66k', '500')
    """
    return f"{size / 1000:.0f}k" if size >= 1000 else f"{size:g}"


def _changes(style: Style, ax: Axes, cube: xr.Dataset, world: str) -> list[Series]:
    """Draw by level what more samples change, with the margin."""
    found = []
    for i, (arm, (label, color, marker)) in enumerate(CHANGES.items()):
        s = by_level(cube, world, arm, "r2_change")
        if s is not None:
            beside = 0.12 * (i - 0.5)
            if s.n_worlds > 1:
                for each in s.each:
                    ax.plot(s.x + beside, each, ".", color=color, markersize=2, alpha=0.35)
            style.curve(ax, s.x + beside, s.mean, s.low, s.high, color=color, marker=marker, label=label,
                        linestyle="")  # fmt: skip
            ax.set_xticks(s.x, [f"{level:g}" for level in s.x])
            found.append(s)
    ax.set(title="change by more samples", xlabel="level", ylabel="change of $R^2$")
    if not found:
        style.missing(ax)
        return found
    ax.axhspan(-MARGIN, MARGIN, color="#bbbbbb", alpha=0.25, linewidth=0, zorder=0)
    ax.axhline(0, color="#888888", linewidth=0.6, zorder=0)
    highest = max(1.3 * MARGIN, *(float(np.nanmax(np.abs(s.each))) for s in found))
    ax.set_ylim(-1.1 * highest, 1.6 * highest)
    ax.legend(fontsize="xx-small", loc="upper left", ncols=2, borderaxespad=0.1)
    return found


def _budgets(style: Style, ax: Axes, cube: xr.Dataset | None, world: str) -> list[Series]:
    """Draw R2 of the root against the ratio under each budget."""
    ax.set(title="root, other budgets", ylabel="$R^2$")
    ratio_axis(ax)
    found = []
    root = root_of(cube, world) if cube is not None else 0
    for budget, (label, color, marker) in BUDGETS.items():
        s = series(cube, world, rf"{budget}/v\d+", "r2", root) if cube is not None else None
        if s is not None:
            plot(style, ax, s, color, marker, label=label)
            found.append(s)
    if found:
        ax.margins(y=0.2)
        ax.legend(fontsize="xx-small", loc="best", borderaxespad=0.1)
    else:
        style.missing(ax)
    return found


def _border(style: Style, ax: Axes, cube: xr.Dataset | None, world: str) -> list[Series]:
    """Draw by level what leaving out the border adds, over the standard loss and over random tokens."""
    ax.set(title="border left out of the loss", xlabel="level", ylabel="gain of $R^2$")
    arms = [] if cube is None else [str(a) for a in cube["arm"].values if str(a).endswith("/no_border")]
    found: list[Series] = []
    handles = []
    for i, arm in enumerate(arms):
        patch = arm.split("/")[0].replace("x", "×")
        color, marker = PATCH_COLORS[i % len(PATCH_COLORS)], MARKERS[i % len(MARKERS)]
        for j, (quantity, (label, line)) in enumerate(GAINS.items()):
            s = by_level(cube, world, arm, quantity) if cube is not None else None
            if s is None:
                continue
            look: dict[str, Any] = {"linestyle": line, "markerfacecolor": "white" if j else color}
            beside = 0.08 * (2 * i + j - (2 * len(arms) - 1) / 2)
            style.curve(ax, s.x + beside, s.mean, s.low, s.high, color=color, marker=marker, **look)
            handles.append(Line2D([], [], color=color, marker=marker, markersize=3.5, linewidth=1.0,
                                  label=f"{patch}: {label}", **look))  # fmt: skip
            ax.set_xticks(s.x, [f"{level:g}" for level in s.x])
            found.append(s)
    if found:
        ax.axhline(0, color="#888888", linewidth=0.6, zorder=0)
        bottom, top = ax.get_ylim()
        ax.set_ylim(bottom, top + 0.35 * (top - bottom))
        ax.legend(handles=handles, fontsize="xx-small", loc="upper left", ncols=2, borderaxespad=0.1)
    else:
        style.missing(ax)
    return found
