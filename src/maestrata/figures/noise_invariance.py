"""How much of a representation changes when noise below a level, or from it up, is drawn anew."""

from __future__ import annotations

from dataclasses import replace

from matplotlib.figure import Figure

from maestrata.figures.arms import START, ByRatio
from maestrata.figures.looks import BLUE, ORANGE, Look
from maestrata.figures.sheet import Sheet, ratio_axis, small_legend, zero
from maestrata.figures.style import Style
from maestrata.results import CubeSet, Select, along, worlds_of

NAME = "noise_invariance"
TITLE = "Invariance to the noise below each level"
CAPTION = (
    "Test images are made again with the noise below a level drawn anew and the rest kept (first panel), "
    "or with the noise at the level and above drawn anew (second): share of the variance of the "
    "primary features that changes, by level, for each masking ratio and for the untrained encoder. Third: "
    "both, as means over levels, minus those of the untrained encoder in the same world. A representation "
    "of high-level latents changes little in the first and much in the second; training that lowers the "
    "first and raises the second has learnt to ignore low-level noise."
)
NEEDS = ("experiments/invariance",)

# quantity -> look of its mean over levels
LOW, HIGH = "low_redrawn", "high_redrawn"
MEANS = {
    LOW: Look("noise below redrawn", BLUE, "o"),
    HIGH: Look("noise at and above redrawn", ORANGE, "D"),
}


def draw(cubes: CubeSet, style: Style) -> Figure:
    """Draw a row a world."""
    cube = cubes.one("experiments/invariance")
    worlds = worlds_of(cube)
    by_ratio = ByRatio(cube, worlds)
    sheet = Sheet.grid(style, len(worlds), 3, panel_height=2.0, more_height=0.2)
    for row, world in zip(sheet.axes, worlds, strict=True):
        for ax, quantity in zip(row, MEANS, strict=False):
            by_ratio.draw(sheet, ax, world, quantity, "level l")
        for (quantity, look), shift in zip(MEANS.items(), (-0.008, 0.008), strict=True):
            mean = Select(NEEDS[0], quantity, START, level="all")
            change = {ratio: replace(mean, arm=arm) - mean for arm, ratio in by_ratio.models[world].items()}
            sheet.plot(
                row[2], along(cubes, world, change), look, shift=shift, worlds="thin", label=look.label
            )
        row[0].set(title=f"{world}: noise below l redrawn", ylabel="share of variance that changes")
        row[0].set_ylim(bottom=min(0.0, row[0].get_ylim()[0]))
        row[1].set(title="noise at l and above redrawn")
        row[2].set(title="mean over levels", ylabel="trained minus random init")
        ratio_axis(row[2])
        zero(row[2])
        small_legend(row[2], room=0.15, borderaxespad=0.2)
    return sheet.done(TITLE, by_ratio.legend, [
        f"last layer, mean of all tokens, whole image; {sheet.n_text('pairs of images')}",
        sheet.intervals_text("bars and bands"),
        "0: a function of what is kept; 1: independent of it; scales differ; thin: single worlds",
    ])  # fmt: skip
