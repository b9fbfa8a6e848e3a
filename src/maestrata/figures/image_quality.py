"""Quality of given images, whole and filled in, of models trained at different masking ratios."""

from __future__ import annotations

from matplotlib.figure import Figure

from maestrata.figures.arms import measured, references
from maestrata.figures.looks import REFERENCES, cycle
from maestrata.figures.sheet import Sheet, ratio_axis
from maestrata.figures.style import Style
from maestrata.figures.words import best_ratio, estimate, patch_text, short
from maestrata.results import CubeSet, along_arms, cells

TITLE = "Quality of given images, passed through whole and filled in"
CAPTION = (
    "How well models of different masking ratios reconstruct given images. "
    "Left: whole test images pass through encoder and decoder of models trained at different masking ratios, "
    "with nothing masked, as in the paper; the decoder was never trained on visible tokens. Right: the "
    "same masks for all models, masked tokens filled in. Structural similarity (SSIM, FSIM; of images of 11 "
    "to 383 pixels a side), peak signal-to-noise ratio, and the share of images whose class a probe of "
    "pixels tells from what comes out, a curve a mask patch. Dashed: the network before training. Worlds are "
    "splits of the images."
)
NEEDS = ("experiments/image_quality",)

ROWS = {
    "ssim": ("SSIM", "similarity (1 at best)"),
    "fsim": ("FSIM", "similarity (1 at best)"),
    "psnr": ("PSNR", "dB"),
    "class_told": ("class told", "accuracy"),
}
COLUMNS = {"": "whole", "_masked": "filled in"}


def draw(cubes: CubeSet, style: Style) -> Figure:
    """Draw a row a world and quantity that its cube has; what is whole beside what is filled in."""
    cube = cubes.one("experiments/image_quality")
    there = set(cube.quantity.values)
    rows = [(world, name) for world in measured(cube) for name in ROWS if name in there]
    sheet = Sheet.grid(style, len(rows), 2, panel_height=1.5, sharey="row")
    stems = list(dict.fromkeys(str(arm).split("/")[0] for arm in cube.arm.values if "/" in str(arm)))
    looks = {stem: cycle(i, f"mask patch {patch_text(stem)} tokens") for i, stem in enumerate(stems)}
    told: list[str] = []
    for axes, (world, name) in zip(sheet.axes, rows, strict=True):
        title, unit = ROWS[name]
        for ax, (suffix, what) in zip(axes, COLUMNS.items(), strict=True):
            quantity = f"{name}{suffix}"
            references(sheet, ax, cube, world, quantity, ["random_init"])
            for stem, look in looks.items():
                s = along_arms(cube, world, quantity, cells(cube, world, stem)) if quantity in there else None
                sheet.plot(ax, s, look, worlds="thin")
                if s is not None and name == "psnr" and stem == stems[0]:
                    best, but = best_ratio(s)
                    told.append(f"{what} at r = {short(float(s.x[best]))}, {estimate(s, best)} dB{but}")
            ratio_axis(ax, "masking ratio r in training")
            ax.set_title(f"{world}: {title}, {what}")
        axes[0].set_ylabel(unit)
    sentence = (
        f"Highest mean PSNR, masks of {patch_text(stems[0])} tokens: {'; '.join(told)}." if told else ""
    )
    return sheet.done(
        TITLE,
        sentence,
        [*looks.values(), REFERENCES["random_init"]],
        [sheet.n_text(unit="split"), sheet.intervals_text(unit="split")],
    )
