"""R2 of every level against the realised masking ratio, the controls beside it."""

from __future__ import annotations

from matplotlib.figure import Figure

from maestrata.figures.panels import CurvePanel, level_legend, place_label, places, short
from maestrata.figures.registry import CubeSet
from maestrata.figures.style import Style
from maestrata.figures.summary import (
    READING_TEXT,
    intervals_text,
    missing_text,
    n_test_text,
    reading,
    summarise,
)

NAME = "r2_by_ratio"
TITLE = "What is recovered at each level, by masking ratio"
CAPTION = (
    "R2 of each level's latents, regressed on the trained encoder's representation, against the masking "
    "ratio that a whole number of patches realises. One panel a world and mask patch. Right of each "
    "panel, at the same pooling and with the same intervals: the encoder before training, the mean "
    "pixel token, principal components of all pixels, and, where it is known, the ceiling from exact "
    "inference."
)
NEEDS = ("regression",)
USES = ("limits",)

RATIO_TICKS = (0.0, 0.25, 0.5, 0.75, 1.0)


def draw(cubes: CubeSet, style: Style) -> Figure:
    """Draw one panel a world and mask patch."""
    cube = cubes.one("regression")
    shown = reading(cube)
    figure, axes = style.flow(len(places(cube)))
    panel = CurvePanel(style, cube, cubes.get("limits"))
    summaries = []
    for ax, (world, size, offset) in zip(axes, places(cube), strict=True):
        here = shown.sel(world=world, patch_size=size, offset=offset)
        summary = summarise(here)
        summaries.append(summary)
        panel.curves(ax, here.realised_ratio.values, summary)
        panel.controls(ax, world)
        panel.ticks(ax, RATIO_TICKS, [short(r) for r in RATIO_TICKS], "realised masking ratio")
        ax.set_title(place_label(cube, world, size, offset))
        if not summary.n_worlds:
            style.missing(ax)
    style.from_zero(axes)
    style.title(figure, TITLE, level_legend(panel.levels))
    reading_text = f"{READING_TEXT}; {n_test_text(shown)}; {missing_text(cube)}"
    style.footer(
        figure, [reading_text, intervals_text(summaries), panel.limits_text(p[0] for p in places(cube))]
    )
    return figure
