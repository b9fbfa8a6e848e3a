"""R2 of every level against the size of the mask patch."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from maestrata.figures.panels import CurvePanel, level_legend, short
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

NAME = "r2_by_patch"
TITLE = "What is recovered at each level, by size of the mask patch"
CAPTION = (
    "R2 of each level's latents against the size of the mask patch, one panel a world and asked masking "
    "ratio that was run with more than one patch. Filled, solid: patches aligned with the tree, one "
    "level of it apart; open, dashed: the same patches shifted by half a block. Controls and ceiling as "
    "in the figure by ratio."
)
NEEDS = ("regression",)
USES = ("limits",)

_OFFSET: dict[str, Any] = {"markerfacecolor": "white", "linestyle": "--"}


def draw(cubes: CubeSet, style: Style) -> Figure:
    """Draw one panel a world and ratio; say so where the run has one patch only."""
    cube = cubes.one("regression")
    shown = reading(cube)
    panels = _panels(cube)
    figure, axes = style.flow(max(len(panels), 1))
    panel = CurvePanel(style, cube, cubes.get("limits"))
    sizes = [int(s) for s in cube.patch_size.values]
    x = np.linspace(0.1, 0.9, len(sizes)) if len(sizes) > 1 else np.array([0.5])
    names = [
        f"{int(h)}×{int(w)}" for h, w in zip(cube.patch_height.values, cube.patch_width.values, strict=True)
    ]
    summaries: list[Summary] = []
    for ax, (world, ratio) in zip(axes, panels, strict=False):
        here = shown.sel(world=world, mask_ratio=ratio)
        for offset in here.offset.values:
            summary = summarise(here.sel(offset=offset))
            if summary.n_worlds:
                panel.curves(ax, x, summary, **(_OFFSET if offset else {}))
                summaries.append(summary)
        panel.controls(ax, world)
        panel.ticks(ax, x.tolist(), names, "mask patch, tokens")
        ax.set_title(f"{world}, asked masking ratio {short(ratio)}")
    if not panels:
        style.missing(axes[0], "this run has one mask patch a world:\nnothing to compare")
        axes[0].set_axis_off()
    look: dict[str, Any] = {"color": "#555555", "marker": "o", "markersize": 4} | _OFFSET
    extra = [Line2D([], [], label="offset", **look)] if 1 in cube.offset.values else []
    style.from_zero(axes)
    style.title(figure, TITLE, [*level_legend(panel.levels), *extra])
    words = f"{READING_TEXT}; {n_test_text(shown)}; {missing_text(cube)}"
    style.footer(
        figure,
        [
            words,
            intervals_text(summaries) or "intervals: none drawn",
            panel.limits_text(world for world, _ in panels),
        ],
    )
    return figure


def _panels(cube: xr.Dataset) -> list[tuple[str, float]]:
    """List worlds and asked ratios that are in the grid with more than one patch."""
    there = (cube.status > 0).any(["world_seed", "seed"])
    several = there.sum(["patch_size", "offset"]) > 1
    return [
        (str(world), float(ratio))
        for world in cube.world.values
        for ratio in cube.mask_ratio.values
        if bool(several.sel(world=world, mask_ratio=ratio))
    ]
