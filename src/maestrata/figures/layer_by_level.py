"""R2 of every level against the encoder's layer."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from maestrata.figures.panels import CurvePanel, level_legend, place_label, places, short
from maestrata.figures.registry import CubeSet
from maestrata.figures.style import Style
from maestrata.figures.summary import (
    Summary,
    intervals_text,
    missing_text,
    n_test_text,
    reading,
    summarise,
)

if TYPE_CHECKING:
    import xarray as xr

NAME = "layer_by_level"
TITLE = "In which layer each level can be read"
CAPTION = (
    "R2 of each level's latents against the encoder layer that they are regressed on: 0 is the "
    "embedding, the last one stands after the final LayerNorm. Filled, solid: trained; open, dashed: "
    "the same architecture before training. One panel a world at a middling masking ratio, for the "
    "smallest mask patch."
)
NEEDS = ("regression",)

WANTED = (0.5, 0.75)


def draw(cubes: CubeSet, style: Style) -> Figure:
    """Draw one panel a world and ratio, of the ratios in `WANTED` or else the one nearest to them."""
    cube = cubes.one("regression")
    trained, untrained = (reading(cube, encoder, layer="all") for encoder in ("trained", "random_init"))
    panels = [(place, ratio) for place in _smallest(cube) for ratio in _ratios(cube, place)]
    figure, axes = style.flow(len(panels), columns=4, panel_width=2.0)
    panel = CurvePanel(style, cube)
    summaries: list[Summary] = []
    layers = cube.layer.values
    for ax, (place, ratio) in zip(axes, panels, strict=True):
        world, size, offset = place
        where = {"world": world, "patch_size": size, "offset": offset, "mask_ratio": ratio}
        before, after = (summarise(part.sel(where)) for part in (untrained, trained))
        panel.curves(ax, layers, before, True, markerfacecolor="white", linestyle="--", linewidth=0.8)
        panel.curves(ax, layers, after)
        summaries.append(after)
        realised = float(
            cube.realised_ratio.sel({k: v for k, v in where.items() if k in cube.realised_ratio.dims})
        )
        world, patch = place_label(cube, *place).split(", ", 1)
        ax.set_title(f"{world}, masking ratio {short(realised)}\n{patch}")
        ax.set_xticks(layers)
        style.label(ax, "encoder layer", "$R^2$")
        if not after.n_worlds:
            style.missing(ax)
    extra = Line2D([], [], color="#555555", marker="o", markerfacecolor="white", linestyle="--", markersize=4,
                   linewidth=0.8, label="random init")  # fmt: skip
    style.from_zero(axes)
    style.title(figure, TITLE, [*level_legend(panel.levels), extra])
    words = f"mean-pooled tokens, whole image, ridge; {n_test_text(trained)}; {missing_text(cube)}"
    style.footer(figure, [words, f"{intervals_text(summaries)}; random init: mean"])
    return figure


def _smallest(cube: xr.Dataset) -> list[tuple[str, int, int]]:
    """For each world, its smallest mask patch."""
    first: dict[str, tuple[str, int, int]] = {}
    for place in places(cube):
        first.setdefault(place[0], place)
    return list(first.values())


def _ratios(cube: xr.Dataset, place: tuple[str, int, int]) -> list[float]:
    """Ratios of `WANTED` that a place has, or else the nearest one."""
    world, size, offset = place
    there = (cube.status > 0).sel(world=world, patch_size=size, offset=offset).any(["world_seed", "seed"])
    ratios = cube.mask_ratio.values[there.values]
    wanted = [float(r) for r in ratios if r in WANTED]
    return wanted or [float(ratios[np.abs(ratios - WANTED[0]).argmin()])]
