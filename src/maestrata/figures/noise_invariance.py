"""How much of a representation changes when noise below a level, or from it up, is drawn anew."""

from __future__ import annotations

from dataclasses import replace

from matplotlib.figure import Figure

from maestrata.figures.arms import START, ByRatio, measured
from maestrata.figures.looks import BLACK, GREY, Look
from maestrata.figures.sheet import Sheet, ratio_axis, zero
from maestrata.figures.style import Style
from maestrata.figures.words import estimate, short
from maestrata.results import CubeSet, Select, Series, along

TITLE = "Invariance to the noise below each level"
CAPTION = (
    "How much of what is learnt changes when details are drawn anew and causes are kept. First panel: "
    "noise below a level drawn anew; second: noise at the level and above. Share of the variance of the "
    "primary features that changes, by level, a curve a masking ratio, and the untrained encoder. Third: "
    "both, as means over levels, minus those of the untrained encoder in the same world. High-level "
    "features change little in the first and much in the second."
)
NEEDS = ("experiments/invariance",)

# quantity -> look of its mean over levels
LOW, HIGH = "low_redrawn", "high_redrawn"
MEANS = {
    LOW: Look("mean, noise below redrawn", BLACK, "o"),
    HIGH: Look("mean, noise at and above redrawn", GREY, "D", "--", open=True),
}


def draw(cubes: CubeSet, style: Style) -> Figure:
    """Draw a row a world."""
    cube = cubes.one("experiments/invariance")
    worlds = measured(cube)
    by_ratio = ByRatio(cube, worlds)
    sheet = Sheet.grid(style, len(worlds), 3, panel_height=1.9)
    told = []
    for row, world in zip(sheet.axes, worlds, strict=True):
        for ax, quantity in zip(row, MEANS, strict=False):
            by_ratio.draw(sheet, ax, world, quantity, "level l")
        for (quantity, look), shift in zip(MEANS.items(), (-0.008, 0.008), strict=True):
            mean = Select(NEEDS[0], quantity, START, level="all")
            change = {ratio: replace(mean, arm=arm) - mean for arm, ratio in by_ratio.models[world].items()}
            s = along(cubes, world, change)
            sheet.plot(row[2], s, look, shift=shift, worlds="thin")
            if s is not None and quantity == LOW:
                told.append(_told(world, s))
        row[0].set(title=f"{world}: below l redrawn", ylabel="share that changes")
        row[0].set_ylim(bottom=min(0.0, row[0].get_ylim()[0]))
        row[1].set(title="at l and above redrawn")
        row[2].set(title="mean over levels", ylabel="minus random init")
        ratio_axis(row[2])
        zero(row[2])
    return sheet.done(TITLE, " ".join(told), [*by_ratio.legend, *MEANS.values()], [
        f"last layer, mean of all tokens, whole image; {sheet.n_text('pairs of images')}",
        sheet.intervals_text("bars and bands"),
        "share of the variance of features: 0, a function of what is kept; 1, independent of it; scales "
        "differ; thin: single worlds",
    ])  # fmt: skip


def _told(world: str, s: Series) -> str:
    """Say at which ratio the noise below changes least, beside the untrained encoder."""
    least = int(s.mean.argmin())
    less = replace(s, mean=-s.mean, low=-s.high, high=-s.low)
    return (
        f"{world}: redrawing the noise below a level changes the features least at r = "
        f"{short(float(s.x[least]))}, by {estimate(less, least)} of their variance less than in an untrained "
        "encoder."
    )
