"""Attention on tokens of the same ancestor, against what even attention gives, and where it goes."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure, SubFigure
from matplotlib.lines import Line2D
from numpy.typing import NDArray

from maestrata.figures.arms import (
    CELLS,
    Series,
    by_level,
    interval_text,
    lines_legend,
    n_text,
    plot,
    ratio_legend,
    ratio_looks,
    ratio_of,
)
from maestrata.figures.panels import short
from maestrata.figures.registry import CubeSet
from maestrata.figures.style import ENCODERS, WIDTH, Style

if TYPE_CHECKING:
    import xarray as xr

NAME = "attention_mass"
TITLE = "Attention of the last block: mass under the same ancestor"
CAPTION = (
    "Above, one row a world: of the attention to other tokens, the share on those under the same ancestor "
    "at each level, for all tokens as queries, for one chosen token, and for [CLS] around the token that "
    "it attends to most; dotted: what even attention gives. Curves above it, and above the untrained "
    "encoder, follow the hierarchy, or are local, which in these images is nearly the same. Below, maps "
    "over the tokens of the image, of one world: where [CLS] and the chosen token look, as means over "
    "test images and in one image."
)
NEEDS = ("experiments/attention",)

START = "random_init"
MASSES = (
    ("token_mass", "all tokens"),
    ("chosen_mass", "one chosen token"),
    ("cls_mass", "[CLS], around its peak"),
)
# rows of maps: (which, quantity, label)
MAPS = (
    ("mean", "cls_attention", "[CLS]\nmean"),
    ("mean", "chosen_attention", "token\nmean"),
    ("d0", "cls_attention", "[CLS]\none image"),
    ("d0", "chosen_attention", "token\none image"),
)


def draw(cubes: CubeSet, style: Style) -> Figure:
    """Draw the masses of every world, and the maps of the first that has some."""
    cube = cubes.one("experiments/attention")
    worlds = [str(w) for w in cube["world"].values]
    arms = _cells(cube)
    looks = ratio_looks(arms.values())
    maps, shown = _maps(cube, [*arms, START])
    heights = [1.75 * len(worlds) + 0.1, 0.62 * len(maps) + 0.25 if maps else 0.0]
    figure = Figure(figsize=(WIDTH, sum(heights) + 1.15), layout="constrained")
    shares = heights if maps else heights[:1]
    parts: Any = figure.subfigures(len(shares), 1, squeeze=False, height_ratios=shares)[:, 0]
    axes = parts[0].subplots(len(worlds), len(MASSES), squeeze=False, sharey=True)
    found: list[Series] = []
    for row, world in zip(axes, worlds, strict=True):
        for ax, (quantity, title) in zip(row, MASSES, strict=True):
            found += _mass(style, ax, cube, world, quantity, arms, looks)
            ax.set_title(f"{world}: {title}")
        row[0].set_ylabel("share of attention")
        row[0].set_ylim(0, max(1.0, row[0].get_ylim()[1]))
    if maps:
        _draw_maps(parts[1], maps, [*arms.values(), None])
    start = Line2D([], [], color=ENCODERS[START][1], marker="s", markerfacecolor="white", linestyle="--",
                   markersize=4, label=ENCODERS[START][0])  # fmt: skip
    style.title(figure, TITLE, [*ratio_legend(looks), start, *lines_legend(["even"])])
    style.footer(
        figure,
        [
            f"mean over heads, whole image; {n_text(found)}",
            interval_text(found),
            f"maps: {shown}, one scale for all, 1 = even" if maps else "no maps in this run",
        ],
    )
    return figure


def _cells(cube: xr.Dataset) -> dict[str, float]:
    """Models of one-token patches with their ratios, the lowest first."""
    arms = [str(arm) for arm in cube["arm"].values if re.fullmatch(CELLS, str(arm))]
    ratios = {arm: ratio_of(cube, arm) for arm in arms}
    return dict(sorted(((a, r) for a, r in ratios.items() if np.isfinite(r)), key=lambda pair: pair[1]))


def _mass(
    style: Style,
    ax: Axes,
    cube: xr.Dataset,
    world: str,
    quantity: str,
    arms: dict[str, float],
    looks: dict[float, tuple[Any, str]],
) -> list[Series]:
    """Draw a mass by level: a curve a ratio, the untrained encoder, and even attention."""
    found = []
    for arm in (START, *arms):
        s = by_level(cube, world, arm, quantity)
        if s is None:
            continue
        if arm == START:
            plot(style, ax, s, ENCODERS[START][1], "s", worlds=False, linestyle="--", markerfacecolor="white")
        else:
            plot(style, ax, s, *looks[arms[arm]], worlds=False)
        ax.set_xticks(s.x, [f"{level:g}" for level in s.x])
        found.append(s)
    ax.set_xlabel("level of the ancestor")
    if not found:
        style.missing(ax)
        return found
    even = by_level(cube, world, "even", "token_mass")
    if even is not None:
        style.curve(ax, even.x, even.mean, color="#000000", marker=None, linestyle=(0, (1, 1.5)))
    return found


def _maps(cube: xr.Dataset, arms: list[str]) -> tuple[list[tuple[str, list[NDArray[Any] | None]]], str]:
    """Return rows of maps, one an arm, with their labels, of the first world with some, and its name."""
    number = {str(arm): i for i, arm in enumerate(cube["arm"].values)}
    if "cls_attention" not in cube["quantity"].values or 0 not in cube["level"].values:
        return [], ""
    for world in map(str, cube["world"].values):
        for world_seed in cube["world_seed"].values:
            at = cube["value"].sel(world=world, world_seed=world_seed, level=0).mean("seed")
            values = {
                q: at.sel(quantity=q).values for q in map(str, cube["quantity"].values) if "attention" in q
            }
            rows = []
            for which, quantity, label in MAPS:
                row = [_map(values.get(quantity), number, f"{arm}/{which}/t") for arm in arms]
                if any(m is not None for m in row):
                    rows.append((label, row))
            if rows:
                return rows, f"{world}, world seed {int(world_seed)}"
    return [], ""


def _map(values: NDArray[Any] | None, number: dict[str, int], stem: str) -> NDArray[Any] | None:
    """Attention on the tokens over even attention, (height, width); None where it was not stored."""
    if values is None:
        return None
    found = [values[i] for arm, i in number.items() if arm.startswith(stem)]
    if not found or not np.isfinite(found).all():
        return None
    n = len(found)
    levels = n.bit_length() - 1
    # a binary tree halves height first, going up: at least as high as wide
    height = 1 << ((levels + 1) // 2)
    return np.array(found).reshape(height, n // height) * n if n == 1 << levels else None


def _draw_maps(
    part: SubFigure, maps: list[tuple[str, list[NDArray[Any] | None]]], ratios: list[float | None]
) -> None:
    """Draw the maps: a row a query, a column a model."""
    axes = part.subplots(len(maps), len(ratios), squeeze=False)
    top = max(float(m.max()) for _, row in maps for m in row if m is not None)
    image = None
    for (label, row), panels in zip(maps, axes, strict=True):
        for ax, values in zip(panels, row, strict=True):
            ax.set(xticks=[], yticks=[])
            ax.spines[:].set_visible(False)
            if values is None:
                ax.text(0.5, 0.5, "–", transform=ax.transAxes, ha="center", va="center", color="#777777")
                continue
            image = ax.imshow(values, cmap="magma", vmin=0, vmax=top)
        panels[0].set_ylabel(label, fontsize="x-small", rotation=0, ha="right", va="center")
    for ax, ratio in zip(axes[0], ratios, strict=True):
        name = ENCODERS[START][0] if ratio is None else f"r = {short(ratio)}"
        ax.set_title(name, fontsize="x-small", loc="center")
    if image is not None:
        bar = part.colorbar(image, ax=axes, shrink=0.8, aspect=25, pad=0.02)
        bar.set_label("attention over even", fontsize="x-small")
        bar.ax.tick_params(labelsize="x-small")
