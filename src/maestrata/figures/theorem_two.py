"""Theorem 2 at one fixed mask behind a bottleneck, and what fixed masks let through."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from maestrata.figures.arms import Series, interval_text, levels_with, n_text, plot, root_of, series, single
from maestrata.figures.registry import CubeSet
from maestrata.figures.style import ENCODERS, Style, level_color, level_marker

if TYPE_CHECKING:
    import xarray as xr

NAME = "theorem_two"
TITLE = "Theorem 2: recovery of c, and leak of what is not c"
CAPTION = (
    "First row: one fixed mask, an encoder with w outputs which are all that the decoder sees, against w "
    "over the intrinsic dimension d_c of the shared information c. Recovery: R2 of c from the outputs "
    "over the R2 from the conditional mean of the masked tokens. Progress: share explained of what can be "
    "explained of them; under .9 a world does not count, as the theorem is about the optimum. Leak: share "
    "of the outputs' variance that is noise not shared with the masked part; the theorem wants none at w "
    "= d_c. Second row: standard masked autoencoders with one fixed mask each. Leak of the noise below "
    "level 2 for the paper's three masks, which differ in ratio too, and along a ladder at r = .5 on "
    "which c climbs from the tokens' parents to the root; and what training adds to R2 on each rung. "
    "Where the leak falls up the ladder and R2 of the root rises, the mask has chosen the level."
)
NEEDS = ("experiments/bottleneck",)
USES = ("experiments/fixed_masks",)

MASKS = ("conservative", "ideal", "aggressive")
LEAK_LEVEL = 2  # noise of levels 0 and 1: the lowest that a mask can make shared
BLUE, ORANGE = ENCODERS["trained"][1], ENCODERS["random_init"][1]
# quantity -> how it is drawn and named
LEAKS: dict[str, tuple[dict[str, Any], str]] = {
    "leak": ({"color": BLUE, "marker": "o"}, "fixed mask: trained"),
    "leak_random_init": (
        {"color": ORANGE, "marker": "s", "linestyle": "--", "markerfacecolor": "white"},
        "fixed mask: random init",
    ),
    "leak_whole": (
        {"color": "#009E73", "marker": "D", "linestyle": ":", "markerfacecolor": "white"},
        "fixed mask: trained, read on whole images",
    ),
}
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
    worlds = [str(w) for w in cube["world"].values]
    beside = [str(w) for w in fixed["world"].values] if fixed is not None else [""]
    figure, axes = style.figure(len(worlds) + len(beside), 3, panel_height=1.75, more_height=0.25)
    one_mask: list[Series] = []
    for row, world in zip(axes, worlds, strict=False):
        for ax, (quantity, title, name, lines) in zip(row, PANELS, strict=True):
            one_mask += _bottleneck(style, ax, cube, world, quantity, lines)
            ax.set_title(f"{world}: {title}")
            ax.set_ylabel(name)
    masked: list[Series] = []
    for row, world in zip(axes[len(worlds) :], beside, strict=True):
        masked += _fixed(style, row, fixed, world)
        row[0].set_title(f"{world}: the paper's masks" if world else "the paper's masks")
        row[1].set_title("ladder at r = .5: leak")
        row[2].set_title("ladder: gain by training")
    style.title(figure, TITLE, _legend())
    style.footer(
        figure,
        [
            f"{n_text(one_mask, name='bottleneck')}; {n_text(masked, name='fixed masks')}",
            interval_text([*one_mask, *masked]),
            "dashed grey: thresholds, fixed before any model was trained; thin: single worlds",
        ],
    )
    return figure


def _legend() -> list[Line2D]:
    handles = [
        Line2D([], [], color=BLUE, marker="o", markersize=4, linewidth=1.2, label="bottleneck: trained"),
        *(
            Line2D(
                [], [], color=ENCODERS[e][1], marker=ENCODERS[e][2], linestyle="", markersize=4,
                label=f"{ENCODERS[e][0]}, w = $d_c$",
            )
            for e in ("random_init", "pca")
        ),
    ]  # fmt: skip
    return [*handles, *(Line2D([], [], markersize=4, label=label, **look) for look, label in LEAKS.values())]


def _bottleneck(
    style: Style, ax: Axes, cube: xr.Dataset, world: str, quantity: str, lines: tuple[tuple[float, str], ...]
) -> list[Series]:
    """Draw a quantity against the width of the bottleneck."""
    found = []
    trained = series(cube, world, r"trained/[\d.]+d", quantity, place=_multiple)
    if trained is not None:
        plot(style, ax, trained, BLUE, "o")
        found.append(trained)
    for encoder, shift in (("random_init", 0.93), ("pca", 1.075)):  # side by side, not on each other
        mark = single(cube, world, f"{encoder}/1d", quantity)
        if mark is not None:
            _, color, marker = ENCODERS[encoder]
            style.curve(ax, [shift], mark.mean, mark.low, mark.high, color=color, marker=marker, linestyle="")
            found.append(mark)
    multiples = trained.x if trained is not None else np.array([0.5, 1.0, 2.0])
    ax.set_xscale("log", base=2)
    ax.set_xticks(multiples, [f"{m:g}" for m in multiples])
    ax.minorticks_off()
    ax.set_xlim(multiples.min() / 1.25, multiples.max() * 1.25)
    ax.set_xlabel("outputs w over $d_c$")
    if not found:
        style.missing(ax, "no exact posterior" if quantity != "skill" else "not measured")
        return []
    top = max(1.05, *(float(np.nanmax(s.each)) + 0.05 for s in found)) if quantity != "leak" else None
    ax.set_ylim(min(0.0, *(float(np.nanmin(s.each)) for s in found)), top)
    for value, text in lines:
        ax.axhline(value, color="#888888", linestyle=(0, (5, 2)), linewidth=0.7, zorder=0)
        below = quantity != "leak" or text.startswith("for")
        ax.text(
            0.985 if quantity != "leak" else 0.015, value, text, transform=ax.get_yaxis_transform(),
            fontsize="xx-small", color="#555555", va="top" if below else "bottom",
            ha="right" if quantity != "leak" else "left",
        )  # fmt: skip
    return found


def _multiple(cube: xr.Dataset, arm: str) -> float:
    """Width of a bottleneck over d_c."""
    return float(arm.removeprefix("trained/").removesuffix("d"))


def _fixed(style: Style, row: Any, fixed: xr.Dataset | None, world: str) -> list[Series]:
    """Draw the leak of the paper's masks and of the ladder, and what training adds on each rung."""
    masks, ladder, gain = row
    masks.set_ylabel(f"leak from below level {LEAK_LEVEL}")
    ladder.sharey(masks)
    gain.set_ylabel("$R^2$ less random init")
    for ax in (ladder, gain):
        ax.set_xlabel("rung (level of c)")
    found: list[Series] = []
    if fixed is None:
        for ax in row:
            style.missing(ax)
        return found
    level = min(LEAK_LEVEL, root_of(fixed, world, "leak"))
    place: Callable[[xr.Dataset, str], float]
    for ax, pattern, place in (
        (masks, "|".join(MASKS), lambda _, arm: float(MASKS.index(arm))),
        (ladder, r"ladder\d+", lambda _, arm: float(arm.removeprefix("ladder"))),
    ):
        for quantity, (look, _) in LEAKS.items():
            s = series(fixed, world, pattern, quantity, level, place)
            if s is None:
                continue
            drawn = {"linestyle": ""} if ax is masks else {}
            worlds = ax is not masks and quantity == "leak"
            plot(style, ax, s, worlds=worlds, **(look | drawn))
            found.append(s)
            if ax is ladder:
                ax.set_xticks(s.x, s.arms if not s.arms else [f"{rung:g}" for rung in s.x])
        if not ax.has_data():
            style.missing(ax)
    masks.set_xlim(-0.5, len(MASKS) - 0.5)
    masks.set_xticks(range(len(MASKS)), _mask_names(fixed, world))
    levels = [at for at in levels_with(fixed.sel(world=[world]), "r2") if at > 0]
    change = _change(fixed)
    for at in levels:
        if change is None:
            break
        s = series(
            change, world, r"ladder\d+", "r2", at, place=lambda _, arm: float(arm.removeprefix("ladder"))
        )
        if s is not None:
            plot(style, gain, s, level_color(at, levels[0]), level_marker(at), worlds=False)
            found.append(s)
            gain.set_xticks(s.x, [f"{rung:g}" for rung in s.x])
    if gain.has_data():
        gain.axhline(0, color="#888888", linewidth=0.6, zorder=0)
        names = [
            Line2D([], [], color=level_color(at, levels[0]), marker=level_marker(at), markersize=3,
                   label="root" if at == levels[0] else f"level {at}")
            for at in levels
        ]  # fmt: skip
        gain.legend(handles=names, fontsize="xx-small", ncols=2, handlelength=1.5, borderaxespad=0.2)
    else:
        style.missing(gain)
    return found


def _change(fixed: xr.Dataset) -> xr.Dataset | None:
    """R2 less that of the untrained model under the same mask; intervals over samples as if independent."""
    if not {"r2", "r2_random_init"} <= set(fixed["quantity"].values):
        return None
    trained, start = (
        fixed.sel(quantity=[q]).assign_coords(quantity=["r2"]) for q in ("r2", "r2_random_init")
    )
    value = trained["value"] - start["value"]
    half = np.hypot(trained["high"] - trained["low"], start["high"] - start["low"]) / 2
    return trained.assign(value=value, low=value - half, high=value + half)


def _mask_names(fixed: xr.Dataset, world: str) -> list[str]:
    """Names of the masks with their ratios."""
    ratio = series(fixed, world, "|".join(MASKS), "mask_ratio", place=lambda _, arm: float(MASKS.index(arm)))
    known = dict(zip(ratio.arms, ratio.mean, strict=True)) if ratio is not None else {}
    return [f"{m}\nr = {known[m]:.2f}".replace("0.", ".") if m in known else m for m in MASKS]
