"""Theorem 2 at one fixed mask behind a bottleneck, and what fixed masks let through."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from maestrata.claims.c05_fixed_masks import LOW as LEAK_LEVEL
from maestrata.claims.one_mask import NEAR_OPTIMUM
from maestrata.figures.arms import measured
from maestrata.figures.looks import BLUE, ENCODERS, SKY, UNTRAINED, Look, level_look
from maestrata.figures.sheet import Sheet, level_axis, missing, small_legend, zero
from maestrata.figures.style import SMALLEST, Style
from maestrata.figures.words import absent_text, estimate, n_text, short, span
from maestrata.results import CubeSet, Select, Series, along, along_arms, numbered, root

TITLE = "Theorem 2: recovery of c, and leak of what is not c"
CAPTION = (
    "Whether as many outputs as c has dimensions hold c, and nothing else. c is what masked and visible "
    "part share. One fixed mask for each level at which it may lie, an encoder with w outputs which are "
    "all that the decoder sees, against w over the intrinsic dimension d_c of c. Recovery: R2 of c from "
    "the outputs over the R2 from the conditional mean of the masked tokens. Progress: share explained of "
    "what can be explained of them; under .9 a world does not count. Leak: share of the whitened outputs' "
    "variance that is noise not shared with the masked part. Where a run has fixed masks, a row on "
    "standard masked autoencoders with one mask each: leak of the noise below level 2 for the paper's "
    "three masks, and along a ladder at r = .5 on which c climbs from the tokens' parents to the root; "
    "and what training adds to R2 on each rung."
)
NEEDS = ("experiments/bottleneck",)
USES = ("experiments/fixed_masks",)

MASKS = ("conservative", "ideal", "aggressive")
LADDER = r"ladder(\d+)"
# quantity -> how it is drawn and named
LEAKS = {
    "leak": Look("fixed mask, visible tokens", BLUE, "o"),
    "leak_whole": Look("fixed mask, whole images", SKY, "D", ":", open=True),
    "leak_random_init": replace(UNTRAINED, label="fixed mask, untrained"),
}
# controls at w = d_c, side by side, not on each other -> where they stand
AT_ONE = {"null_trained": 0.93, "pca": 1.075}
# quantity -> title, axis, lines of the rules with what they are
PANELS: tuple[tuple[str, str, str, tuple[tuple[float, str], ...]], ...] = (
    ("skill", "recovery of c", "R² over the best", ((0.9, "over .9"),)),
    ("progress", "progress", "share explained", ((0.9, "from .9"),)),
    ("leak", "leak, whitened (claim 3)", "share of variance", ((0.1, "for"), (0.2, "against"))),
)


def draw(cubes: CubeSet, style: Style) -> Figure:
    """Draw a row a world of the bottleneck, then one a world of the fixed masks."""
    cube, fixed = cubes.one("experiments/bottleneck"), cubes.get("experiments/fixed_masks")
    worlds, masked = measured(cube), measured(fixed)
    sheet = Sheet.grid(style, len(worlds) + len(masked), 3, panel_height=1.8)
    told = []
    for row, world in zip(sheet.axes, worlds, strict=False):
        for ax, (quantity, title, name, lines) in zip(row, PANELS, strict=True):
            _bottleneck(sheet, ax, cube, world, quantity, lines)
            ax.set(title=f"{world}: {title}" if ax is row[0] else title, ylabel=name)
        told += [_told(cube, world, level) for level in levels_of(cube)]
    n_bottleneck = len(sheet.shown)
    for row, world in zip(sheet.axes[len(worlds) :], masked, strict=True):
        _leaks(sheet, row, fixed, world)
        _gain(sheet, row[2], cubes, world)
        row[0].set_title(f"{world}: the paper's masks")
    levels = levels_of(cube)
    trained = [replace(level_look(k, max(levels)), label=f"bottleneck, c at level {k}") for k in levels]
    marks = [replace(_control(encoder), label=f"{ENCODERS[encoder].label}, w = d_c") for encoder in AT_ONE]
    one, many = sheet.shown[:n_bottleneck], sheet.shown[n_bottleneck:]
    legend = [*trained, *marks, *(LEAKS.values() if masked else ())]
    return sheet.done(TITLE, " ".join(filter(None, told)), legend, [
        f"{n_text(one, name='bottleneck')}; {n_text(many, name='fixed masks')}",
        sheet.intervals_text("bars and bands"),
        "dashed: thresholds, fixed before any model was trained: claim 2 asks for over .9, claim 3 for a "
        "leak below .1, above .2 speaks against it; thin, of the bottleneck: single worlds, also those below "
        "progress .9, which verdicts and the sentence above leave out",
        _gated_text(many),
        absent_text(cubes, USES),
    ])  # fmt: skip


def _gated_text(shown: Sequence[Series]) -> str:
    """Say how many worlds stand behind a point of the fixed masks; empty where a run has none."""
    n = [int(count) for s in shown for count in np.isfinite(s.each).sum(0)]
    return f"fixed masks: models above their gate, of {span(n)} worlds" if n else ""


def _told(cube: xr.Dataset, world: str, level: int) -> str:
    """Say what recovery and leak come to at w = d_c."""
    at_d_c = {f"l{level}/trained/1d": 1.0}
    skill, leak = (along_arms(cube, world, q, at_d_c, gate=NEAR_OPTIMUM) for q in ("skill", "leak"))
    if skill is None or leak is None:
        return ""
    return f"{world}, c at level {level}, w = d_c: recovery {estimate(skill, 0)}, leak {estimate(leak, 0)}."


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
        for encoder, place in AT_ONE.items():
            s = along_arms(cube, world, quantity, {f"l{level}/{encoder}/1d": place})
            shown.append((s, _control(encoder)))
    for s, look in shown:
        sheet.plot(ax, s, look, worlds="none" if look.open else "thin")
    multiples = np.array(sorted(set(numbered(cube, r"l\d+/trained/([\d.]+)d").values())) or [0.5, 1.0, 2.0])
    ax.set_xscale("log", base=2)
    ax.set_xticks(multiples, [f"{m:g}" for m in multiples])
    ax.minorticks_off()
    ax.set_xlim(multiples.min() / 1.25, multiples.max() * 1.25)
    ax.set_xlabel("outputs w over d_c")
    if not ax.has_data():
        missing(ax)
        return
    values = np.concatenate([s.each.ravel() for s, _ in shown if s is not None])
    low, high = float(np.nanmin(values)), float(np.nanmax(values))
    ax.set_ylim(min(-0.02, low - 0.02), max(1.05, high + 0.05))
    for value, text in lines:
        ax.axhline(value, color="#888888", linestyle=(0, (5, 2)), linewidth=0.7, zorder=0)
        # beside the panel, where no curve is
        ax.text(
            1.01,
            value,
            text,
            transform=ax.get_yaxis_transform(),
            fontsize="small",
            color="#555555",
            va="center",
        )


def _leaks(sheet: Sheet, row: NDArray[np.object_], fixed: xr.Dataset | None, world: str) -> None:
    """Draw the leak of the paper's masks, and along the ladder."""
    masks, ladder, _ = row
    places = {mask: float(i) for i, mask in enumerate(MASKS)}
    level = min(LEAK_LEVEL, root(fixed, world, "leak"))
    for quantity, look in LEAKS.items():
        s = along_arms(fixed, world, quantity, places, level, gate=None)
        sheet.plot(masks, s, replace(look, line=""))
        s = along_arms(fixed, world, quantity, numbered(fixed, LADDER), level, gate=None)
        sheet.plot(ladder, s, look, worlds="thin" if quantity == "leak" else "none")
    level_axis(ladder, "rung (level of c)")
    ladder.set_title("ladder at r = .5")
    low, high = (pick(ax.get_ylim()[i] for ax in (masks, ladder) if ax.has_data() or ax is masks)
                 for i, pick in enumerate((min, max)))  # fmt: skip
    for ax in (masks, ladder):
        ax.set_ylim(low, high)
    masks.set(ylabel=f"leak from below level {LEAK_LEVEL}", xlim=(-0.5, len(MASKS) - 0.5))
    ratio = along_arms(fixed, world, "mask_ratio", places)
    known = dict(zip(ratio.labels, ratio.mean, strict=True)) if ratio is not None else {}
    names = [f"{mask}\nr = {short(known[mask])}" if mask in known else mask for mask in MASKS]
    masks.set_xticks(range(len(MASKS)), names, fontsize=SMALLEST)


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
    ax.set(title="ladder: gain by training", ylabel="R² minus untrained")
    level_axis(ax, "rung (level of c)")
    small_legend(ax, 2, ncols=2)
    zero(ax)
