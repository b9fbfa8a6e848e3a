"""Hierarchy or covariance: the same models in a world and in its Gaussian surrogate."""

from __future__ import annotations

import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from maestrata.figures.arms import measured, references
from maestrata.figures.looks import BLACK, BLUE, ORANGE, REFERENCES, Look
from maestrata.figures.sheet import Sheet, level_axis, ratio_axis, zero
from maestrata.figures.style import Style
from maestrata.figures.words import best_ratio, estimate, short
from maestrata.results import PRIMARY_TEXT, CubeSet, Series, along_arms, along_levels, cells, root

TITLE = "Hierarchy or covariance: the world and its Gaussian surrogate"
CAPTION = (
    "Whether models learn from a hierarchy what its covariance does not teach. The surrogate is a "
    "Gaussian world with the mean and covariance of all pixels and latents, and no hierarchy beyond them; "
    "the same models are trained in both. First two panels: R2 of the root against the masking ratio, "
    "with the best linear probe (ridge on all pixels) and the untrained encoder. Third: R2 minus that of "
    "the best linear probe at the middle ratio, by level; in the surrogate nothing can exceed it. Fourth: "
    "how much the curve over the ratio is an inverted U. An encoder that lives on second moments shows "
    "the same in both worlds."
)
NEEDS = ("experiments/surrogate",)

PLACES = {"world": Look("world", BLUE, "o"), "surrogate": Look("Gaussian surrogate", ORANGE, "D")}
DIFFERENCE = Look("difference", BLACK, "X")
LINES = ("linear", "random_init")


def draw(cubes: CubeSet, style: Style) -> Figure:
    """Draw a row a world."""
    cube = cubes.one("experiments/surrogate")
    worlds = measured(cube)
    sheet = Sheet.grid(style, len(worlds), 4, panel_height=1.75)
    told = []
    for row, world in zip(sheet.axes, worlds, strict=True):
        top = root(cube, world)
        for ax, (place, look) in zip(row, PLACES.items(), strict=False):
            references(sheet, ax, cube, world, "r2", LINES, top, f"{place}/")
            s = along_arms(cube, world, "r2", cells(cube, world, place), top)
            sheet.plot(ax, s, look, worlds="thin")
            ratio_axis(ax, "ratio r", (0, 0.5, 1))
            ax.set_title(f"{world}: root" if place == "world" else "surrogate: root")
            told.append(_told(world if place == "world" else "its surrogate", s) if s is not None else "")
        row[0].set_ylabel("R²")
        # of what both panels show: limits that are shared are those of the first
        ends = [ax.get_ylim() for ax in row[:2] if ax.has_data()]
        for ax in row[:2] if ends else ():
            ax.set_ylim(min(low for low, _ in ends), max(high for _, high in ends))
        row[1].tick_params(labelleft=False)
        middle = _middle(cube, world)
        beyond = [(f"{place}/{middle}", "beyond_linear", look) for place, look in PLACES.items()]
        _by_level(sheet, row[2], cube, world, beyond)
        row[2].set(title="beyond linear", ylabel="R² minus linear")
        shapes = {**PLACES, "difference": DIFFERENCE}
        shape = [(f"{place}/shape", "inverted_u", look) for place, look in shapes.items()]
        _by_level(sheet, row[3], cube, world, shape)
        row[3].set(title="inverted U over r", ylabel="middle minus ends")
    legend = [*PLACES.values(), DIFFERENCE, *(REFERENCES[name] for name in LINES)]
    return sheet.done(TITLE, " ".join(filter(None, told)), legend, [
        f"{PRIMARY_TEXT}; {sheet.n_text()}",
        sheet.intervals_text("bars and bands"),
        "inverted U: R² at the middle ratio minus the mean of R² at the lowest and the highest; r: realised",
    ])  # fmt: skip


def _told(where: str, s: Series) -> str:
    """Say at which ratio the root has the highest mean over worlds."""
    best, but = best_ratio(s)
    at = f"r = {short(float(s.x[best]))}{but}"
    return f"{where}: the root has its highest mean R², {estimate(s, best)}, at {at}."


def _by_level(
    sheet: Sheet, ax: Axes, cube: xr.Dataset, world: str, rows: list[tuple[str, str, Look]]
) -> None:
    """Draw quantities of arms by level, their intervals side by side."""
    for i, (arm, quantity, look) in enumerate(rows):
        sheet.plot(ax, along_levels(cube, world, arm, quantity), look, shift=0.09 * (i - (len(rows) - 1) / 2))
    level_axis(ax)
    zero(ax)


def _middle(cube: xr.Dataset, world: str) -> str:
    """Arm of the middle ratio: the second lowest."""
    s = along_arms(cube, world, "r2", cells(cube, world, "world"), root(cube, world))
    return "" if s is None else s.labels[min(len(s.labels) - 1, 1)].split("/")[-1]
