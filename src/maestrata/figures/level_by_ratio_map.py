"""R2 and its gain over an encoder trained on nothing, as maps of level by masking ratio."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import matplotlib as mpl
import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from numpy.typing import NDArray

from maestrata.figures.panels import columns_of, level_looks, place_label, places
from maestrata.figures.sheet import Sheet
from maestrata.figures.style import Style
from maestrata.figures.words import missing_text, scores_text, short
from maestrata.results import CubeSet, Series, along_cells, scores

NAME = "level_by_ratio_map"
TITLE = "Level by masking ratio: what is recovered, and what training adds"
CAPTION = (
    "R2 of each level's latents (left of each pair) and its gain over an encoder that was trained the "
    "same way on other images' targets (right), against the realised masking ratio: means over "
    "worlds and training seeds. A gain in bold has an interval that excludes 0: over worlds (t) where there "
    "are three or more, else the paired bootstrap over test images, in every world."
)
NEEDS = ("regression",)

MISSING = "#dddddd"
# variable -> name, colours
MAPS = {"r2": ("$R^2$", "viridis"), "gain": ("gain in $R^2$ over null-trained", "PuOr_r")}

Rows = list[Series | None]


def draw(cubes: CubeSet, style: Style) -> Figure:
    """Draw a row of two maps for each world and mask patch."""
    cube = cubes.one("regression")
    trained = scores(cube)
    panels = [columns_of(trained.sel(place._asdict())) for place in places(cube)]
    widest = max(panel.sizes["mask_ratio"] for panel in panels)
    levels = list(level_looks(cube))
    sheet = Sheet.grid(
        style, len(panels), 2, panel_height=0.42 + 0.2 * len(levels), panel_width=max(2.4, 0.5 * widest),
        more_height=0.7,
    )  # fmt: skip
    for axes, (variable, (name, colors)) in zip(sheet.axes.T, MAPS.items(), strict=True):
        rows = [_rows(panel, levels, variable) for panel in panels]
        scale = _scale((s.mean for part in rows for s in part if s is not None), variable == "gain")
        for ax, panel, part in zip(axes, panels, rows, strict=True):
            sheet.shown += [s for s in part if s is not None]
            _map(ax, part, panel.sizes["mask_ratio"], mpl.colormaps[colors], scale, variable == "gain")
            ax.set_xticks(range(panel.sizes["mask_ratio"]), [short(float(r)) for r in panel.realised_ratio])
            ax.set_yticks(range(len(levels)), [str(level) for level in levels])
            ax.set_xlim(-0.5, widest - 0.5)
        axes[-1].set_xlabel("realised masking ratio")
        bar = mpl.cm.ScalarMappable(scale, colors)
        sheet.figure.colorbar(bar, ax=axes.tolist(), location="top", label=name, aspect=30, shrink=0.8)
    for ax, place in zip(sheet.axes[:, 0], places(cube), strict=True):
        ax.set(title=place_label(cube, place), ylabel="level")
    how = sheet.intervals_text("bold: excludes 0 in each world; interval")
    grey = "grey: cell missing" if missing_text(cube) else ""
    return sheet.done(TITLE, [], [scores_text(cube, trained), how, grey])


def _rows(panel: xr.Dataset, levels: Sequence[int], variable: str) -> Rows:
    """Return the numbers of each level along the ratios."""
    return [
        along_cells(panel.sel(level=level), "mask_ratio", panel.realised_ratio, variable, whole=True)
        for level in levels
    ]


def _map(ax: Axes, rows: Rows, columns: int, colors: Any, scale: Normalize, signed: bool) -> None:
    """Draw a map with its numbers; those that are signed are bold where they are decided."""
    absent = np.full(columns, np.nan)
    values = np.array([absent if s is None else s.mean for s in rows])
    grey = colors.with_extremes(bad=MISSING)
    ax.imshow(np.ma.masked_invalid(values), cmap=grey, norm=scale, aspect="auto")
    for (i, j), value in np.ndenumerate(values):
        s = rows[i]
        if s is None or not np.isfinite(value):
            ax.text(j, i, "–", ha="center", va="center", color="#555555")
            continue
        red, green, blue, _ = colors(scale(value))
        dark = 0.3 * red + 0.59 * green + 0.11 * blue < 0.5
        text = (f"{value:+.2f}" if signed else f"{value:.2f}").replace("-", "−")
        ax.text(j, i, text, ha="center", va="center", fontsize="x-small", color="white" if dark else "black",
                fontweight="bold" if signed and _decided(s)[j] else "normal")  # fmt: skip
    ax.tick_params(length=0)
    ax.spines[:].set_visible(False)


def _scale(values: Iterable[NDArray[Any]], signed: bool) -> Normalize:
    """Return a scale for all values, even about 0 where they are signed."""
    known = np.concatenate([np.zeros(0), *values])
    known = known[np.isfinite(known)]
    top = float(np.abs(known).max(initial=0.0)) or 1.0
    return Normalize(-top, top) if signed else Normalize(float(known.min(initial=0.0)), top)


def _decided(gain: Series) -> NDArray[np.bool_]:
    """Whether the interval of each gain excludes 0."""
    if gain.over_worlds:
        return (gain.low > 0) | (gain.high < 0)
    there = np.isfinite(gain.each)
    above, below = (gain.each_low > 0) | ~there, (gain.each_high < 0) | ~there
    return np.asarray((above.all(0) | below.all(0)) & there.any(0))
