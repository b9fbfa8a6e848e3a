"""How much of a representation changes when noise below a level, or from it up, is drawn anew."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from maestrata.figures.arms import (
    CELLS,
    Series,
    by_level,
    interval_text,
    n_text,
    over_levels,
    plot,
    ratio_axis,
    ratio_legend,
    ratio_looks,
    series,
)
from maestrata.figures.registry import CubeSet
from maestrata.figures.style import ENCODERS, Style

if TYPE_CHECKING:
    import xarray as xr

NAME = "noise_invariance"
TITLE = "Invariance to the noise below each level"
CAPTION = (
    "Test images are made again with the noise below a level drawn anew and the rest kept (first panel), "
    "or with the noise at the level and above drawn anew (second): share of the variance of the whitened "
    "primary reading that changes, by level, for each masking ratio and for the untrained encoder. Third: "
    "both, as means over levels, less those of the untrained encoder in the same world. A representation "
    "of high-level latents changes little in the first and much in the second; training that lowers the "
    "first and raises the second has learnt to ignore low-level noise."
)
NEEDS = ("experiments/invariance",)

LOW, HIGH = "low_redrawn", "high_redrawn"
# quantity -> label, colour, marker, of the means over levels
MEANS = {
    LOW: ("noise below redrawn", "#0072B2", "o"),
    HIGH: ("noise at and above redrawn", "#E69F00", "D"),
}
START = "random_init"


def draw(cubes: CubeSet, style: Style) -> Figure:
    """Draw a row a world."""
    cube = cubes.one("experiments/invariance")
    worlds = [str(w) for w in cube["world"].values]
    figure, axes = style.figure(len(worlds), 3, panel_height=2.0, more_height=0.2)
    arms = {world: series(cube, world, CELLS, "mask_ratio") for world in worlds}
    looks = ratio_looks(float(x) for s in arms.values() if s is not None for x in s.x)
    found: list[Series] = []
    for row, world in zip(axes, worlds, strict=True):
        cells = arms[world]
        known = dict(zip(cells.arms, map(float, cells.x), strict=True)) if cells is not None else {}
        for ax, quantity in zip(row, MEANS, strict=False):
            found += _by_level(style, ax, cube, world, quantity, known, looks)
        row[0].set(title=f"{world}: noise below l redrawn", ylabel="share of variance that changes")
        row[1].set(title="noise at l and above redrawn")
        row[0].set_ylim(bottom=min(0.0, row[0].get_ylim()[0]))
        found += _means(style, row[2], cube, world)
        row[2].set(title="mean over levels", ylabel="trained less random init")
    start = Line2D([], [], color=ENCODERS[START][1], marker="s", markerfacecolor="white", linestyle="--",
                   markersize=4, label=ENCODERS[START][0])  # fmt: skip
    style.title(figure, TITLE, [*ratio_legend(looks), start])
    style.footer(
        figure,
        [
            f"last layer, mean-pooled tokens, whole image, whitened; {n_text(found, 'pairs of images')}",
            interval_text(found),
            "0: a function of what is kept; 1: independent of it; scales differ; thin: single worlds",
        ],
    )
    return figure


def _by_level(
    style: Style,
    ax: Axes,
    cube: xr.Dataset,
    world: str,
    quantity: str,
    known: dict[str, float],
    looks: dict[float, tuple[Any, str]],
) -> list[Series]:
    """Draw the share by level: a curve a ratio, and the untrained encoder."""
    found = []
    for arm in (*known, START):
        s = by_level(cube, world, arm, quantity)
        if s is None:
            continue
        if arm == START:
            plot(style, ax, s, ENCODERS[START][1], "s", worlds=False, linestyle="--", markerfacecolor="white")
        else:
            plot(style, ax, s, *looks[known[arm]], worlds=False)
        ax.set_xticks(s.x, [f"{level:g}" for level in s.x])
        found.append(s)
    ax.set_xlabel("level l")
    if not found:
        style.missing(ax)
    return found


def _means(style: Style, ax: Axes, cube: xr.Dataset, world: str) -> list[Series]:
    """Draw the means over levels, less those of the untrained encoder, against the ratio."""
    mean = over_levels(cube, *MEANS)
    if START in mean["arm"].values:
        mean = _less_start(mean)
    found = []
    for quantity, (label, color, marker) in MEANS.items():
        s = series(mean, world, CELLS, quantity) if START in cube["arm"].values else None
        if s is not None:
            plot(style, ax, s.moved(0.008 if quantity == HIGH else -0.008), color, marker, label=label)
            found.append(s)
    ratio_axis(ax)
    if found:
        ax.axhline(0, color="#888888", linewidth=0.6, zorder=0)
        ax.margins(y=0.15)
        ax.legend(fontsize="xx-small", loc="best", borderaxespad=0.2)
    else:
        style.missing(ax)
    return found


def _less_start(mean: xr.Dataset) -> xr.Dataset:
    """Means less those of the untrained encoder; samples are shared, so its interval is on the wide side."""
    start = mean.sel(arm=START, drop=True)
    changed = mean["quantity"].isin(list(MEANS))
    value = (mean["value"] - start["value"]).where(changed, mean["value"])
    half = (((mean["high"] - mean["low"]) ** 2 + (start["high"] - start["low"]) ** 2) ** 0.5 / 2).where(
        changed
    )
    return mean.assign(value=value, low=value - half, high=value + half)
