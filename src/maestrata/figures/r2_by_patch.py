"""R2 of every level against the size of the mask patch."""

from __future__ import annotations

from functools import partial

import numpy as np
import xarray as xr
from matplotlib.figure import Figure

from maestrata.figures.panels import LINES, Recovery, level_looks
from maestrata.figures.sheet import Sheet, missing
from maestrata.figures.style import Style
from maestrata.figures.words import decimals, listed, patch_text, scores_text, short, span
from maestrata.results import CubeSet, along_cells, levels_with

TITLE = "What is recovered of each level, by size of the mask patch"
CAPTION = (
    "How well each level's latents are predicted when the masked patches are larger. One panel a world "
    "and asked masking ratio that was run with more than one patch, of the world seeds that have them "
    "all. Offset patches are shifted by half a block: as large, but not aligned with the tree. Thin lines "
    "of the same colour: the ceiling by exact inference, the linear masked autoencoder, and the same "
    "network trained on other images' targets."
)
NEEDS = ("regression",)
USES = ("limits",)


def draw(cubes: CubeSet, style: Style) -> Figure:
    """Draw one panel a world and ratio; say so where the run has one patch only."""
    shown = Recovery(cubes)
    panels = _panels(shown.cube)
    parts = [shown.trained.sel(world=world, mask_ratio=ratio) for world, ratio, _ in panels]
    looks = level_looks(*parts)
    sheet = Sheet.flow(style, max(len(panels), 1))
    told = []
    for ax, (world, ratio, kept) in zip(sheet.axes, panels, strict=False):
        pick = partial(_pick, world=world, ratio=ratio, kept=kept)
        here = pick(shown.trained)
        x = np.arange(len(kept[1]))
        shown.draw(sheet, ax, pick, looks, "patch", x)
        names = [
            patch_text(shown.cube.sel(patch_size=size, offset=offset)) for size, offset in here.patch.values
        ]
        names = [name.replace(",", "") for name in names]
        ax.set_xticks(x, names)
        ax.set_xlim(-0.3, len(x) - 0.7)
        ax.set_title(f"{world}, r = {short(ratio)}")
        sheet.label(ax, "mask patch, tokens", "R²")
        told.append(_told(f"{world}, r = {short(ratio)}", names, here))
    if not panels:
        missing(sheet.axes[0], "this run has one mask patch a world: nothing to compare")
        sheet.axes[0].set_axis_off()
    sheet.from_zero()
    legend = [*looks.values(), *LINES] if panels else []
    return sheet.done(TITLE, " ".join(filter(None, told)), legend, [
        scores_text(shown.cube, shown.trained),
        f"{sheet.intervals_text()}; {shown.bounds(world for world, *_ in panels)}",
    ])  # fmt: skip


_Kept = tuple[np.ndarray, np.ndarray]


def _pick(cube: xr.Dataset, world: str, ratio: float, kept: _Kept) -> xr.Dataset:
    here = cube.sel(world=world, mask_ratio=ratio).stack(patch=("patch_size", "offset"))
    return here.isel(world_seed=kept[0], patch=kept[1])


def _panels(cube: xr.Dataset) -> list[tuple[str, float, _Kept]]:
    """List worlds and asked ratios with more than one patch, and which world seeds and patches are shown."""
    there = (cube.status > 0).any("seed").stack(patch=("patch_size", "offset"))
    panels = []
    for world in map(str, cube.world.values):
        for ratio in map(float, cube.mask_ratio.values):
            here = there.sel(world=world, mask_ratio=ratio).transpose("world_seed", "patch").values
            patches = here.any(0)
            seeds = here[:, patches].all(1)
            if patches.sum() > 1:
                seeds = seeds if seeds.any() else here.any(1)
                panels.append((world, ratio, (np.flatnonzero(seeds), np.flatnonzero(patches))))
    return panels


def _told(where: str, names: list[str], here: xr.Dataset) -> str:
    """Say what the root comes to at each patch, and after how many images where these differ."""
    levels = levels_with(here.r2)
    s = along_cells(here.sel(level=levels[0]), "patch", np.arange(len(names))) if levels else None
    if s is None:
        return ""
    scores = [f"{decimals(float(mean))} with {names[int(x)]}" for x, mean in zip(s.x, s.mean, strict=True)]
    seen = here.images_seen.max(["world_seed", "seed"]).values
    known = np.unique(seen[np.isfinite(seen)])
    images = f" (trained on {span(known)} images)" if len(known) > 1 else ""
    return f"{where}: R² of the root is {listed(scores)}{images}."
