"""R2 and its gain over the untrained encoder as maps of level by masking ratio."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from numpy.typing import NDArray

from maestrata.figures.panels import columns_of, levels_of, place_label, places, short
from maestrata.figures.registry import CubeSet
from maestrata.figures.style import Style
from maestrata.figures.summary import (
    READING_TEXT,
    Summary,
    intervals_text,
    missing_text,
    n_test_text,
    reading,
    summarise,
)

if TYPE_CHECKING:
    import xarray as xr

NAME = "level_by_ratio_map"
TITLE = "Level by masking ratio: what is recovered, and what training adds"
CAPTION = (
    "R2 of each level's latents (left of each pair) and its gain over the encoder before training "
    "(right), against the realised masking ratio: means over worlds and training seeds. A gain in bold "
    "has an interval that excludes 0: over worlds (t) where there are three or more, else the paired "
    "bootstrap over test images, in every world."
)
NEEDS = ("regression",)

_MISSING = "#dddddd"


def draw(cubes: CubeSet, style: Style) -> Figure:
    """Draw a row of two maps for each world and mask patch."""
    cube = cubes.one("regression")
    shown = reading(cube)
    panels = [columns_of(shown.sel(world=w, patch_size=p, offset=o)) for w, p, o in places(cube)]
    pairs = [(summarise(panel), summarise(panel, "gain")) for panel in panels]
    widest = max(panel.sizes["mask_ratio"] for panel in panels)
    height = 0.42 + 0.2 * len(levels_of(cube))
    figure, axes = style.figure(
        len(pairs), 2, panel_height=height, panel_width=max(2.4, 0.5 * widest), more_height=0.7
    )
    for i, (name, colors) in enumerate((("$R^2$", "viridis"), ("gain in $R^2$ over random init", "PuOr_r"))):
        scale = _scale([pair[i].mean.values for pair in pairs], signed=i == 1)
        for ax, place, panel, pair in zip(axes[:, i], places(cube), panels, pairs, strict=True):
            _map(ax, panel, pair[i].mean, mpl.colormaps[colors], scale, _decided(pair[i]) if i else None)
            ax.set_xlim(-0.5, widest - 0.5)
            if i == 0:
                ax.set_title(place_label(cube, *place))
                ax.set_ylabel("level")
        axes[-1, i].set_xlabel("realised masking ratio")
        bar = mpl.cm.ScalarMappable(scale, colors)
        figure.colorbar(bar, ax=axes[:, i].tolist(), location="top", label=name, aspect=30, shrink=0.8)
    style.title(figure, TITLE)
    words = f"{READING_TEXT}; {n_test_text(shown)}; {missing_text(cube)}"
    how = intervals_text([pair[1] for pair in pairs], "bold: excludes 0 in each world; interval")
    style.footer(figure, [words, how, "grey: cell missing" if missing_text(cube) else ""])
    return figure


def _map(
    ax: Axes,
    panel: xr.Dataset,
    mean: xr.DataArray,
    colors: Any,
    scale: Normalize,
    bold: NDArray[np.bool_] | None,
) -> None:
    levels = [int(level) for level in sorted(panel.level.values, reverse=True)]
    values = mean.transpose("level", "mask_ratio").sel(level=levels).values
    ax.imshow(
        np.ma.masked_invalid(values), cmap=colors.with_extremes(bad=_MISSING), norm=scale, aspect="auto"
    )
    for (i, j), value in np.ndenumerate(values):
        if not np.isfinite(value):
            ax.text(j, i, "–", ha="center", va="center", color="#555555")
            continue
        red, green, blue, _ = colors(scale(value))
        dark = 0.3 * red + 0.59 * green + 0.11 * blue < 0.5
        strong = bold is not None and bool(bold[i, j])
        text = (f"{value:.2f}" if bold is None else f"{value:+.2f}").replace("-", "−")
        ax.text(j, i, text, ha="center", va="center", fontsize="x-small", color="white" if dark else "black",
                fontweight="bold" if strong else "normal")  # fmt: skip
    ax.set_xticks(range(values.shape[1]), [short(float(r)) for r in panel.realised_ratio])
    ax.set_yticks(range(len(levels)), [str(level) for level in levels])
    ax.tick_params(length=0)
    ax.spines[:].set_visible(False)


def _scale(values: list[NDArray[Any]], signed: bool) -> Normalize:
    found = np.concatenate([v.ravel() for v in values])
    found = found[np.isfinite(found)]
    top = float(np.abs(found).max()) if len(found) else 1.0
    return Normalize(-top, top) if signed else Normalize(min(0.0, float(found.min(initial=0.0))), top)


def _decided(gain: Summary) -> NDArray[np.bool_]:
    """Whether the interval of each gain excludes 0, level (root first) by ratio."""
    if gain.over_worlds:
        decided = (gain.low > 0) | (gain.high < 0)
    else:
        there = gain.each.notnull()
        above, below = ((gain.each_low > 0) | ~there), ((gain.each_high < 0) | ~there)
        decided = (above.all("world_seed") | below.all("world_seed")) & there.any("world_seed")
    return decided.transpose("level", "mask_ratio").sortby("level", ascending=False).values
