"""R2 of every level against the size of the mask patch."""

from __future__ import annotations

import numpy as np
import xarray as xr
from matplotlib.figure import Figure

from maestrata.figures.looks import Look
from maestrata.figures.panels import Aside, level_curves, level_looks
from maestrata.figures.sheet import Sheet, missing
from maestrata.figures.style import Style
from maestrata.figures.words import patch_text, scores_text, short
from maestrata.results import CubeSet, scores

NAME = "r2_by_patch"
TITLE = "What is recovered at each level, by size of the mask patch"
CAPTION = (
    "R2 of each level's latents against the size of the mask patch, one panel a world and asked masking "
    "ratio that was run with more than one patch. Filled, solid: patches aligned with the tree, one "
    "level of it apart; open, dashed: the same patches shifted by half a block. Right of each "
    "panel, at the same features and with the same intervals: the same network trained on other images' "
    "targets, before training, and pixels; and, where it is known, the ceiling by exact inference."
)
NEEDS = ("regression",)
USES = ("limits",)

OFFSET = Look("offset", "#555555", line="--", open=True)


def draw(cubes: CubeSet, style: Style) -> Figure:
    """Draw one panel a world and ratio; say so where the run has one patch only."""
    cube = cubes.one("regression")
    trained, aside, panels = scores(cube), Aside(cube, cubes.get("limits")), _panels(cube)
    sheet = Sheet.flow(style, max(len(panels), 1))
    sizes = cube.sizes["patch_size"]
    x = np.linspace(0.1, 0.9, sizes) if sizes > 1 else np.array([0.5])
    names = [patch_text(cube.sel(patch_size=size).isel(offset=0)) for size in cube.patch_size.values]
    for ax, (world, ratio) in zip(sheet.axes, panels, strict=False):
        here = trained.sel(world=world, mask_ratio=ratio)
        for offset in here.offset.values:
            how = {"markerfacecolor": "white", "linestyle": "--"} if offset else {}
            level_curves(sheet, ax, here.sel(offset=offset), "patch_size", x, **how)
        aside.draw(sheet, ax, world)
        aside.ticks(sheet, ax, x.tolist(), names, "mask patch, tokens")
        ax.set_title(f"{world}, asked masking ratio {short(ratio)}")
    if not panels:
        missing(sheet.axes[0], "this run has one mask patch a world:\nnothing to compare")
        sheet.axes[0].set_axis_off()
    sheet.from_zero()
    legend = [*level_looks(cube).values(), *([OFFSET] if 1 in cube.offset.values else [])]
    limits = aside.text(world for world, _ in panels)
    return sheet.done(TITLE, legend, [scores_text(cube, trained), sheet.intervals_text(), limits])


def _panels(cube: xr.Dataset) -> list[tuple[str, float]]:
    """List worlds and asked ratios that are in the grid with more than one patch."""
    there = (cube.status > 0).any(["world_seed", "seed"])
    several = there.sum(["patch_size", "offset"]) > 1
    return [
        (str(world), float(ratio))
        for world in cube.world.values
        for ratio in cube.mask_ratio.values
        if bool(several.sel(world=world, mask_ratio=ratio))
    ]
