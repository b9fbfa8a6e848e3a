"""Quality of filled-in images against what they say of the root, by masking ratio in training."""

from __future__ import annotations

import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from maestrata.figures.arms import measured, references
from maestrata.figures.looks import BLUE, REFERENCES, SKY, Look
from maestrata.figures.sheet import Sheet, ratio_axis, zero
from maestrata.figures.style import Style
from maestrata.figures.words import estimate
from maestrata.results import CubeSet, along_arms, cells

TITLE = "Image quality and meaning of what comes out"
CAPTION = (
    "Whether images that look right mean the right thing. Whole images pass through models trained at "
    "different masking ratios, with nothing masked, as in the paper. Structural measures (SSIM, FSIM), "
    "pixel measures (PSNR, squared error) and the exact posterior probability of the true root given what "
    "comes out. Open marks: the same of images whose masked tokens are filled in, the masks being the "
    "same for all models. Line: the posterior mean of the masked tokens, which no decoder can beat in "
    "squared error. Last panel: rank correlation over the ratios between each measure and the root's "
    "probability, of whole images. The paper holds that structural measures follow meaning and pixel "
    "measures do not."
)
NEEDS = ("experiments/reconstruction",)

PANELS = (
    ("ssim", "SSIM", "similarity (1 at best)"),
    ("fsim", "FSIM", "similarity (1 at best)"),
    ("root_probability", "meaning", "P(root | what comes out)"),
    ("psnr", "PSNR", "dB"),
    ("mse", "squared error", "squared pixel value"),
)
RANKS = (
    ("rank_ssim", "SSIM"),
    ("rank_fsim", "FSIM"),
    ("rank_psnr", "PSNR"),
    ("rank_mse", "−MSE"),
)
LINES = ("exact",)
WHOLE = Look("whole images, nothing masked", BLUE, "o")
MASKED = Look("masked tokens filled in", SKY, "o", "--", open=True)


def draw(cubes: CubeSet, style: Style) -> Figure:
    """Draw two rows a world."""
    cube = cubes.one("experiments/reconstruction")
    worlds = measured(cube)
    sheet = Sheet.grid(style, 2 * len(worlds), 3, panel_height=1.7)
    for world, panels in zip(worlds, sheet.axes.reshape(len(worlds), -1), strict=True):
        for ax, (quantity, title, unit) in zip(panels, PANELS, strict=False):
            _measure(sheet, ax, cube, world, quantity)
            ax.set(title=title, ylabel=unit)
        _ranks(sheet, panels[-1], cube, world)
        panels[0].set_title(f"{world}: {PANELS[0][1]}")
    told = " ".join(filter(None, (_told(cube, world) for world in worlds)))
    return sheet.done(TITLE, told, [WHOLE, MASKED, *(REFERENCES[name] for name in LINES)], [
        sheet.n_text(),
        sheet.intervals_text("bars and bands"),
        "−MSE: the smaller the error, the better; thin curves and dots: single worlds",
    ])  # fmt: skip


def _told(cube: xr.Dataset, world: str) -> str:
    """Say by how much more structural measures follow the root's probability than pixel measures."""
    gap = along_arms(cube, world, "rank_gap", {"ratios": 0.0})
    if gap is None:
        return ""
    return (
        f"{world}: rank correlation with the root's probability, mean of SSIM and FSIM minus mean of PSNR "
        f"and −MSE: {estimate(gap, 0, plus=True)}."
    )


def _measure(sheet: Sheet, ax: Axes, cube: xr.Dataset, world: str, quantity: str) -> None:
    """Draw one measure against the ratio in training."""
    references(sheet, ax, cube, world, f"{quantity}_masked", LINES)
    models = cells(cube, world)
    sheet.plot(ax, along_arms(cube, world, f"{quantity}_masked", models), MASKED)
    sheet.plot(ax, along_arms(cube, world, quantity, models), WHOLE, worlds="thin")
    ratio_axis(ax)


def _ranks(sheet: Sheet, ax: Axes, cube: xr.Dataset, world: str) -> None:
    """Draw the rank correlations with the root's probability: each world a dot beside the mean."""
    for i, (quantity, name) in enumerate(RANKS):
        s = along_arms(cube, world, quantity, {"ratios": float(i)})
        if s is not None and s.n_worlds > 1:
            ax.plot([i - 0.2] * len(s.each), s.each[:, 0], ".", color="#999999", markersize=3)
        sheet.plot(ax, s, Look(name, BLUE, "o"), linestyle="")
    ax.set(title="rank correlation with meaning", ylabel="Spearman's ρ over r", xlim=(-0.6, len(RANKS) - 0.4))
    ax.set_ylim(-1.1, 1.1)
    ax.set_xticks(range(len(RANKS)), [name for _, name in RANKS])
    zero(ax)
