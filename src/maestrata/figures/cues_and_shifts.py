"""Root against texture, and accuracy under shift: the paper's shape bias and robustness in known worlds."""

from __future__ import annotations

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from maestrata.figures.arms import CONTROLS, references
from maestrata.figures.looks import BLUE, ENCODERS, GREEN, ORANGE, PINK, REFERENCES, SKY, Look, cycle
from maestrata.figures.sheet import Sheet, ratio_axis, small_legend
from maestrata.figures.style import Style
from maestrata.figures.words import n_text
from maestrata.results import CubeSet, along_arms, cells, worlds_of

NAME = "cues_and_shifts"
TITLE = "Shape bias and robustness in known worlds"
CAPTION = (
    "First row: probes are fitted where the root's class and a texture agree, and asked where they "
    "disagree. Share of answers for the root, and right answers of probes for each cue alone, against the "
    "masking ratio in training; one half is chance. Rows below, one a world: share of the accuracy above "
    "chance that is lost when noise is shifted and the rules are kept, mean and by shift, and accuracy "
    "for the root's class on plain and on shifted images. Lines that do not depend on the ratio: the "
    "untrained encoder, pixels, principal components and, in a grammar, exact inference. The paper reads "
    "both as signs of high-level representations at middling ratios."
)
NEEDS = ("experiments/cue_conflict",)
USES = ("experiments/robustness",)

CUES = (
    ("root_share", "answers for the root", "share, cues in conflict"),
    ("root_alone", "root alone", "share right"),
    ("texture_alone", "texture alone", "share right"),
)
SHIFT_COLORS = (BLUE, ORANGE, PINK, GREEN, SKY)
ACCURACIES = {
    "accuracy": Look("plain", BLUE, "o"),
    "shifted_accuracy": Look("shifted, mean", BLUE, "v", "--", open=True),
}


def draw(cubes: CubeSet, style: Style) -> Figure:
    """Draw a row a world of the cue conflict, then one a world of the shifts."""
    conflict, shifted = cubes.one("experiments/cue_conflict"), cubes.get("experiments/robustness")
    worlds, moved = worlds_of(conflict), worlds_of(shifted) or [""]
    sheet = Sheet.grid(style, len(worlds) + len(moved), 3, panel_height=1.75, more_height=0.25)
    for row, world in zip(sheet.axes, worlds, strict=False):
        for ax, (quantity, title, name) in zip(row, CUES, strict=True):
            _with_references(sheet, ax, conflict, world, quantity)
            _chance(ax, 0.5)
            ax.set(title=f"{world}: {title}", ylabel=name)
    n_cues = len(sheet.shown)
    for row, world in zip(sheet.axes[len(worlds) :], moved, strict=True):
        _shifts(sheet, row, shifted, world)
        for ax in row:
            ax.set_title(f"{world}: {ax.get_title(loc='left')}" if world else ax.get_title(loc="left"))
    for ax in sheet.axes.flat:
        ratio_axis(ax)
    discrete = shifted is not None and "ceiling" in shifted["arm"].values
    lines = (*CONTROLS, *(("ceiling",) if discrete else ()))
    cued, lost = n_text(sheet.shown[:n_cues], name="cues"), n_text(sheet.shown[n_cues:], name="shifts")
    return sheet.done(TITLE, [ENCODERS["trained"], *(REFERENCES[name] for name in lines)], [
        f"{cued}; {lost}",
        sheet.intervals_text("bars and bands"),
        "solid grey line: chance; thin curves: single worlds; mask patches of one token; intervals hold "
        "the worlds' own differences, which paired contrasts (figure verdicts) do not",
    ])  # fmt: skip


def _with_references(sheet: Sheet, ax: Axes, cube: xr.Dataset | None, world: str, quantity: str) -> None:
    """Draw a quantity against the ratio, with the controls and the ceiling as lines."""
    references(sheet, ax, cube, world, quantity, (*CONTROLS, "ceiling"))
    s = along_arms(cube, world, quantity, cells(cube, world))
    sheet.plot(ax, s, ENCODERS["trained"], worlds="thin")


def _chance(ax: Axes, value: float) -> None:
    if ax.has_data():
        ax.axhline(value, color="#aaaaaa", linewidth=0.8, zorder=0)


def _shifts(sheet: Sheet, row: NDArray[np.object_], cube: xr.Dataset | None, world: str) -> None:
    """Draw the share lost, mean and by shift, and accuracy on plain and on shifted images."""
    mean, each, accuracy = row
    models = cells(cube, world)
    _with_references(sheet, mean, cube, world, "lost_share")
    shifts = _shifts_of(cube)
    for i, shift in enumerate(shifts):
        look = cycle(i, shift.replace("=", " ×"), SHIFT_COLORS, shift=1)
        s = along_arms(cube, world, "lost_share", {f"{arm}/{shift}": ratio for arm, ratio in models.items()})
        sheet.plot(each, s, look, shift=0.012 * (i - (len(shifts) - 1) / 2), label=look.label)
    for (quantity, look), aside in zip(ACCURACIES.items(), (-0.01, 0.01), strict=True):
        s = along_arms(cube, world, quantity, models)
        sheet.plot(accuracy, s, look, shift=aside, label=look.label)
    chance = along_arms(cube, world, "accuracy", {"chance": 0.0})
    if chance is not None:
        _chance(accuracy, float(chance.mean[0]))
    for ax in (each, accuracy):
        small_legend(ax, room=0.25, loc="upper right", ncols=2, handlelength=1.5 if ax is each else None)
    mean.set(title="lost, mean of shifts", ylabel="share lost")
    each.set(title="lost, by shift", ylabel="share lost")
    accuracy.set(title="accuracy", ylabel="accuracy, root's class")


def _shifts_of(cube: xr.Dataset | None) -> list[str]:
    """Names of the shifts, in the order of the cube."""
    arms = [] if cube is None else [str(arm).split("/")[-1] for arm in cube["arm"].values]
    return list(dict.fromkeys(arm for arm in arms if "=" in arm))
