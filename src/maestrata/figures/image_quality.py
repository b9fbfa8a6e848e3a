"""Quality of what whole images become in models trained at different masking ratios, by mask patch."""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure

from maestrata.figures.arms import measured, references
from maestrata.figures.looks import REFERENCES, cycle
from maestrata.figures.sheet import Sheet, ratio_axis
from maestrata.figures.style import Style
from maestrata.figures.words import patch_text, short
from maestrata.results import CubeSet, along_arms, cells

TITLE = "Quality of what whole images become"
CAPTION = (
    "How well models of different masking ratios reconstruct given images. "
    "Whole test images pass through encoder and decoder of models trained at different masking ratios, with "
    "nothing masked, as in the paper: structural similarity (SSIM, FSIM), peak signal-to-noise ratio and "
    "squared error, a curve a mask patch. SSIM and FSIM are there for images of 11 to 383 pixels a side. "
    "Line: the network before training, of SSIM and FSIM. Worlds are splits of the images."
)
NEEDS = ("experiments/image_quality",)

ROWS = (
    (("ssim", "SSIM", "similarity (1 at best)"), ("fsim", "FSIM", "similarity (1 at best)")),
    (("psnr", "PSNR", "dB"), ("mse", "squared error", "squared pixel value")),
)
BOUNDED = ("ssim", "fsim")  # elsewhere a model that has learnt nothing would take the whole panel


def draw(cubes: CubeSet, style: Style) -> Figure:
    """Draw two rows a world; one where images are too small for structure."""
    cube = cubes.one("experiments/image_quality")
    worlds = measured(cube)
    rows = [row for row in ROWS if {quantity for quantity, *_ in row} & set(cube.quantity.values)]
    panels = [panel for row in rows for panel in row]
    sheet = Sheet.grid(style, len(rows) * len(worlds), 2, panel_height=1.75)
    stems = list(dict.fromkeys(str(arm).split("/")[0] for arm in cube.arm.values if "/" in str(arm)))
    told: list[str] = []
    looks = {stem: cycle(i, f"mask patch {patch_text(stem)} tokens") for i, stem in enumerate(stems)}
    for world, row in zip(worlds, sheet.axes.reshape(len(worlds), -1), strict=True):
        for ax, (quantity, title, unit) in zip(row, panels, strict=True):
            if quantity in BOUNDED:
                references(sheet, ax, cube, world, quantity, ["random_init"])
            for stem, look in looks.items():
                models = cells(cube, world, stem)
                s = along_arms(cube, world, quantity, models)
                sheet.plot(ax, s, look, worlds="thin")
                if s is not None and quantity == "psnr" and stem == stems[0]:
                    best = int(np.argmax(s.mean))
                    at = f"r = {short(float(s.x[best]))}, PSNR {s.mean[best]:.1f} dB"
                    told.append(f"{world}: whole images come out best at {at} ({patch_text(stem)} tokens).")
            ratio_axis(ax, "masking ratio r in training")
            ax.set(title=title, ylabel=unit)
        row[0].set_title(f"{world}: {panels[0][1]}")
    line = [REFERENCES["random_init"]] * any(quantity in BOUNDED for quantity, *_ in panels)
    return sheet.done(
        TITLE, " ".join(told), [*looks.values(), *line], [sheet.n_text(), sheet.intervals_text()]
    )
