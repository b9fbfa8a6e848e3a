"""The main figure: what is recovered of each level over the masking ratio, world by world."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

import xarray as xr
from matplotlib.figure import Figure

from maestrata.figures.looks import Look
from maestrata.figures.panels import (
    Place,
    bounds_text,
    columns_of,
    level_curves,
    level_looks,
    smallest,
    whole_image_limits,
)
from maestrata.figures.sheet import RATIO_TICKS, Sheet, missing
from maestrata.figures.style import Style, curve
from maestrata.figures.words import scores_text, short
from maestrata.results import CubeSet, along_cells, levels_with, scores

NAME = "recovery_by_level"
TITLE = "What is recovered of each level, by masking ratio"
CAPTION = (
    "R2 of each level's latents, regressed on the tokens under each node, against the realised masking "
    "ratio; one panel a world that was run at three ratios or more, at its smallest mask patch. Markers: "
    "trained, mean over worlds with its interval. Thin lines of the same colour: the ceiling by exact "
    "inference, the linear masked autoencoder of the same ratio, and the same network trained in the same "
    "way on targets of other images."
)
NEEDS = ("regression",)
USES = ("limits",)

LEAST = 3  # ratios without which there is no curve
THIN = {"linear_mae": (0, (1, 1.2)), "null_trained": (0, (4, 2))}
"""Encoder -> dashes."""
CEILING = (0, (9, 1.5, 1, 1.5))
LINES = (
    Look("ceiling", "#555555", None, CEILING),
    Look("linear MAE", "#555555", None, THIN["linear_mae"]),
    Look("null-trained", "#555555", None, THIN["null_trained"]),
)


def draw(cubes: CubeSet, style: Style) -> Figure:
    """Draw one panel a world; say so where none has three ratios."""
    cube = cubes.one("regression")
    trained = scores(cube)
    thin = {encoder: scores(cube, encoder) for encoder in THIN}
    limits = whole_image_limits(cubes.get("limits"))
    panels = [place for place in smallest(cube) if len(columns_of(_at(trained, place)).mask_ratio) >= LEAST]
    sheet = Sheet.flow(style, max(len(panels), 1), panel_height=2.2)
    for ax, place in zip(sheet.axes, panels, strict=False):
        here = columns_of(_at(trained, place))
        for encoder, dashes in THIN.items():
            other = _at(thin[encoder], place).sel(mask_ratio=here.mask_ratio)
            for level, look in level_looks(here).items():
                s = along_cells(other.sel(level=level), "mask_ratio", here.realised_ratio)
                if s is not None:
                    curve(ax, s.x, s.mean, color=look.color, linestyle=dashes, linewidth=0.8, zorder=1)
        for level, look in level_looks(here).items():
            r2 = limits[place.world][1] if place.world in limits else None
            if r2 is not None and level in r2.level.values:
                least = float(r2.sel(level=level))
                ax.axhline(least, color=look.color, linestyle=CEILING, linewidth=0.7, zorder=1)
        level_curves(sheet, ax, here, "mask_ratio", here.realised_ratio)
        missing(ax)
        ax.set(title=place.world, xlim=(0, 1))
        ax.set_xticks(RATIO_TICKS, [short(ratio) for ratio in RATIO_TICKS])
        sheet.label(ax, "realised masking ratio", "$R^2$")
    if not panels:
        missing(sheet.axes[0], f"this run has no world with {LEAST} masking ratios")
        sheet.axes[0].set_axis_off()
    sheet.from_zero()
    bounds = [(place.world, limits[place.world][0]) for place in panels if place.world in limits]
    names = {"exact": "ceiling by exact inference", "upper": "an upper bound in its place"}
    roots = {place.world: levels_with(_at(trained, place).r2)[:1] for place in panels}
    looks = list(level_looks(cube).values())
    if len(set(map(tuple, roots.values()))) > 1:  # no one level is the root
        looks = [replace(look, label=look.label.removesuffix(" (root)")) for look in looks]
    return sheet.done(TITLE, [*looks, *LINES], [
        _shown([(place.world, columns_of(_at(trained, place))) for place in panels]),
        scores_text(cube, trained), sheet.intervals_text(), bounds_text(bounds, names),
    ])  # fmt: skip


def _at(cube: xr.Dataset, place: Place) -> xr.Dataset:
    return cube.sel(place._asdict())


def _shown(panels: Iterable[tuple[str, xr.Dataset]]) -> str:
    """Say what the figure shows: at which ratio the root is recovered best, by the mean over worlds."""
    told = []
    for world, here in panels:
        levels = levels_with(here.r2)
        s = along_cells(here.sel(level=levels[0]), "mask_ratio", here.realised_ratio) if levels else None
        if s is not None:
            told.append(f"{short(float(s.x[s.mean.argmax()]))} in {world}")
    return f"the root, each panel's highest level, is recovered best at r = {', '.join(told)}" if told else ""
