"""Can it be known before training: the level that training adds to, against the one the theory names."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from maestrata.figures.looks import Look, cycle
from maestrata.figures.panels import Place, columns_of, places
from maestrata.figures.sheet import Sheet, missing
from maestrata.figures.style import Style, curve
from maestrata.figures.theorem import VERSIONS
from maestrata.figures.words import patch_text, scores_text, short
from maestrata.resampling import nanmean
from maestrata.results import MIN_WORLDS, CubeSet, Series, scores, sum_up

NAME = "level_against_theory"
TITLE = "The level that training adds to, against the theory's"
CAPTION = (
    "Across: mean level of the shared information c, computed before any training, under the readings of "
    "Theorem 1. Up: centroid over levels of what training adds, each level weighted by its gain in R2 over "
    "the same network trained on other images' targets (gains below 0 count as 0). One point a ratio, named; "
    "colour: world; marker and line: mask patch. The theory is about which level, not about equality: a "
    "prediction that holds makes the points of a world rise from left to right."
)
NEEDS = ("regression", "theory")


def draw(cubes: CubeSet, style: Style) -> Figure:
    """Draw one panel a version of c."""
    cube, theory = cubes.one("regression"), cubes.one("theory")
    trained = scores(cube)
    worlds = [str(world) for world in cube.world.values]
    sheet = Sheet.flow(style, len(VERSIONS), panel_height=2.5)
    legend: dict[Place, Look] = {}
    for place in places(cube):
        here = columns_of(trained.sel(place._asdict()))
        s = _centroids(here)
        patch = patch_text(cube.sel(patch_size=place.patch_size, offset=place.offset))
        look = replace(cycle(worlds.index(place.world), f"{place.world} {patch}"), marker=place.marker)
        for ax, (reading, tie, _) in zip(sheet.axes, VERSIONS, strict=True):
            level = _theory(theory.sel(drawing="fixed", reading=reading, tie=tie), here, place)
            if s is not None and np.isfinite(level).any():
                sheet.shown.append(s)
                _points(ax, s, level, look)
                legend[place] = look
    for ax, (*_, name) in zip(sheet.axes, VERSIONS, strict=True):
        ax.set_title(name)
        sheet.label(ax, "theory: mean level of c", "measured: centroid of gain, level")
        missing(ax, "no theory for these masks")
    n = max((s.n_worlds for s in sheet.shown), default=0)
    interval = (
        f"bars: 95 % t interval over n = {n} worlds (ci_world)"
        if n >= MIN_WORLDS
        else f"n = {n} world seed{'s' * (n > 1)} a world: no interval of a centroid under {MIN_WORLDS}"
    )
    handles = [look.handle(linewidth=0.8) for look in legend.values()]
    return sheet.done(TITLE, handles, [scores_text(cube, trained), interval])


def _centroids(here: xr.Dataset) -> Series | None:
    """Mean level by ratio, weighted by the gain over `null_trained`; NaN where there is none."""
    weight = here.gain.clip(min=0)
    total = weight.sum("level", skipna=False)
    each = (weight * here.level).sum("level", skipna=False) / total.where(total > 0)
    axes = ("world_seed", "seed", "mask_ratio")
    value = each.transpose(*axes).values
    none = np.full_like(value, np.nan)
    n = here.n_test.max("level").transpose(*axes).values
    return sum_up((value, none, none, n), here.realised_ratio, whole=True)


def _theory(theory: xr.Dataset, here: xr.Dataset, place: Place) -> NDArray[np.float64]:
    """Mean level of c at the asked ratios of `here`, masks drawn as in training; NaN where not there."""
    wanted = {axis: [label] for axis, label in place._asdict().items()} | {"mask_ratio": here.mask_ratio}
    level = theory.mean_level.reindex(wanted).isel(world=0, patch_size=0, offset=0)
    # A world's graph may depend on its seed; trees' do not.
    return nanmean(level.transpose("world_seed", "mask_ratio").values)


def _points(ax: Axes, s: Series, level: NDArray[np.float64], look: Look) -> None:
    # Joined in the order of the ratio, not of the level: a curve that turns back shows the theory's symmetry.
    ax.plot(level, s.mean, color=look.color, linewidth=0.8, alpha=0.6)
    curve(ax, level, s.mean, s.low, s.high, **(look.drawn | {"linestyle": ""}))
    if 1 < len(s.each) and not s.over_worlds:
        for each in s.each:
            curve(ax, level, each, **(look.drawn | {"linestyle": "", "markersize": 2, "alpha": 0.5}))
    for ratio, x, y in zip(s.x, level, s.mean, strict=True):
        if np.isfinite(x) and np.isfinite(y):
            ax.annotate(short(float(ratio)), (x, y), (3, 3), textcoords="offset points", fontsize=5,
                        color=look.color)  # fmt: skip
