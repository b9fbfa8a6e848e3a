"""The main figure: what is recovered of each level over the masking ratio, world by world."""

from __future__ import annotations

from functools import partial

import xarray as xr
from matplotlib.figure import Figure

from maestrata.figures.panels import LINES, Recovery, level_looks
from maestrata.figures.sheet import RATIO, Sheet, missing, ratio_axis
from maestrata.figures.style import Style
from maestrata.figures.words import best_ratio, decimals, estimate, listed, realised_text, scores_text, short
from maestrata.results import CubeSet, along_cells, levels_with
from maestrata.results.places import Place, at, columns_of, smallest

TITLE = "What is recovered of each level, by masking ratio"
CAPTION = (
    "How well each level's latents are predicted, by masking ratio. R2 from the tokens under each node, "
    "one panel a world that was run at three ratios or more, at its smallest mask patch. Markers: mean "
    "over worlds with its interval. Thin lines of the same colour: the ceiling by exact inference, the "
    "linear masked autoencoder of the same ratio, and the same network trained in the same way on targets "
    "of other images."
)
NEEDS = ("regression",)
USES = ("limits",)

LEAST = 3  # ratios without which there is no curve


def draw(cubes: CubeSet, style: Style) -> Figure:
    """Draw one panel a world; say so where none has three ratios."""
    shown = Recovery(cubes)
    panels = {place: columns_of(at(shown.trained, place)) for place in smallest(shown.cube)}
    panels = {place: here for place, here in panels.items() if here.sizes["mask_ratio"] >= LEAST}
    looks = level_looks(*panels.values())
    sheet = Sheet.flow(style, max(len(panels), 1), panel_height=2.2 if len(panels) < 3 else 1.9)
    for ax, (place, here) in zip(sheet.axes, panels.items(), strict=False):
        pick = partial(_pick, place=place, here=here)
        shown.draw(sheet, ax, pick, looks, "mask_ratio", here.realised_ratio)
        missing(ax)
        ratio_axis(ax, "")
        ax.set_title(place.world)
        sheet.label(ax, RATIO, "R²")
    if not panels:
        missing(sheet.axes[0], f"this run has no world with {LEAST} masking ratios")
        sheet.axes[0].set_axis_off()
    sheet.from_zero()
    told = [_peak(place.world, here) for place, here in panels.items()]
    legend = [*looks.values(), *LINES] if panels else []
    return sheet.done(TITLE, " ".join(filter(None, told)), legend, [
        scores_text(shown.cube, shown.trained),
        f"{sheet.intervals_text()}; {shown.bounds(place.world for place in panels)}",
        realised_text(*panels.values()),
    ])  # fmt: skip


def _pick(cube: xr.Dataset, place: Place, here: xr.Dataset) -> xr.Dataset:
    return at(cube, place).sel(mask_ratio=here.mask_ratio)


def _peak(world: str, here: xr.Dataset) -> str:
    """Say at which ratio the root has the highest mean over worlds, and what the ends come to."""
    levels = levels_with(here.r2)
    s = along_cells(here.sel(level=levels[0]), "mask_ratio", here.realised_ratio) if levels else None
    if s is None:
        return ""
    (best, but), ends = best_ratio(s), {0, len(s.x) - 1}
    others = [f"{decimals(float(s.mean[i]))} at {short(float(s.x[i]))}" for i in sorted(ends - {best})]
    (look, *_) = level_looks(here).values()
    what = "the class" if look.label == "class" else "the root"
    top = f"{estimate(s, best)}, at r = {short(float(s.x[best]))}{but}"
    return f"{world}: {what} has its highest mean R², {top}; it has {listed(others)}."
