"""Root against texture, and accuracy under shift: the paper's shape bias and robustness in known worlds."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from maestrata.figures.arms import (
    CELLS,
    Series,
    interval_text,
    lines_legend,
    n_text,
    plot,
    ratio_axis,
    reference,
    series,
    single,
)
from maestrata.figures.registry import CubeSet
from maestrata.figures.style import ENCODERS, MARKERS, Style

if TYPE_CHECKING:
    import xarray as xr

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

BLUE = ENCODERS["trained"][1]
CONTROLS = ("random_init", "pixels", "pca")
CUES = (
    ("root_share", "answers for the root", "share, cues in conflict"),
    ("root_alone", "root alone", "share right"),
    ("texture_alone", "texture alone", "share right"),
)
SHIFT_COLORS = ("#0072B2", "#E69F00", "#CC79A7", "#009E73", "#56B4E9")


def draw(cubes: CubeSet, style: Style) -> Figure:
    """Draw a row a world of the cue conflict, then one a world of the shifts."""
    conflict, shifted = cubes.one("experiments/cue_conflict"), cubes.get("experiments/robustness")
    worlds = [str(w) for w in conflict["world"].values]
    beside = [str(w) for w in shifted["world"].values] if shifted is not None else [""]
    figure, axes = style.figure(len(worlds) + len(beside), 3, panel_height=1.75, more_height=0.25)
    cued: list[Series] = []
    for row, world in zip(axes, worlds, strict=False):
        cued += _cues(style, row, conflict, world)
    moved: list[Series] = []
    for row, world in zip(axes[len(worlds) :], beside, strict=True):
        moved += _shifts(style, row, shifted, world)
    trained = Line2D([], [], color=BLUE, marker="o", markersize=4, linewidth=1.2, label="trained MAE")
    discrete = shifted is not None and "ceiling" in shifted["arm"].values
    style.title(figure, TITLE, [trained, *lines_legend((*CONTROLS, *(("ceiling",) if discrete else ())))])
    style.footer(
        figure,
        [
            f"{n_text(cued, name='cues')}; {n_text(moved, name='shifts')}",
            interval_text([*cued, *moved]),
            "solid grey line: chance; thin curves: single worlds; mask patches of one token; intervals hold "
            "the worlds' own differences, which paired contrasts (figure verdicts) do not",
        ],
    )
    return figure


def _cues(style: Style, row: np.ndarray, cube: xr.Dataset, world: str) -> list[Series]:
    found: list[Series] = []
    for ax, (quantity, title, name) in zip(row, CUES, strict=True):
        found += _with_controls(style, ax, cube, world, quantity)
        if ax.has_data():
            _chance(ax, 0.5)
        ax.set(title=f"{world}: {title}", ylabel=name)
        ratio_axis(ax)
    return found


def _with_controls(style: Style, ax: Axes, cube: xr.Dataset, world: str, quantity: str) -> list[Series]:
    """Draw a quantity against the ratio, with the controls and the ceiling as lines."""
    found = []
    for name in (*CONTROLS, "ceiling"):
        line = single(cube, world, name, quantity)
        if line is not None:
            reference(ax, line, name)
            found.append(line)
    s = series(cube, world, CELLS, quantity)
    if s is not None:
        plot(style, ax, s, BLUE, "o")
        found.append(s)
    if not found:
        style.missing(ax)
    return found


def _chance(ax: Axes, value: float) -> None:
    ax.axhline(value, color="#aaaaaa", linewidth=0.8, zorder=0)


def _shifts(style: Style, row: np.ndarray, cube: xr.Dataset | None, world: str) -> list[Series]:
    """Draw the share lost, mean and by shift, and accuracy on plain and on shifted images."""
    mean, each, accuracy = row
    mean.set(title=f"{world}: lost, mean of shifts" if world else "lost under shift", ylabel="share lost")
    each.set(title=f"{world}: lost, by shift" if world else "by shift", ylabel="share lost")
    accuracy.set(title=f"{world}: accuracy" if world else "accuracy", ylabel="accuracy, root's class")
    for ax in row:
        ratio_axis(ax)
    if cube is None:
        for ax in row:
            style.missing(ax)
        return []
    found = _with_controls(style, mean, cube, world, "lost_share")
    shifts = _shifts_of(cube)
    for i, shift in enumerate(shifts):
        s = series(cube, world, f"{CELLS}/{shift}", "lost_share", place=_ratio_under)
        if s is not None:
            color, marker = SHIFT_COLORS[i % len(SHIFT_COLORS)], MARKERS[(i + 1) % len(MARKERS)]
            beside = 0.012 * (i - (len(shifts) - 1) / 2)
            plot(style, each, s.moved(beside), color, marker, worlds=False, label=_shift_label(shift))
            found.append(s)
    if each.has_data():
        each.margins(y=0.25)
        each.legend(fontsize="xx-small", loc="upper right", ncols=2, borderaxespad=0.1, handlelength=1.5)
    else:
        style.missing(each)
    for quantity, marker, fill, line in (
        ("accuracy", "o", BLUE, "-"),
        ("shifted_accuracy", "v", "white", "--"),
    ):
        s = series(cube, world, CELLS, quantity)
        if s is not None:
            label = "plain" if quantity == "accuracy" else "shifted, mean"
            look = {"linestyle": line, "markerfacecolor": fill, "label": label}
            plot(
                style,
                accuracy,
                s.moved(0.01 if fill == "white" else -0.01),
                BLUE,
                marker,
                worlds=False,
                **look,
            )
            found.append(s)
    if accuracy.has_data():
        chance = single(cube, world, "chance", "accuracy")
        if chance is not None:
            _chance(accuracy, float(chance.mean[0]))
        accuracy.margins(y=0.25)
        accuracy.legend(fontsize="xx-small", loc="upper right", ncols=2, borderaxespad=0.1)
    else:
        style.missing(accuracy)
    return found


def _shifts_of(cube: xr.Dataset) -> list[str]:
    """Names of the shifts, in the order of the cube."""
    parts = [str(arm).split("/") for arm in cube["arm"].values]
    return list(dict.fromkeys(arm[-1] for arm in parts if "=" in arm[-1]))


def _ratio_under(cube: xr.Dataset, arm: str) -> float:
    """Ratio of the model behind an arm such as ``1x1/v4/noise=2``."""
    model = arm.rsplit("/", 1)[0]
    if model not in cube["arm"].values or "mask_ratio" not in cube["quantity"].values:
        return float("nan")
    values = cube["value"].sel(arm=model, quantity="mask_ratio").values
    return float(np.nanmax(values)) if np.isfinite(values).any() else float("nan")


def _shift_label(shift: str) -> str:
    """Name a shift.

    Examples
    --------
    >>> _shift_label("noise=2"), _shift_label("tilt=3")
    ('noise ×2', 'tilt ×3')
    """
    return shift.replace("=", " ×")
