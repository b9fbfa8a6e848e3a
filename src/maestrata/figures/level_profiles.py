"""What the theory says before any training: where the shared information sits, and what rivals say."""

from __future__ import annotations

import numpy as np
import xarray as xr
from matplotlib.figure import Figure

from maestrata.figures.looks import BLUE, ORANGE, VERMILION, Look, cycle, level_look
from maestrata.figures.sheet import Sheet, ratio_axis, small_legend
from maestrata.figures.style import Style
from maestrata.figures.theorem import INTERVALS, VERSIONS, masks_text, points, there, tree_text
from maestrata.figures.words import decimals, listed, patch_text, realised_text, short
from maestrata.results import CubeSet, levels_with

TITLE = "What the theory says before training, by masking ratio"
CAPTION = (
    "At which level lies what masked and visible part share, by theory alone. First row: probability that "
    "a node of each level is in c, under the readings of Theorem 1. Second row: mean level of c, a curve "
    "a mask patch; the same beside rival accounts: demand, the level of a masked token's first ancestor "
    "with a visible token below it, demand times the supply of the root, and the reach of the best linear "
    "map; and supply, R2 of each level given the visible part, on the Gaussian twin of the graph. A fixed "
    "number of patches is visible, as in training. Shown is the world with the most patches and ratios."
)
NEEDS = ("theory",)

# variable, labels -> look
ACCOUNTS: tuple[tuple[str, dict[str, str], Look], ...] = (
    ("mean_level", {"tie": "highest"}, Look("c, highest", BLUE, "o")),
    ("mean_level", {"tie": "lowest"}, Look("c, lowest", BLUE, "v", ":", open=True)),
    ("climb", {}, Look("demand", VERMILION, "s")),
    ("supply_demand", {}, Look("demand × supply", VERMILION, "X", "--", open=True)),
    ("linear_reach", {"linear_loss": "masked"}, Look("linear reach", ORANGE, "D")),
)

# those of which the figure's sentence speaks
TOLD = {
    "mean_level": "the mean level of c (separator, highest)",
    "supply_demand": "demand times supply of the root",
}


def draw(cubes: CubeSet, style: Style) -> Figure:
    """Draw two rows of three panels."""
    shown = _fullest(cubes.one("theory").sel(drawing="fixed"))
    patches = _patches(shown)
    levels = levels_with(shown.p_in_c)
    looks = {level: level_look(level, levels[0]) for level in levels}
    size, offset = next(iter(patches))
    smallest = shown.sel(patch_size=size, offset=offset)
    x = smallest.realised_ratio
    separator = smallest.sel(reading="separator")
    sheet = Sheet.grid(style, 2, 3, panel_height=1.85)
    for ax, (reading, tie, name) in zip(sheet.axes[0], VERSIONS, strict=True):
        at = smallest.sel(reading=reading, tie=tie)
        for level, look in looks.items():
            points(ax, x, at.p_in_c.sel(level=level), at.p_in_c_error.sel(level=level), look)
        ax.set(title=name, ylim=(-0.04, 1.04))
        ratio_axis(ax, "")
    sheet.axes[0, 0].set_ylabel("P(node in c)")
    by_patch, accounts, supply = sheet.axes[1]
    for (size, offset), look in patches.items():
        at = shown.sel(reading="separator", tie="highest", patch_size=size, offset=offset)
        points(by_patch, at.realised_ratio, at.mean_level, at.mean_level_error, look, label=look.label)
    for name, labels, look in ACCOUNTS:
        error = separator.get(f"{name}_error")
        values = separator[name].sel(labels)
        points(accounts, x, values, None if error is None else error.sel(labels), look, label=look.label)
    for level, look in looks.items():
        points(supply, x, smallest.supply.sel(level=level), smallest.supply_error.sel(level=level), look)
    by_patch.set(title="c by mask patch, in tokens", ylabel="mean level of c")
    accounts.set(title="c beside rival accounts", ylabel="level", ylim=(0, None))
    supply.set(title="supply", ylabel="R² from visible part", ylim=(0, 1.04))
    for ax in sheet.axes[1]:
        ratio_axis(ax)
    small_legend(by_patch, -(-len(patches) // 2), ncols=2)
    small_legend(accounts, 3, ncols=2)
    return sheet.done(TITLE, _told(separator), looks.values(), [
        f"world {shown.world.values}, world seed {int(shown.world_seed)}; n = "
        f"{masks_text(shown.n_masks)} masks at each point; {INTERVALS}",
        realised_text(shown),
        *tree_text(shown),
    ])  # fmt: skip


def _told(at: xr.Dataset) -> str:
    """Say at which ratio each account is highest."""
    told = []
    for name, labels, look in ACCOUNTS:
        values = at[name].sel(labels).values
        if np.isfinite(values).sum() > 1 and look.label in ("c, highest", "demand × supply"):
            best = int(np.nanargmax(values.round(6)))
            ratio = short(float(at.realised_ratio[best]))
            told.append(f"{TOLD[name]} at r = {ratio} ({decimals(float(values[best]))})")
    return f"{at.world.values}: largest are {listed(told)}." if told else ""


def _fullest(cube: xr.Dataset) -> xr.Dataset:
    """Return the world and world seed with the most mask distributions, masked as in training."""
    known = np.isfinite(cube.n_masks).sum(["patch_size", "offset", "mask_ratio"])
    world, seed = np.unravel_index(int(known.values.argmax()), known.shape)
    return cube.isel(world=int(world), world_seed=int(seed))


def _patches(shown: xr.Dataset) -> dict[tuple[int, int], Look]:
    """List the mask patches (size, offset) of a world that there are, the smallest first."""
    known = there(shown.n_masks, "patch_size", "offset").transpose("patch_size", "offset")
    pairs = [(int(known.patch_size[i]), int(known.offset[j])) for i, j in np.argwhere(known.values)]
    names = [patch_text(shown.sel(patch_size=size, offset=offset)) for size, offset in pairs]
    return {
        pair: cycle(i, name.replace(",", "")) for i, (pair, name) in enumerate(zip(pairs, names, strict=True))
    }
