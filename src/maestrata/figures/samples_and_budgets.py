"""Sizes of training sets, other budgets of training, and the border left out of the loss."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from maestrata.claims.c17_samples import MARGIN
from maestrata.figures.arms import measured
from maestrata.figures.looks import BLACK, BLUE, ORANGE, PINK, SKY, VERMILION, Look, cycle, level_look
from maestrata.figures.sheet import Sheet, level_axis, ratio_axis, small_legend, zero
from maestrata.figures.style import Style
from maestrata.figures.words import absent_text, estimate, patch_text
from maestrata.results import (
    PRIMARY_TEXT,
    UNGATED,
    CubeSet,
    Select,
    along,
    along_arms,
    along_levels,
    cells,
    levels_with,
    numbered,
    root,
)

TITLE = "Samples, budgets, and the border of the mask"
CAPTION = (
    "Whether images, steps and masked tokens limit what is learnt. First: R2 of every level against the "
    "size of the training set at a fixed number of steps; open marks: fresh images at every step. Second: "
    "what the last step in size changes, and then fresh images, and more steps; grey: the margin of .02 "
    "within which more is taken not to matter. Third: R2 of the root against the masking ratio with the "
    "number of masked tokens in the loss held equal, and with the compute of training held equal: a curve "
    "that keeps its shape does not owe it to either. Fourth: R2 with the tokens at the border of the mask "
    "left out of the loss, minus that of the standard loss, and minus that with as many tokens left out "
    "at random."
)
NEEDS = ("experiments/samples",)
USES = ("experiments/budgets", "experiments/border")

BUDGETS = {
    "tokens": Look("equal tokens in the loss", BLUE, "o"),
    "compute": Look("equal compute", ORANGE, "D"),
}
# quantity -> (name, line, whether markers are open)
GAINS = {"over_standard": ("over standard", "-", False), "over_random": ("over random", "--", True)}


def draw(cubes: CubeSet, style: Style) -> Figure:
    """Draw a panel a world and part."""
    sampled = cubes.one("experiments/samples")
    budgets, border = cubes.get("experiments/budgets"), cubes.get("experiments/border")
    parts: list[tuple[Callable[..., None], xr.Dataset | None, str]] = [
        *((_sizes, sampled, world) for world in measured(sampled)),
        *((_changes, sampled, world) for world in measured(sampled)),
        *((_budgets, budgets, world) for world in measured(budgets)),
        *((_border, border, world) for world in measured(border)),
    ]
    sheet = Sheet.grid(style, -(-len(parts) // 2), 2, panel_height=1.9)
    panels = sheet.axes.ravel()
    for ax, (draw_part, cube, world) in zip(panels, parts, strict=False):
        draw_part(sheet, ax, cube, world)
        ax.set_title(f"{world}: {ax.get_title(loc='left')}")
    for unused in panels[len(parts) :]:
        unused.remove()
    sheet.axes = panels[: len(parts)]
    levels = [level for level in levels_with(sampled["value"].sel(quantity="r2")) if level > 0]
    told = " ".join(filter(None, (_told(sampled, world) for world in measured(sampled))))
    return sheet.done(TITLE, told, [level_look(level, levels[0]) for level in levels], [
        f"{PRIMARY_TEXT}; {sheet.n_text()}",
        sheet.intervals_text(),
        absent_text(cubes, USES),
        "fresh: new images at every step; grey: margin of .02; thin and dots: single worlds; border: "
        "tokens beside a visible one, over the standard loss and over as many random tokens left out",
    ])  # fmt: skip


def _told(cube: xr.Dataset, world: str) -> str:
    """Say what the last step in size changes at the root."""
    top = root(cube, world)
    for more, fewer, look in _pairs(cube):
        s = along(CubeSet([cube]), world, {top: _r2(more, top) - _r2(fewer, top)}) if top else None
        if s is not None:
            return f"{world}: R² of the root, {look.label} training images: {estimate(s, 0, plus=True)}."
    return ""


def _sizes(sheet: Sheet, ax: Axes, cube: xr.Dataset, world: str) -> None:
    """Draw R2 by level against the size of the training set, and aside from it fresh images."""
    top = root(cube, world)
    sizes = numbered(cube, r"s(\d+)")
    aside = 4 * max(sizes.values(), default=1.0)
    for level in range(top, 0, -1):
        look = level_look(level, top)
        sheet.plot(ax, along_arms(cube, world, "r2", sizes, level), look)
        fresh = along_arms(cube, world, "r2", {"endless": aside}, level)
        sheet.plot(ax, fresh, replace(look, line="", open=True))
    ax.set(title="training set", xlabel="training images (steps fixed)", ylabel="R²")
    if ax.has_data():
        ax.set_xscale("log", base=2)
        ticks = {size: _size_text(size) for size in sizes.values()}
        ticks |= {aside: "fresh"} if "endless" in cube["arm"].values else {}
        ax.set_xticks(list(ticks), list(ticks.values()))
        ax.minorticks_off()


def _size_text(size: float) -> str:
    """A number of images as short text.

    Examples
    --------
    >>> _size_text(2048), _size_text(65536), _size_text(500)
    ('2k', '66k', '500')
    """
    return f"{size / 1000:.0f}k" if size >= 1000 else f"{size:g}"


def _changes(sheet: Sheet, ax: Axes, cube: xr.Dataset, world: str) -> None:
    """Draw by level what more images, fresh ones and more steps change, with the margin."""
    highest = 1.3 * MARGIN
    changes = _pairs(cube)
    for k, (more, fewer, look) in enumerate(changes):
        shift = 0.1 * (k - (len(changes) - 1) / 2)
        s = along(CubeSet([cube]), world, {
            level: _r2(more, level) - _r2(fewer, level) for level in range(1, root(cube, world) + 1)
        })  # fmt: skip
        if s is None:
            continue
        highest = max(highest, float(np.nanmax(np.abs(s.each))))
        for each in s.each if s.n_worlds > 1 else ():
            ax.plot(s.x + shift, each, ".", color=look.color, markersize=2, alpha=0.35)
        sheet.plot(ax, s, look, shift=shift, label=look.label, linestyle="")
    level_axis(ax)
    ax.set(title="change by more images, more steps", ylabel="change of R²")
    if ax.has_data():
        ax.axhspan(-MARGIN, MARGIN, color="#bbbbbb", alpha=0.25, linewidth=0, zorder=0)
        ax.set_ylim(-1.1 * highest, 1.1 * highest)
    zero(ax)
    small_legend(ax, -(-len(changes) // 2), ncols=2)


def _pairs(cube: xr.Dataset) -> list[tuple[str, str, Look]]:
    """List what is compared: an arm, the arm with less, and the look."""
    sizes = numbered(cube, r"s(\d+)")
    ordered = sorted(sizes, key=lambda arm: sizes[arm])
    largest, text = ordered[-1], _size_text(sizes[ordered[-1]])
    pairs = [
        (largest, fewer, Look(f"{text} minus {_size_text(sizes[fewer])}", BLUE, "o"))
        for fewer in ordered[-2:-1]
    ]
    pairs.append(("endless", largest, Look(f"fresh minus {text}", VERMILION, "s")))
    longer = numbered(cube, rf"{largest}/([\d.]+)x")
    colors = dict(zip(longer, (ORANGE, PINK, SKY), strict=False))
    return pairs + [
        (arm, largest, Look(f"{times:g} times the steps", colors.get(arm, BLACK), "D"))
        for arm, times in longer.items()
    ]


def _r2(arm: str, level: int) -> Select:
    return Select("experiments/samples", "r2", arm, level=level, gate=UNGATED)


def _budgets(sheet: Sheet, ax: Axes, cube: xr.Dataset | None, world: str) -> None:
    """Draw R2 of the root against the ratio under each budget."""
    for budget, look in BUDGETS.items():
        s = along_arms(cube, world, "r2", cells(cube, world, budget), root(cube, world))
        sheet.plot(ax, s, look, worlds="thin", label=look.label)
    ax.set(title="root, other budgets", ylabel="R²")
    ratio_axis(ax)
    small_legend(ax, 1, ncols=2)


def _border(sheet: Sheet, ax: Axes, cube: xr.Dataset | None, world: str) -> None:
    """Draw by level what leaving out the border adds, over the standard loss and over random tokens."""
    arms = [] if cube is None else [arm for arm in map(str, cube["arm"].values) if arm.endswith("/no_border")]
    rows = [(i, arm, quantity) for i, arm in enumerate(arms) for quantity in GAINS]
    for k, (i, arm, quantity) in enumerate(rows):
        name, line, is_open = GAINS[quantity]
        look = replace(cycle(i, f"{patch_text(arm.split('/')[0])}: {name}"), line=line, open=is_open)
        s = along_levels(cube, world, arm, quantity)
        sheet.plot(ax, s, look, shift=0.08 * (k - (len(rows) - 1) / 2), label=look.label)
    ax.set(title="border left out of the loss", ylabel="gain of R²")
    level_axis(ax)
    zero(ax)
    small_legend(ax, -(-len(rows) // 2), ncols=2)
