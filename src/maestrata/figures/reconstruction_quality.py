"""Quality of filled-in images against what they say of the root, by masking ratio in training."""

from __future__ import annotations

from typing import TYPE_CHECKING

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from maestrata.figures.arms import (
    CELLS,
    Series,
    interval_text,
    lines_legend,
    n_text,
    plot,
    ratio_axis,
    reference,
    series,
    single,
)
from maestrata.figures.registry import CubeSet
from maestrata.figures.style import MARKERS, Style

if TYPE_CHECKING:
    import xarray as xr

NAME = "reconstruction_quality"
TITLE = "Image quality and meaning of what is filled in"
CAPTION = (
    "Masked tokens of a grammar world are filled in by models trained at different masking ratios, and by "
    "one trained with larger mask patches. Structural measures (SSIM, FSIM), pixel measures (PSNR, "
    "squared error) and the exact posterior probability of the true root given the filled-in image. All "
    "models fill in the same masks; open marks: the masks of their own training. Lines: the posterior "
    "mean of the masked tokens, which no decoder can beat in squared error, and the mean pixel. Last "
    "panel: rank correlation over the ratios between each measure and the root's probability. The paper "
    "holds that structural measures follow meaning and pixel measures do not."
)
NEEDS = ("experiments/reconstruction",)

PANELS = (
    ("ssim", "SSIM", "similarity (1 at best)"),
    ("fsim", "FSIM", "similarity (1 at best)"),
    ("root_probability", "meaning", "P(root | filled-in image)"),
    ("psnr", "PSNR", "dB"),
    ("mse", "squared error, masked tokens", "squared pixel value"),
)
RANKS = (
    ("rank_ssim", "SSIM"),
    ("rank_fsim", "FSIM"),
    ("rank_psnr", "PSNR"),
    ("rank_mse", "−MSE"),
    ("rank_gap", "gap"),
)
LINES = ("exact", "grey")
BLUE, LIGHT = "#0072B2", "#56B4E9"
PATCH_COLORS = ("#D55E00", "#CC79A7", "#E69F00")


def draw(cubes: CubeSet, style: Style) -> Figure:
    """Draw two rows a world."""
    cube = cubes.one("experiments/reconstruction")
    worlds = [str(w) for w in cube["world"].values]
    patches = _patches(cube)
    figure, axes = style.figure(2 * len(worlds), 3, panel_height=1.75, more_height=0.2)
    found: list[Series] = []
    for k, world in enumerate(worlds):
        panels = list(axes[2 * k : 2 * k + 2].flat)
        for i, (ax, (quantity, title, unit)) in enumerate(zip(panels, PANELS, strict=False)):
            found += _panel(style, ax, cube, world, quantity, patches)
            ax.set(title=title if i else f"{world}: {title}", ylabel=unit)
        found += _ranks(style, panels[-1], cube, world)
    style.title(figure, TITLE, [*_legend(patches), *lines_legend(LINES)])
    style.footer(
        figure,
        [
            n_text(found),
            interval_text(found),
            "−MSE: the smaller the error, the better; gap: mean of SSIM and FSIM less mean of PSNR and −MSE; "
            "thin: single worlds",
        ],
    )
    return figure


def _patches(cube: xr.Dataset) -> list[str]:
    """Labels of mask patches of more than one token."""
    labels = [str(arm).split("/")[0] for arm in cube["arm"].values if "/v" in str(arm)]
    return [label for label in dict.fromkeys(labels) if label != "1x1"]


def _legend(patches: list[str]) -> list[Line2D]:
    handles = [
        Line2D([], [], color=BLUE, marker="o", markersize=4, linewidth=1.2, label="same masks for all"),
        Line2D([], [], color=LIGHT, marker="o", markersize=4, linewidth=1.2, linestyle="--",
               markerfacecolor="white", label="masks as in training"),
    ]  # fmt: skip
    return handles + [
        Line2D([], [], color=PATCH_COLORS[i % len(PATCH_COLORS)], marker=MARKERS[(i + 2) % len(MARKERS)],
               linestyle="", markersize=5, label=f"trained with {label.replace('x', '×')} patches")
        for i, label in enumerate(patches)
    ]  # fmt: skip


def _panel(
    style: Style, ax: Axes, cube: xr.Dataset, world: str, quantity: str, patches: list[str]
) -> list[Series]:
    """Draw one measure against the ratio in training."""
    found: list[Series] = []
    for name in LINES:
        line = single(cube, world, name, quantity)
        if line is not None:
            reference(ax, line, name)
            found.append(line)
    own = series(cube, world, CELLS, f"{quantity}_own")
    if own is not None:
        plot(style, ax, own, LIGHT, "o", worlds=False, linestyle="--", markerfacecolor="white")
        found.append(own)
    for i, label in enumerate(patches):
        color, marker = PATCH_COLORS[i % len(PATCH_COLORS)], MARKERS[(i + 2) % len(MARKERS)]
        for suffix, fill in (("_own", "white"), ("", color)):
            s = series(cube, world, rf"{label}/v\d+", f"{quantity}{suffix}")
            if s is not None:
                # beside the mark of one-token patches at the same ratio
                style.curve(ax, s.x + 0.035, s.mean, s.low, s.high, color=color, marker=marker, linestyle="",
                            markerfacecolor=fill, markersize=4.5)  # fmt: skip
                found.append(s)
    common = series(cube, world, CELLS, quantity)
    if common is not None:
        plot(style, ax, common, BLUE, "o")
        found.append(common)
    ratio_axis(ax, "masking ratio r in training")
    if not found:
        style.missing(ax)
    return found


def _ranks(style: Style, ax: Axes, cube: xr.Dataset, world: str) -> list[Series]:
    """Draw the rank correlations with the root's probability: each world a dot beside the mean."""
    found = []
    for i, (quantity, _) in enumerate(RANKS):
        s = single(cube, world, "ratios", quantity)
        if s is None:
            continue
        color, marker = ("#000000", "D") if quantity == "rank_gap" else (BLUE, "o")
        if s.n_worlds > 1:
            ax.plot([i - 0.2] * len(s.each), s.each[:, 0], ".", color="#999999", markersize=3)
        style.curve(ax, [i], s.mean, s.low, s.high, color=color, marker=marker, linestyle="")
        found.append(s)
    ax.set_title("rank correlation with meaning")
    ax.set_ylabel("Spearman's ρ over r")
    ax.set_xlim(-0.6, len(RANKS) - 0.4)
    ax.set_xticks(range(len(RANKS)), [name for _, name in RANKS], fontsize="x-small")
    if found:
        ax.axhline(0, color="#888888", linewidth=0.6, zorder=0)
    else:
        style.missing(ax)
    return found
