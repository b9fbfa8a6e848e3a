"""Hierarchy or covariance: the same models in a world and in its Gaussian surrogate."""

from __future__ import annotations

from typing import TYPE_CHECKING

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from maestrata.figures.arms import (
    Series,
    by_level,
    interval_text,
    lines_legend,
    n_text,
    plot,
    ratio_axis,
    reference,
    root_of,
    series,
    single,
)
from maestrata.figures.registry import CubeSet
from maestrata.figures.style import ENCODERS, Style
from maestrata.figures.summary import READING_TEXT

if TYPE_CHECKING:
    import xarray as xr

NAME = "hierarchy_or_covariance"
TITLE = "Hierarchy or covariance: the world and its Gaussian surrogate"
CAPTION = (
    "The surrogate is a Gaussian world with the mean and covariance of all pixels and latents, and no "
    "hierarchy beyond them; the same models are trained in both. First two panels: R2 of the root against "
    "the masking ratio, with the best linear reading (ridge on all pixels), as many principal components "
    "as the encoder is wide, and the untrained encoder. Third: R2 less that of the best linear reading at "
    "the middle ratio, by level; in the surrogate nothing can exceed it. Fourth: how much the curve over "
    "the ratio is an inverted U. An encoder that lives on second moments shows the same in both worlds."
)
NEEDS = ("experiments/surrogate",)

# place -> (label, colour, marker)
PLACES = {
    "world": ("world", ENCODERS["trained"][1], "o"),
    "surrogate": ("Gaussian surrogate", "#E69F00", "D"),
}
CONCAT = ("world, tokens concatenated", "#56B4E9", "P")
DIFFERENCE = ("difference", "#000000", "X")
LINES = ("linear", "pca", "random_init")


def draw(cubes: CubeSet, style: Style) -> Figure:
    """Draw a row a world."""
    cube = cubes.one("experiments/surrogate")
    worlds = [str(w) for w in cube["world"].values]
    figure, axes = style.figure(len(worlds), 4, panel_height=1.75, more_height=0.2)
    found: list[Series] = []
    for row, world in zip(axes, worlds, strict=True):
        root = root_of(cube, world)
        for ax, place in zip(row, PLACES, strict=False):
            found += _over_ratio(style, ax, cube, world, place, root)
            ax.set_title(f"{world}: root" if place == "world" else "surrogate: root")
        row[0].set_ylabel("$R^2$")
        row[1].sharey(row[0])
        row[1].tick_params(labelleft=False)
        beyond = {"world": "beyond_linear", "surrogate": "beyond_linear"}
        found += _over_levels(style, row[2], cube, world, beyond)
        row[2].set(title="beyond linear", ylabel="$R^2$ less best linear")
        shape = {"world": "inverted_u", "surrogate": "inverted_u", "difference": "inverted_u"}
        found += _over_levels(style, row[3], cube, world, shape)
        row[3].set(title="inverted U over r", ylabel="middle less ends, $R^2$")
    looks = [*PLACES.values(), CONCAT, DIFFERENCE]
    handles = [
        Line2D([], [], color=color, marker=marker, markersize=4, linewidth=1.2, label=label)
        for label, color, marker in looks
    ]
    style.title(figure, TITLE, [*handles, *lines_legend(LINES)])
    style.footer(
        figure,
        [
            f"{READING_TEXT}; {n_text(found)}",
            interval_text(found),
            "inverted U: R2 at the middle ratio less the mean of R2 at the lowest and the highest",
        ],
    )
    return figure


def _over_ratio(style: Style, ax: Axes, cube: xr.Dataset, world: str, place: str, root: int) -> list[Series]:
    """Draw R2 of the root against the ratio, with what does not depend on it."""
    found = [single(cube, world, f"{place}/{name}", "r2", root) for name in LINES]
    for name, line in zip(LINES, found, strict=True):
        reference(ax, line, name)
    trained = series(cube, world, rf"{place}/v\d+", "r2", root)
    if trained is not None:
        _, color, marker = PLACES[place]
        plot(style, ax, trained, color, marker)
    ratio_axis(ax)
    kept = [s for s in (*found, trained) if s is not None]
    if not kept:
        style.missing(ax)
    return kept


def _over_levels(
    style: Style, ax: Axes, cube: xr.Dataset, world: str, quantities: dict[str, str]
) -> list[Series]:
    """Draw a quantity of the middle ratio, or of the shape over ratios, by level."""
    found: list[Series] = []
    shape = "inverted_u" in quantities.values()
    middle = _middle(cube, world)
    rows = [(f"{place}/{'shape' if shape else middle}", quantity) for place, quantity in quantities.items()]
    looks = [PLACES.get(place, DIFFERENCE) for place in quantities]
    if not shape:
        rows, looks = [*rows, (f"world/{middle}", "concat_beyond_linear")], [*looks, CONCAT]
    for i, ((arm, quantity), (_, color, marker)) in enumerate(zip(rows, looks, strict=True)):
        s = by_level(cube, world, arm, quantity)
        if s is not None:
            beside = 0.09 * (i - (len(rows) - 1) / 2)  # intervals stand side by side
            style.curve(ax, s.x + beside, s.mean, s.low, s.high, color=color, marker=marker)
            ax.set_xticks(s.x, [f"{level:g}" for level in s.x])
            found.append(s)
    ax.set_xlabel("level")
    if found:
        ax.axhline(0, color="#888888", linewidth=0.6, zorder=0)
    else:
        style.missing(ax)
    return found


def _middle(cube: xr.Dataset, world: str) -> str:
    """Arm of the middle ratio: the one whose tokens were read concatenated too, else the second lowest."""
    concat = series(cube, world, r"world/v\d+", "concat_beyond_linear", root_of(cube, world))
    trained = series(cube, world, r"world/v\d+", "r2", root_of(cube, world))
    found = concat or trained
    arms = found.arms if found is not None else [""]
    return arms[min(len(arms) - 1, 1)].split("/")[-1]
