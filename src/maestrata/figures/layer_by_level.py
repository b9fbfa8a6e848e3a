"""R2 of every level against the encoder's layer."""

from __future__ import annotations

import numpy as np
import xarray as xr
from matplotlib.figure import Figure

from maestrata.figures.looks import Look
from maestrata.figures.panels import Place, level_curves, level_looks, place_label, smallest
from maestrata.figures.sheet import Sheet
from maestrata.figures.style import Style
from maestrata.figures.words import scores_text, short
from maestrata.results import CubeSet, scores

NAME = "layer_by_level"
TITLE = "In which layer each level can be read"
CAPTION = (
    "R2 of each level's latents against the encoder layer that they are regressed on: 0 is the "
    "embedding, the last one stands after the final LayerNorm. Filled, solid: trained; open, dashed: "
    "the same network trained in the same way on targets of other images; open, dotted: before training. "
    "One panel a world at a middling masking ratio, for the smallest mask patch, of the world seeds whose "
    "models were read at every layer."
)
NEEDS = ("regression",)

WANTED = (0.5, 0.75)
NOTHING = {
    "null_trained": Look("null-trained", "#555555", line="--", open=True),
    "random_init": Look("random init", "#555555", line=":", open=True),
}
"""Encoders that learnt nothing, and how they are drawn."""


def draw(cubes: CubeSet, style: Style) -> Figure:
    """Draw one panel a world and ratio, of the ratios in `WANTED` or else the one nearest to them."""
    cube = cubes.one("regression")
    trained, *nothing = (scores(cube, encoder, layer="all") for encoder in ("trained", *NOTHING))
    panels = [(place, ratio) for place in smallest(cube) for ratio in _ratios(cube, place)]
    sheet = Sheet.flow(style, len(panels), columns=4, panel_width=2.0)
    for ax, (place, ratio) in zip(sheet.axes, panels, strict=True):
        after, *others = (part.sel(place._asdict()).sel(mask_ratio=ratio) for part in (trained, *nothing))
        # of other world seeds there is the last layer alone, which would be a mean over other worlds
        whole = after.r2.isel(layer=0).notnull().any("level")
        for other, look in zip(others, NOTHING.values(), strict=True):
            drawn = {"markerfacecolor": "white", "linestyle": look.line, "linewidth": 0.8, "markersize": 2.5}
            level_curves(
                sheet, ax, other.where(whole), "layer", cube.layer, worlds="none", bars=False, **drawn
            )
        level_curves(sheet, ax, after.where(whole), "layer", cube.layer)
        world, patch = place_label(cube, place).split(", ", 1)
        ax.set_title(f"{world}, masking ratio {short(float(after.realised_ratio))}\n{patch}")
        ax.set_xticks(cube.layer.values)
        sheet.label(ax, "encoder layer", "$R^2$")
    sheet.from_zero()
    words = scores_text(cube, trained).replace("last layer, ", "")
    legend = [*level_looks(cube).values(), *NOTHING.values()]
    told = f"{sheet.intervals_text()}; null-trained and random init: mean"
    return sheet.done(TITLE, legend, [words, told])


def _ratios(cube: xr.Dataset, place: Place) -> list[float]:
    """Ratios of `WANTED` that a place has, or else the nearest one."""
    there = (cube.status > 0).sel(place._asdict()).any(["world_seed", "seed"])
    ratios = cube.mask_ratio.values[there.values]
    wanted = [float(r) for r in ratios if r in WANTED]
    return wanted or [float(ratios[np.abs(ratios - WANTED[0]).argmin()])]
