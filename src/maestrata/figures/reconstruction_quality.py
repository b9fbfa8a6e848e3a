"""Quality of filled-in images against what they say of the root, by masking ratio in training."""

from __future__ import annotations

from collections.abc import Mapping

import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from maestrata.figures.arms import references
from maestrata.figures.looks import BLACK, BLUE, ORANGE, PINK, REFERENCES, SKY, VERMILION, Look, cycle
from maestrata.figures.sheet import Sheet, ratio_axis, zero
from maestrata.figures.style import Style
from maestrata.figures.words import patch_text
from maestrata.results import CubeSet, along_arms, cells, worlds_of

NAME = "reconstruction_quality"
TITLE = "Image quality and meaning of what is filled in"
CAPTION = (
    "Masked tokens of a grammar world are filled in by models trained at different masking ratios, and by "
    "one trained with larger mask patches. Structural measures (SSIM, FSIM), pixel measures (PSNR, "
    "squared error) and the exact posterior probability of the true root given the filled-in image. All "
    "models fill in the same masks; open marks: the masks of their own training. Lines: the posterior "
    "mean of the masked tokens, which no decoder can beat in squared error, and the mean pixel. Last "
    "panel: rank correlation over the ratios between each measure and the root's probability. The paper "
    "holds that structural measures follow meaning and pixel measures do not."
)
NEEDS = ("experiments/reconstruction",)

PANELS = (
    ("ssim", "SSIM", "similarity (1 at best)"),
    ("fsim", "FSIM", "similarity (1 at best)"),
    ("root_probability", "meaning", "P(root | filled-in image)"),
    ("psnr", "PSNR", "dB"),
    ("mse", "squared error, masked tokens", "squared pixel value"),
)
RANKS = (
    ("rank_ssim", "SSIM"),
    ("rank_fsim", "FSIM"),
    ("rank_psnr", "PSNR"),
    ("rank_mse", "−MSE"),
    ("rank_gap", "gap"),
)
LINES = ("exact", "grey")
COMMON = Look("same masks for all", BLUE, "o")
OWN = Look("masks as in training", SKY, "o", "--", open=True)


def draw(cubes: CubeSet, style: Style) -> Figure:
    """Draw two rows a world."""
    cube = cubes.one("experiments/reconstruction")
    worlds, patches = worlds_of(cube), _patches(cube)
    sheet = Sheet.grid(style, 2 * len(worlds), 3, panel_height=1.75, more_height=0.2)
    for world, panels in zip(worlds, sheet.axes.reshape(len(worlds), -1), strict=True):
        for ax, (quantity, title, unit) in zip(panels, PANELS, strict=False):
            _measure(sheet, ax, cube, world, quantity, patches)
            ax.set(title=title, ylabel=unit)
        _ranks(sheet, panels[-1], cube, world)
        panels[0].set_title(f"{world}: {PANELS[0][1]}")
    marks = [look.handle(linestyle="", markersize=5) for look in patches.values()]
    return sheet.done(TITLE, [COMMON, OWN, *marks, *(REFERENCES[name] for name in LINES)], [
        sheet.n_text(),
        sheet.intervals_text("bars and bands"),
        "−MSE: the smaller the error, the better; gap: mean of SSIM and FSIM minus mean of PSNR and −MSE; "
        "thin: single worlds",
    ])  # fmt: skip


def _patches(cube: xr.Dataset) -> dict[str, Look]:
    """List the mask patches of more than one token, with their looks."""
    stems = dict.fromkeys(str(arm).split("/")[0] for arm in cube["arm"].values if "/v" in str(arm))
    large = [stem for stem in stems if stem != "1x1"]
    colors = (VERMILION, PINK, ORANGE)
    return {
        stem: cycle(i, f"trained with {patch_text(stem)} patches", colors, shift=2)
        for i, stem in enumerate(large)
    }


def _measure(
    sheet: Sheet, ax: Axes, cube: xr.Dataset, world: str, quantity: str, patches: Mapping[str, Look]
) -> None:
    """Draw one measure against the ratio in training."""
    references(sheet, ax, cube, world, quantity, LINES)
    models = cells(cube, world)
    sheet.plot(ax, along_arms(cube, world, f"{quantity}_own", models), OWN)
    for stem, look in patches.items():
        for suffix, fill in (("_own", "white"), ("", look.color)):
            s = along_arms(cube, world, f"{quantity}{suffix}", cells(cube, world, stem))
            # aside the mark of one-token patches at the same ratio
            sheet.plot(ax, s, look, shift=0.035, linestyle="", markerfacecolor=fill, markersize=4.5)
    sheet.plot(ax, along_arms(cube, world, quantity, models), COMMON, worlds="thin")
    ratio_axis(ax, "masking ratio r in training")


def _ranks(sheet: Sheet, ax: Axes, cube: xr.Dataset, world: str) -> None:
    """Draw the rank correlations with the root's probability: each world a dot beside the mean."""
    for i, (quantity, name) in enumerate(RANKS):
        s = along_arms(cube, world, quantity, {"ratios": float(i)})
        if s is not None and s.n_worlds > 1:
            ax.plot([i - 0.2] * len(s.each), s.each[:, 0], ".", color="#999999", markersize=3)
        look = Look(name, BLACK, "D") if quantity == "rank_gap" else Look(name, BLUE, "o")
        sheet.plot(ax, s, look, linestyle="")
    ax.set(title="rank correlation with meaning", ylabel="Spearman's ρ over r", xlim=(-0.6, len(RANKS) - 0.4))
    ax.set_xticks(range(len(RANKS)), [name for _, name in RANKS], fontsize="x-small")
    zero(ax)
