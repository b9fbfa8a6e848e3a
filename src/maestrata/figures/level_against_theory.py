"""Can it be known before training: the level that training adds to, against the one the theory names."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from numpy.typing import NDArray

from maestrata.figures.panels import columns_of, patch_marker, place_label, places, short
from maestrata.figures.registry import CubeSet
from maestrata.figures.style import WORLD_COLORS, Style
from maestrata.figures.summary import (
    MIN_WORLDS,
    READING_TEXT,
    missing_text,
    n_test_text,
    reading,
    t_interval,
)

if TYPE_CHECKING:
    import xarray as xr

NAME = "level_against_theory"
TITLE = "The level that training adds to, against the theory's"
CAPTION = (
    "Across: mean level of the shared information c, computed before any training, under the readings of "
    "Theorem 1. Up: centroid over levels of what training adds, each level weighted by its gain in R2 over "
    "the encoder before training (gains below 0 count as 0). One point a masking ratio, named beside it; "
    "colour: world; marker and line: mask patch. The theory is about which level, not about equality: a "
    "prediction that holds makes the points of a world rise from left to right."
)
NEEDS = ("regression", "theory")

_READINGS = (
    ("separator", "highest", "separator, highest tie"),
    ("separator", "lowest", "separator, lowest tie"),
    ("invertible", "highest", "invertible"),
)


def draw(cubes: CubeSet, style: Style) -> Figure:
    """Draw one panel a reading of Theorem 1."""
    cube, theory = cubes.one("regression"), cubes.one("theory")
    shown = reading(cube)
    names = [str(world) for world in cube.world.values]
    colors = {world: WORLD_COLORS[i % len(WORLD_COLORS)] for i, world in enumerate(names)}
    figure, axes = style.flow(len(_READINGS), panel_height=2.5)
    drawn, counts = [], [0]
    for place in places(cube):
        here = columns_of(shown.sel(world=place[0], patch_size=place[1], offset=place[2]))
        each = centroid(here).mean("seed")
        n = int(each.notnull().sum("world_seed").max())
        counts.append(n)
        for ax, (name, tie, _) in zip(axes, _READINGS, strict=True):
            level = _theory(theory, here, place, name, tie)
            if n and np.isfinite(level).any():
                _points(style, ax, here, level, each, colors[place[0]], patch_marker(place[1], place[2]))
                drawn.append(place)
    for ax, (_, _, name) in zip(axes, _READINGS, strict=True):
        ax.set_title(name)
        style.label(ax, "theory: mean level of c", "measured: centroid of gain, level")
        if not ax.has_data():
            style.missing(ax, "no theory for these masks")
    handles = [
        Line2D([], [], color=colors[place[0]], marker=patch_marker(place[1], place[2]), markersize=4,
               label=place_label(cube, *place).replace(", mask patch", "").replace(" tokens", ""))
        for place in dict.fromkeys(drawn)
    ]  # fmt: skip
    style.title(figure, TITLE, handles)
    n = max(counts)
    interval = (
        f"bars: 95 % t interval over n = {n} worlds (ci_world)"
        if n >= MIN_WORLDS
        else f"n = {n} world seed{'s' * (n > 1)} a world: no interval of a centroid under {MIN_WORLDS}"
    )
    style.footer(figure, [f"{READING_TEXT}; {n_test_text(shown)}; {missing_text(cube)}", interval])
    return figure


def centroid(cube: xr.Dataset) -> xr.DataArray:
    """Mean level, weighted by the gain over the untrained encoder; NaN where training adds nothing."""
    weight = cube.gain.clip(min=0)
    total = weight.sum("level", skipna=False)
    return (weight * cube.level).sum("level", skipna=False) / total.where(total > 0)


def _theory(
    theory: xr.Dataset, here: xr.Dataset, place: tuple[str, int, int], name: str, tie: str
) -> NDArray[Any]:
    """Mean level of c at the asked ratios of `here`, masks drawn as in training; NaN where not there."""
    world, size, offset = place
    wanted = {
        "world": [world],
        "patch_size": [size],
        "offset": [offset],
        "mask_ratio": here.mask_ratio.values,
    }
    level = theory.mean_level.sel(drawing="fixed", reading=name, tie=tie).reindex(wanted)
    level = level.isel(world=0, patch_size=0, offset=0)
    # A world's graph may depend on its seed; trees' do not.
    n = level.notnull().sum("world_seed")
    return (level.fillna(0).sum("world_seed") / n.where(n > 0)).values


def _points(
    style: Style, ax: Axes, here: xr.Dataset, level: Any, each: xr.DataArray, color: str, marker: str
) -> None:
    mean, low, high = t_interval(each, "world_seed")
    order = np.argsort(here.realised_ratio.values)
    x, y = level[order], mean.values[order]
    # Joined in the order of the ratio, not of the level: a curve that turns back shows the theory's symmetry.
    ax.plot(x, y, color=color, linewidth=0.8, alpha=0.6)
    style.curve(ax, level, mean, low, high, color=color, marker=marker, linestyle="")
    if int(each.notnull().sum("world_seed").max()) < MIN_WORLDS and each.sizes["world_seed"] > 1:
        for seed in each.world_seed.values:
            style.curve(ax, level, each.sel(world_seed=seed), color=color, marker=marker, markersize=2,
                        linestyle="", alpha=0.5)  # fmt: skip
    for i, ratio in enumerate(here.realised_ratio.values):
        if np.isfinite(level[i]) and np.isfinite(mean.values[i]):
            ax.annotate(short(float(ratio)), (level[i], mean.values[i]), (3, 3), textcoords="offset points",
                        fontsize=5, color=color)  # fmt: skip
