"""Theorem 2 at one fixed mask behind a bottleneck, and what fixed masks let through."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from maestrata.figures.looks import BLUE, ENCODERS, GREEN, UNTRAINED, Look, level_look
from maestrata.figures.sheet import Sheet, level_axis, missing, small_legend, zero
from maestrata.figures.style import Style
from maestrata.figures.words import n_text
from maestrata.results import CubeSet, Select, along, along_arms, numbered, root, worlds_of

NAME = "theorem_two"
TITLE = "Theorem 2: recovery of c, and leak of what is not c"
CAPTION = (
    "First row: one fixed mask for each level at which the shared information c may lie, an encoder with w "
    "outputs which are all that the decoder sees, against w over the intrinsic dimension d_c of c. Recovery: "
    "R2 of c from the outputs over the R2 from the conditional mean of the masked tokens. Progress: share "
    "explained of what can be explained of them; under .9 a world does not count, as the theorem is about "
    "the optimum. Leak: share of the whitened outputs' variance that is noise not shared with the masked "
    "part; the theorem wants none at w = d_c. Second row: standard masked autoencoders with one fixed mask "
    "each. Leak of the noise below level 2, of the mean of the visible tokens, for the paper's three masks, "
    "which differ in ratio too, and along a ladder at r = .5 on which c climbs from the tokens' parents to "
    "the root; and what training adds to R2 on each rung. Where the leak falls up the ladder and R2 of the "
    "root rises, the mask has chosen the level."
)
NEEDS = ("experiments/bottleneck",)
USES = ("experiments/fixed_masks",)

MASKS = ("conservative", "ideal", "aggressive")
LADDER = r"ladder(\d+)"
LEAK_LEVEL = 2  # noise of levels 0 and 1: the lowest that a mask can make shared
# quantity -> how it is drawn and named
LEAKS = {
    "leak": Look("fixed mask: trained", BLUE, "o"),
    "leak_random_init": replace(UNTRAINED, label="fixed mask: random init"),
    "leak_whole": Look("fixed mask: trained, read on whole images", GREEN, "D", ":", open=True),
}
# controls at w = d_c, side by side, not on each other -> where they stand
AT_ONE = {"null_trained": 0.93, "pca": 1.075}
# quantity -> title, axis, lines of the rules with what they are
PANELS: tuple[tuple[str, str, str, tuple[tuple[float, str], ...]], ...] = (
    ("skill", "recovery of c", "$R^2$ over the best", ((0.9, "claim 2: above .9"),)),
    ("progress", "progress of training", "share of the explainable", ((0.9, "counts from .9 on"),)),
    (
        "leak",
        "leak of what is not c",
        "share of code variance",
        ((0.1, "for claim 3: below .1"), (0.2, "against: above .2")),
    ),
)


def draw(cubes: CubeSet, style: Style) -> Figure:
    """Draw a row a world of the bottleneck, then one a world of the fixed masks."""
    cube, fixed = cubes.one("experiments/bottleneck"), cubes.get("experiments/fixed_masks")
    worlds, masked = worlds_of(cube), worlds_of(fixed) or [""]
    sheet = Sheet.grid(style, len(worlds) + len(masked), 3, panel_height=1.75, more_height=0.25)
    for row, world in zip(sheet.axes, worlds, strict=False):
        for ax, (quantity, title, name, lines) in zip(row, PANELS, strict=True):
            _bottleneck(sheet, ax, cube, world, quantity, lines)
            ax.set(title=f"{world}: {title}", ylabel=name)
    n_bottleneck = len(sheet.shown)
    for row, world in zip(sheet.axes[len(worlds) :], masked, strict=True):
        _leaks(sheet, row, fixed, world)
        _gain(sheet, row[2], cubes, world)
        row[0].set_title(f"{world}: the paper's masks" if world else "the paper's masks")
    levels = levels_of(cube)
    trained = [replace(level_look(k, max(levels)), label=f"bottleneck, c at level {k}") for k in levels]
    marks = [replace(_control(encoder), label=f"{ENCODERS[encoder].label}, w = $d_c$") for encoder in AT_ONE]
    one, many = sheet.shown[:n_bottleneck], sheet.shown[n_bottleneck:]
    return sheet.done(TITLE, [*trained, *marks, *LEAKS.values()], [
        f"{n_text(one, name='bottleneck')}; {n_text(many, name='fixed masks')}",
        sheet.intervals_text("bars and bands"),
        "dashed grey: thresholds, fixed before any model was trained; thin: single worlds",
    ])  # fmt: skip


def levels_of(cube: xr.Dataset) -> list[int]:
    """List the levels of c that a cube of the bottleneck has."""
    return sorted({int(level) for level in numbered(cube, r"l(\d+)/.*").values()})


def _control(encoder: str) -> Look:
    return replace(ENCODERS[encoder], line="", open=True)


def _bottleneck(
    sheet: Sheet, ax: Axes, cube: xr.Dataset, world: str, quantity: str, lines: tuple[tuple[float, str], ...]
) -> None:
    """Draw a quantity against the width of the bottleneck, for every level of c."""
    levels, shown = levels_of(cube), []
    for level in levels:
        widths = numbered(cube, rf"l{level}/trained/([\d.]+)d")
        shown.append((along_arms(cube, world, quantity, widths), level_look(level, max(levels))))
        for encoder, at in AT_ONE.items():
            s = along_arms(cube, world, quantity, {f"l{level}/{encoder}/1d": at})
            shown.append((s, _control(encoder)))
    for s, look in shown:
        sheet.plot(ax, s, look, worlds="none" if look.open else "thin")
    multiples = np.array(sorted(set(numbered(cube, r"l\d+/trained/([\d.]+)d").values())) or [0.5, 1.0, 2.0])
    ax.set_xscale("log", base=2)
    ax.set_xticks(multiples, [f"{m:g}" for m in multiples])
    ax.minorticks_off()
    ax.set_xlim(multiples.min() / 1.25, multiples.max() * 1.25)
    ax.set_xlabel("outputs w over $d_c$")
    if not ax.has_data():
        missing(ax)
        return
    values = np.concatenate([s.each.ravel() for s, _ in shown if s is not None])
    low, high = float(np.nanmin(values)), float(np.nanmax(values))
    leak = quantity == "leak"
    ax.set_ylim(min(0.0, low), None if leak else max(1.05, high + 0.05))
    for value, text in lines:
        ax.axhline(value, color="#888888", linestyle=(0, (5, 2)), linewidth=0.7, zorder=0)
        ax.text(
            0.015 if leak else 0.985, value, text, transform=ax.get_yaxis_transform(), fontsize="xx-small",
            color="#555555", ha="left" if leak else "right",
            va="bottom" if leak and not text.startswith("for") else "top",
        )  # fmt: skip


def _leaks(sheet: Sheet, row: NDArray[np.object_], fixed: xr.Dataset | None, world: str) -> None:
    """Draw the leak of the paper's masks, and along the ladder."""
    masks, ladder, _ = row
    places = {mask: float(i) for i, mask in enumerate(MASKS)}
    level = min(LEAK_LEVEL, root(fixed, world, "leak"))
    for quantity, look in LEAKS.items():
        sheet.plot(masks, along_arms(fixed, world, quantity, places, level), replace(look, line=""))
        s = along_arms(fixed, world, quantity, numbered(fixed, LADDER), level)
        sheet.plot(ladder, s, look, worlds="thin" if quantity == "leak" else "none")
    ladder.sharey(masks)
    level_axis(ladder, "rung (level of c)")
    ladder.set_title("ladder at r = .5: leak")
    masks.set(ylabel=f"leak from below level {LEAK_LEVEL}", xlim=(-0.5, len(MASKS) - 0.5))
    ratio = along_arms(fixed, world, "mask_ratio", places)
    known = dict(zip(ratio.labels, ratio.mean, strict=True)) if ratio is not None else {}
    names = [f"{m}\nr = {known[m]:.2f}".replace("0.", ".") if m in known else m for m in MASKS]
    masks.set_xticks(range(len(MASKS)), names)


def _gain(sheet: Sheet, ax: Axes, cubes: CubeSet, world: str) -> None:
    """Draw what training adds to R2 of every level on each rung of the ladder."""
    fixed = cubes.get(USES[0])
    top = root(fixed, world)
    for level in range(top, 0, -1):
        look = level_look(level, top)
        r2 = Select(USES[0], "r2", level=level, interval="centred")
        start = replace(r2, quantity="r2_random_init")
        rungs = numbered(fixed, LADDER).items()
        change = {rung: replace(r2, arm=arm) - replace(start, arm=arm) for arm, rung in rungs}
        sheet.plot(ax, along(cubes, world, change), look, label="root" if level == top else look.label)
    ax.set(title="ladder: gain by training", ylabel="$R^2$ minus random init")
    level_axis(ax, "rung (level of c)")
    small_legend(ax, ncols=2, handlelength=1.5, borderaxespad=0.2)
    zero(ax)
