"""R2 of every level against the realised masking ratio, the controls aside."""

from __future__ import annotations

from matplotlib.figure import Figure

from maestrata.figures.panels import Aside, level_curves, level_looks, place_label, places
from maestrata.figures.sheet import RATIO_TICKS, Sheet, missing
from maestrata.figures.style import Style
from maestrata.figures.words import scores_text, short
from maestrata.results import CubeSet, scores

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


def draw(cubes: CubeSet, style: Style) -> Figure:
    """Draw one panel a world and mask patch."""
    cube = cubes.one("regression")
    trained, aside = scores(cube), Aside(cube, cubes.get("limits"))
    sheet = Sheet.flow(style, len(places(cube)))
    for ax, place in zip(sheet.axes, places(cube), strict=True):
        here = trained.sel(place._asdict())
        level_curves(sheet, ax, here, "mask_ratio", here.realised_ratio)
        missing(ax)
        aside.draw(sheet, ax, place.world)
        aside.ticks(sheet, ax, RATIO_TICKS, [short(r) for r in RATIO_TICKS], "realised masking ratio")
        ax.set_title(place_label(cube, place))
    sheet.from_zero()
    limits = aside.text(place.world for place in places(cube))
    footer = [scores_text(cube, trained), sheet.intervals_text(), limits]
    return sheet.done(TITLE, level_looks(cube).values(), footer)
