"""Can it be known before training: the level that training adds to, against the one the theory names."""

from __future__ import annotations

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from maestrata.figures.looks import Look, ratio_looks
from maestrata.figures.panels import name_of
from maestrata.figures.sheet import Sheet, missing
from maestrata.figures.style import Style, curve
from maestrata.figures.theorem import VERSIONS
from maestrata.figures.words import listed, realised_text, same_order, scores_text
from maestrata.resampling import nanmean
from maestrata.results import LEAST_WORLDS, CubeSet, Series, scores, sum_up
from maestrata.results.places import Place, at, columns_of, places

TITLE = "The level that training adds to, against the theory's"
CAPTION = (
    "Whether the level that a ratio teaches could be known before training. Across: mean level of the "
    "shared information c, under the readings of Theorem 1. Up: centroid over levels of what training "
    "adds, each level weighted by its gain in R2 over the same network trained on other images' targets "
    "(gains below 0 count as 0). A point a masking ratio, joined in rising order; dotted: where both are "
    "equal. The theory is about which level, not about equality: a prediction that holds makes the points "
    "rise from left to right. A row a world and mask patch of two ratios or more."
)
NEEDS = ("regression", "theory")

MOST = 5  # rows


def draw(cubes: CubeSet, style: Style) -> Figure:
    """Draw a row a place, a panel a version of c."""
    cube, theory = cubes.one("regression"), cubes.one("theory")
    trained = scores(cube)
    rows = []
    for place in places(cube):
        here = columns_of(at(trained, place))
        s = _centroids(here)
        levels = [
            _theory(theory.sel(drawing="fixed", reading=r, tie=tie), here, place) for r, tie, _ in VERSIONS
        ]
        if s is not None and len(s.x) > 1 and np.isfinite(levels).any():
            rows.append((place, s, levels))
    left_out = [place.world for place, *_ in rows[MOST:]]
    rows = rows[:MOST]
    looks = ratio_looks(ratio for _, s, _ in rows for ratio in s.x.tolist())
    sheet = Sheet.grid(style, max(len(rows), 1), len(VERSIONS), panel_height=2.1, sharex=True, sharey=True)
    told = []
    for axes, (place, s, levels) in zip(sheet.axes, rows, strict=False):
        sheet.shown.append(s)
        for ax, level in zip(axes, levels, strict=True):
            _points(ax, s, level, looks)
        axes[0].set(title=f"{name_of(cube, place)}: {VERSIONS[0][-1]}", ylabel="measured: centroid of gain")
        same, pairs = same_order(levels[0].round(6).tolist(), s.mean)
        told.append(f"{same} of {pairs} in {place.world}" if pairs else "")
    for ax, (*_, name) in zip(sheet.axes[0, 1:], VERSIONS[1:], strict=True):
        ax.set_title(name)
    for ax in sheet.axes.flat:
        if ax.has_data():
            ax.axline((1, 1), slope=1, color="#888888", linewidth=0.7, linestyle=(0, (1, 1.5)), zorder=0)
        missing(ax, "no two ratios with a theory")
    ends = np.array([ax.dataLim.max for ax in sheet.axes.flat if ax.has_data()] or [[2, 2]]).max(0)
    sheet.axes[0, 0].set(xlim=(0.9, ends[0] + 0.1), ylim=(0.9, ends[1] + 0.1))
    for ax in sheet.axes[-1]:
        ax.set_xlabel("theory: mean level of c")
    n = max((s.n_worlds for s in sheet.shown), default=0)
    interval = (
        f"bars: 95 % t interval over n = {n} worlds (ci_world)"
        if n >= LEAST_WORLDS
        else f"n = {n} world seed{'s' * (n > 1)} a world: no interval of a centroid under {LEAST_WORLDS}"
    )
    order = listed(filter(None, told)) if any(told) else ""
    sentence = (
        f"Pairs of ratios that both put in the same order (separator, highest): {order}." if order else ""
    )
    return sheet.done(TITLE, sentence, looks.values(), [
        scores_text(cube, trained),
        interval,
        f"{realised_text(cube)}{f'; not shown: {listed(left_out)}' if left_out else ''}",
    ])  # fmt: skip


def _centroids(here: xr.Dataset) -> Series | None:
    """Mean level by ratio, weighted by the gain over `null_trained`; NaN where there is none."""
    weight = here.gain.clip(min=0)
    # levels that the world does not have weigh nothing
    weight = weight.sel(level=here.gain.notnull().any([d for d in here.gain.dims if d != "level"]))
    total = weight.sum("level", skipna=False)
    each = (weight * weight.level).sum("level", skipna=False) / total.where(total > 0)
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


def _points(ax: Axes, s: Series, level: NDArray[np.float64], looks: dict[float, Look]) -> None:
    # Joined in the order of the ratio, not of the level: a curve that turns back shows the theory's symmetry.
    ax.plot(level, s.mean, color="#aaaaaa", linewidth=0.8, zorder=1)
    for i, ratio in enumerate(s.x.tolist()):
        curve(
            ax, level[i : i + 1], s.mean[i : i + 1], s.low[i : i + 1], s.high[i : i + 1], **looks[ratio].drawn
        )
