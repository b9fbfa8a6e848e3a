"""Rival accounts of the shared information: supply, demand, their product, and the linear MAE."""

from __future__ import annotations

import numpy as np
import xarray as xr
from matplotlib.figure import Figure
from numpy.typing import NDArray

from maestrata.figures.looks import BLUE, ORANGE, VERMILION, Look, level_look
from maestrata.figures.panels import level_looks
from maestrata.figures.sheet import Sheet, ratio_axis
from maestrata.figures.style import Style, curve
from maestrata.figures.theorem import INTERVALS, masks_text, points, there
from maestrata.figures.words import patch_text
from maestrata.results import CubeSet, levels_with

NAME = "supply_demand"
TITLE = "Rival accounts: supply and demand, and the linear masked autoencoder"
CAPTION = (
    "Computed, not trained; one column a world, at its smallest mask patch. First row: supply, the R2 of "
    "each level given the visible part, on the Gaussian twin of the graph; it falls with the masking ratio. "
    "Second row, all on the axis of levels: demand, the level of a masked token's first ancestor with a "
    "visible token below it, which rises with the ratio; the reach of the best linear map; and the mean "
    "level of the shared information (separator, highest and lowest of the smallest sets), which peaks at "
    ".5. Third row: demand times the supply of the root, which can peak above .5 without any theorem. "
    "Fourth row: R2 of each level from whole images, by the features of the reduced-rank linear masked "
    "autoencoder (loss on all patches)."
)
NEEDS = ("theory",)

# variable, labels -> look
LEVELS: tuple[tuple[str, dict[str, str], Look], ...] = (
    ("climb", {}, Look("demand", VERMILION, "s")),
    ("linear_reach", {"linear_loss": "masked"}, Look("linear reach, masked loss", ORANGE, "D")),
    ("linear_reach", {"linear_loss": "all"}, Look("linear reach, all", ORANGE, "d", ":")),
    ("mean_level", {"tie": "highest"}, Look("c, highest", BLUE, "o")),
    ("mean_level", {"tie": "lowest"}, Look("c, lowest", BLUE, "v", ":")),
)
ROWS = ("supply: $R^2$", "level", "demand × supply", "linear MAE: $R^2$")


def draw(cubes: CubeSet, style: Style) -> Figure:
    """Draw a column a world."""
    cube = cubes.one("theory")
    columns = [_place(cube, str(world)) for world in cube.world.values]
    sheet = Sheet.grid(
        style, len(ROWS), len(columns), panel_height=1.45, sharex=True, sharey="row", more_height=0.2,
        panel_width=None if len(columns) > 2 else 2.6,
    )  # fmt: skip
    for axes, at in zip(sheet.axes.T, columns, strict=True):
        _column(axes, at)
        axes[0].set_title(f"{at.world.values}, {patch_text(at)}", fontsize="small")
        ratio_axis(axes[-1], "realised ratio", (0, 0.5, 1))
    for ax, name in zip(sheet.axes[:, 0], ROWS, strict=True):
        ax.set(ylabel=name, ylim=(0, None))
    first = sheet.axes[0, 0]
    first.set_ylim(0, 1.02)
    levels = [look.handle() for look in level_looks(cube).values()]
    named = first.legend(handles=levels, loc="lower left", fontsize="xx-small", borderaxespad=0.2)
    named.set_in_layout(False)  # it must not widen the first column
    counts = [(at, masks_text(at.n_masks.sel(drawing="fixed"))) for at in columns]
    told = [f"{at.world.values} {n} (ρ = {float(at.twin_rho):g})" for at, n in counts if n]
    return sheet.done(TITLE, [look for *_, look in LEVELS], [
        f"n = masks of a fixed count at each point: {', '.join(told)}; ρ: the twin's correlation per edge",
        INTERVALS,
    ])  # fmt: skip


def _place(cube: xr.Dataset, world: str) -> xr.Dataset:
    """Return a world's first seed and smallest patch that are there."""
    axes = ["world_seed", "patch_size", "offset"]
    known = there(cube.climb.sel(world=world), *axes).transpose(*axes)
    at = next(iter(np.argwhere(known.values)), (0, 0, 0))
    return cube.sel(world=world).isel(dict(zip(axes, map(int, at), strict=True)))


def _column(axes: NDArray[np.object_], at: xr.Dataset) -> None:
    x = at.realised_ratio.values
    levels = levels_with(at.supply)
    for level in levels:
        look, here = level_look(level, levels[0]), at.sel(level=level)
        points(axes[0], x, here.supply, here.supply_error, look)
        points(axes[3], x, here.linear_r2, None, look)
    shared = at.sel(drawing="fixed", reading="separator")
    for name, labels, look in LEVELS:
        error = None if name == "linear_reach" else shared[f"{name}_error"].sel(labels)
        points(axes[1], x, shared[name].sel(labels), error, look)
    curve(axes[2], x, at.supply_demand, color="#444444", marker="o")
