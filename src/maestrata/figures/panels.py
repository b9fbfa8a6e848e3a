"""What figures of the sweep share: panels by world and mask patch, curves by level, lines beside them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from numpy.typing import ArrayLike

from maestrata.figures.looks import Look, level_look
from maestrata.figures.sheet import Sheet
from maestrata.figures.style import curve
from maestrata.figures.words import listed, patch_text
from maestrata.results import CubeSet, along_cells, levels_with, scores
from maestrata.results.places import Place
from maestrata.results.primary import CLASS

MASKS = ["patch_size", "offset", "mask_ratio"]
THIN = {"linear_mae": (0, (1, 1.2)), "null_trained": (0, (4, 2))}
"""Encoder -> dashes of the thin line that curves are compared with."""
CEILING = (0, (9, 1.5, 1, 1.5))
LINES = (
    Look("ceiling", "#555555", None, CEILING),
    Look("linear MAE", "#555555", None, THIN["linear_mae"]),
    Look("null-trained", "#555555", None, THIN["null_trained"]),
)
"""Names of the thin lines, for the legend."""


def name_of(cube: xr.Dataset, place: Place) -> str:
    """Name a place: its world, and its mask patch where that is not a single token."""
    patch = patch_text(cube.sel(patch_size=place.patch_size, offset=place.offset))
    return place.world if patch == "1×1" else f"{place.world}, {patch}"


def level_looks(*parts: xr.Dataset) -> dict[int, Look]:
    """Looks of the latent levels at which any of these parts of a cube has a score, the highest first.

    Where not all have the same root, the legend says whose it is. Given images have a class in its place.
    """
    tops: dict[int, list[str]] = {}
    for part in parts:
        for level in levels_with(part.r2)[:1]:
            tops.setdefault(level, []).append(str(part["world"].values))
    known = sorted({level for part in parts for level in levels_with(part.r2)}, reverse=True)
    looks = {level: level_look(level, known[0]) for level in known if level > 0}
    if len(tops) > 1:
        roots = {level: f" (root of {listed(dict.fromkeys(worlds))})" for level, worlds in tops.items()}
        looks = {
            level: replace(look, label=f"level {level}{roots.get(level, '')}")
            for level, look in looks.items()
        }
    if all("target" in part.coords and np.all(part["target"] == CLASS) for part in parts):
        looks = {level: replace(look, label="class") for level, look in looks.items()}
    return looks


class Recovery:
    """R2 of every level, and the thin lines that it is compared with.

    Parameters
    ----------
    cubes : CubeSet
        With a regression cube, and one of limits where a run has it.
    """

    def __init__(self, cubes: CubeSet) -> None:
        cube = cubes.one("regression")
        self.cube, self.trained = cube, scores(cube)
        self._thin = {encoder: scores(cube, encoder) for encoder in THIN}
        self._limits = whole_image_limits(cubes.get("limits"))

    def draw(
        self,
        sheet: Sheet,
        axes: Axes,
        pick: Callable[[xr.Dataset], xr.Dataset],
        looks: Mapping[int, Look],
        along: str,
        x: ArrayLike,
    ) -> None:
        """Draw a panel along an axis of the grid.

        Parameters
        ----------
        sheet : Sheet
        axes : Axes
        pick : function
            Takes the panel's part of scores: at one world, of no other axes than `along` and seeds.
        looks : mapping
            Of the levels.
        along : str
        x : array
            Where the labels of `along` stand.
        """
        here = pick(self.trained)
        wide = 0.004 * float(np.ptp(np.asarray(x)))  # intervals side by side
        limit = self._limits.get(str(here.world.values))
        # the root last: it lies above the others
        for k, (level, look) in reversed([*enumerate(looks.items())]):
            for encoder, dashes in THIN.items():
                s = along_cells(pick(self._thin[encoder]).sel(level=level), along, x)
                if s is not None:
                    curve(axes, s.x, s.mean, color=look.color, linestyle=dashes, linewidth=0.8, zorder=1)
            if limit is not None and level in limit[1].level.values:
                ceiling = float(limit[1].sel(level=level))
                axes.axhline(ceiling, color=look.color, linestyle=CEILING, linewidth=0.7, zorder=1)
            s = along_cells(here.sel(level=level), along, x)
            sheet.plot(axes, s, look, worlds="own", shift=wide * (k - (len(looks) - 1) / 2))

    def bounds(self, worlds: Iterable[str]) -> str:
        """Say what the limits of the worlds that are shown are."""
        names = {"exact": "ceiling by exact inference", "upper": "an upper bound in its place"}
        return bounds_text([(w, self._limits[w][0]) for w in worlds if w in self._limits], names)


def whole_image_limits(limits: xr.Dataset | None) -> dict[str, tuple[str, xr.DataArray]]:
    """Limits of R2 for the whole image, by world: the kind of bound, and its mean over worlds by level."""
    if limits is None or "0" not in limits.eval_ratio.values or "latent" not in limits.target.values:
        return {}
    whole = limits.r2.sel(eval_ratio="0", target="latent").mean(["world_seed", *MASKS])
    known = {str(world): bounded(whole.sel(world=world)) for world in limits.world.values}
    return {world: limit for world, limit in known.items() if limit is not None}


def bounded(limit: xr.DataArray) -> tuple[str, xr.DataArray] | None:
    """Take the exact value of a limit if it is known, else its upper bound: (kind of bound, values)."""
    for bound in ("exact", "upper"):
        if bound in limit.bound.values and np.isfinite(limit.sel(bound=bound)).any():
            return bound, limit.sel(bound=bound)
    return None


def bounds_text(bounds: Iterable[tuple[str, str]], names: Mapping[str, str]) -> str:
    """Name the kinds of bound that there are, each with its worlds, given as (world, kind)."""
    given = list(dict.fromkeys(bounds))
    worlds = {kind: ", ".join(world for world, of in given if of == kind) for kind in names}
    return "; ".join(f"{names[kind]} ({told})" for kind, told in worlds.items() if told)
