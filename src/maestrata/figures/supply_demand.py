"""Rival accounts beside the shared information: supply, demand, their product, and the linear MAE."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from maestrata.figures.panels import level_legend, short
from maestrata.figures.registry import CubeSet
from maestrata.figures.style import Style, level_color, level_marker

if TYPE_CHECKING:
    import xarray as xr

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

_CURVES: tuple[tuple[str, str, str, Literal["-", ":"], str], ...] = (
    ("climb", "#D55E00", "s", "-", "demand"),
    ("linear, masked", "#E69F00", "D", "-", "linear reach, masked loss"),
    ("linear, all", "#E69F00", "d", ":", "linear reach, all"),
    ("highest", "#0072B2", "o", "-", "c, highest"),
    ("lowest", "#0072B2", "v", ":", "c, lowest"),
)
_ROWS = ("supply: $R^2$", "level", "demand × supply", "linear MAE: $R^2$")


def draw(cubes: CubeSet, style: Style) -> Figure:
    """Draw a column a world."""
    cube = cubes.one("theory")
    columns = [_place(cube, str(world)) for world in cube.world.values]
    figure, axes = style.figure(
        len(_ROWS), len(columns), panel_height=1.45, sharex=True, sharey="row", more_height=0.2,
        panel_width=None if len(columns) > 2 else 2.6,
    )  # fmt: skip
    for column, at in enumerate(columns):
        _column(style, axes[:, column], at)
        label = f"{int(at.patch_height)}×{int(at.patch_width)}{' offset' if int(at.offset) else ''}"
        axes[0, column].set_title(f"{at.world.values}, {label}", fontsize="small")
        axes[-1, column].set(xlabel="realised ratio", xlim=(0, 1), xticks=[0, 0.5, 1])
        axes[-1, column].set_xticklabels([short(r) for r in (0, 0.5, 1)])
    for row, name in enumerate(_ROWS):
        axes[row, 0].set_ylabel(name)
        axes[row, 0].set_ylim(0, None)
    axes[0, 0].set_ylim(0, 1.02)
    levels = [int(level) for level in cube.level.values][::-1]
    named_levels = axes[0, 0].legend(
        handles=level_legend(levels), loc="lower left", fontsize="xx-small", borderaxespad=0.2
    )
    named_levels.set_in_layout(False)  # it must not widen the first column
    named = [
        Line2D([], [], color=color, marker=marker, linestyle=line, markersize=4, label=label)
        for _, color, marker, line, label in _CURVES
    ]
    style.title(figure, TITLE, named)
    style.footer(figure, [_n_text(columns), "intervals: 1.96 Monte Carlo standard errors (none: all masks)"])
    return figure


def _place(cube: xr.Dataset, world: str) -> xr.Dataset:
    """Return a world's first seed and smallest patch that are there."""
    there = np.isfinite(cube.climb.sel(world=world)).any("mask_ratio")
    for seed in cube.world_seed.values:
        for size in cube.patch_size.values:
            for offset in cube.offset.values:
                place = {"world_seed": seed, "patch_size": size, "offset": offset}
                if bool(there.sel(place)):
                    return cube.sel(place | {"world": world})
    return cube.sel(world=world).isel(world_seed=0, patch_size=0, offset=0)


def _column(style: Style, axes: np.ndarray, at: xr.Dataset) -> None:
    x = at.realised_ratio.values
    there = np.isfinite(at.supply).any("mask_ratio")
    levels = [int(level) for level in at.level.values if bool(there.sel(level=level))]
    for level in levels:
        look: dict[str, Any] = {"color": level_color(level, max(levels)), "marker": level_marker(level)}
        here = at.sel(level=level)
        error = 1.96 * here.supply_error
        style.curve(axes[0], x, here.supply, here.supply - error, here.supply + error, **look)
        style.curve(axes[3], x, here.linear_r2, **look)
    shared = at.sel(drawing="fixed", reading="separator")
    values = {
        "climb": (at.climb, at.climb_error),
        "linear, masked": (at.linear_reach.sel(linear_loss="masked"), None),
        "linear, all": (at.linear_reach.sel(linear_loss="all"), None),
        "highest": (shared.mean_level.sel(tie="highest"), shared.mean_level_error.sel(tie="highest")),
        "lowest": (shared.mean_level.sel(tie="lowest"), shared.mean_level_error.sel(tie="lowest")),
    }
    for name, color, marker, line, _ in _CURVES:
        mean, spread = values[name]
        low, high = (None, None) if spread is None else (mean - 1.96 * spread, mean + 1.96 * spread)
        style.curve(axes[1], x, mean, low, high, color=color, marker=marker, linestyle=line)
    style.curve(axes[2], x, at.supply_demand, color="#444444", marker="o")


def _n_text(columns: list[xr.Dataset]) -> str:
    counts = []
    for at in columns:
        n = at.n_masks.sel(drawing="fixed").values
        n = n[np.isfinite(n)]
        if len(n):
            least, most = int(n.min()), int(n.max())
            many = f"{least:,}" if least == most else f"{least:,} to {most:,}"
            counts.append(f"{at.world.values} {many} (ρ = {float(at.twin_rho):g})")
    return (
        f"n = masks of a fixed count at each point: {', '.join(counts)}; ρ: the twin's correlation per edge"
    )
