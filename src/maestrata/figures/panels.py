"""What figures of the sweep share: panels by world and mask patch, curves by level, the controls aside."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from numpy.typing import ArrayLike

from maestrata.figures.looks import ENCODERS, MARKERS, Look, level_look
from maestrata.figures.sheet import Sheet
from maestrata.figures.words import patch_text
from maestrata.results import along_cells, scores

MASKS = ["patch_size", "offset", "mask_ratio"]
# The x axis of a panel with controls: the curves in [0, 1], then the controls, then the limit.
_FIRST, _STEP = 1.14, 0.11


CONTROLS = ("null_trained", "random_init", "pixels")
"""Encoders that no mask changes, in the order in which figures of the sweep show them."""


class Place(NamedTuple):
    """Where a panel stands in the grid; `_asdict` selects it from a cube."""

    world: str
    patch_size: int
    offset: int

    @property
    def marker(self) -> str:
        """Marker of the mask patch: by its size, aligned or offset."""
        return MARKERS[(2 * (self.patch_size.bit_length() - 1) + self.offset) % len(MARKERS)]


def places(cube: xr.Dataset) -> list[Place]:
    """List the places that have any cell in the grid: a panel each."""
    axes = ("world", "patch_size", "offset")
    there = (cube.status > 0).any([d for d in cube.status.dims if d not in axes]).transpose(*axes)
    labels = [there[axis].values.tolist() for axis in axes]
    return [Place(*(of[i] for of, i in zip(labels, at, strict=True))) for at in np.argwhere(there.values)]


def smallest(cube: xr.Dataset) -> list[Place]:
    """For each world, its smallest mask patch."""
    first: dict[str, Place] = {}
    for place in places(cube):
        first.setdefault(place.world, place)
    return list(first.values())


def place_label(cube: xr.Dataset, place: Place) -> str:
    """Title of a panel."""
    at = cube.sel(patch_size=place.patch_size, offset=place.offset)
    return f"{place.world}, mask patch {patch_text(at, ' tokens')}"


def columns_of(cube: xr.Dataset) -> xr.Dataset:
    """Keep one asked ratio for each realised one, where any cell is in the grid, in rising order.

    `cube` is at one world and patch.
    """
    asked = (cube.status > 0).any([d for d in cube.status.dims if d != "mask_ratio"])
    kept: dict[float, int] = {}
    for i in np.argsort(cube.realised_ratio.values, kind="stable"):
        if bool(asked[i]):
            kept.setdefault(float(cube.realised_ratio[i]), int(i))
    return cube.isel(mask_ratio=list(kept.values()))


def level_looks(cube: xr.Dataset) -> dict[int, Look]:
    """Looks of the latent levels of a cube, the root first."""
    levels = [int(level) for level in sorted(cube.level.values, reverse=True) if level > 0]
    return {level: level_look(level, levels[0]) for level in levels}


def level_curves(sheet: Sheet, axes: Axes, here: xr.Dataset, along: str, x: ArrayLike, **how: Any) -> None:
    """Draw R2 along an axis, one curve a level; `how` is passed to `Sheet.plot`."""
    for level, look in level_looks(here).items():
        sheet.plot(axes, along_cells(here.sel(level=level), along, x), look, **({"worlds": "own"} | how))


class Aside:
    """What stands to the right of curves over [0, 1]: the controls and the limit, which no mask changes.

    Parameters
    ----------
    cube : Dataset
        Regression cube.
    limits : Dataset, optional
        Limits cube: its limits for the whole image are drawn, exact if known, else an upper bound.
    """

    def __init__(self, cube: xr.Dataset, limits: xr.Dataset | None = None) -> None:
        # The same value stands at every cell of a world.
        self._controls = {encoder: scores(cube, encoder).max(MASKS) for encoder in CONTROLS}
        self._limits = whole_image_limits(limits)

    def draw(self, sheet: Sheet, axes: Axes, world: str) -> None:
        """Draw what each control reaches with the primary features, and the limit."""
        axes.axvline(_FIRST - 0.8 * _STEP, color="#bbbbbb", linewidth=0.5)
        for i, values in enumerate(self._controls.values()):
            here = values.sel(world=world).expand_dims("point")
            level_curves(sheet, axes, here, "point", [_FIRST + i * _STEP], markersize=3)
        if world not in self._limits:
            return
        bound, r2 = self._limits[world]
        # a bound is not a ceiling: another mark, and the axis says limit
        mark: dict[str, Any] = {"marker": "_", "markersize": 8, "markeredgewidth": 1.8}
        if bound != "exact":
            mark = {"marker": "v", "markersize": 4, "markerfacecolor": "white", "markeredgewidth": 0.8}
        for level, look in level_looks(self._controls["pixels"]).items():
            if level in r2.level.values:
                place = [_FIRST + len(CONTROLS) * _STEP]
                axes.plot(place, [float(r2.sel(level=level))], color=look.color, **mark)

    def ticks(self, sheet: Sheet, axes: Axes, at: Sequence[float], labels: Sequence[str], name: str) -> None:
        """Label the x axis: `at` of the curves, then the controls."""
        names = [ENCODERS[encoder].label for encoder in CONTROLS] + ["limit"] * bool(self._limits)
        aside = [_FIRST + i * _STEP for i in range(len(names))]
        axes.set_xlim(-0.03, aside[-1] + 0.07)
        axes.set_xticks([*at, *aside], [*labels, *names])
        for tick in axes.get_xticklabels()[len(at) :]:
            tick.set(rotation=90, fontsize="x-small")
        sheet.label(axes, "", "$R^2$")
        if axes.xaxis.get_tick_params().get("labelbottom", True):
            # The name belongs to the curves, not to the controls beside them.
            axes.annotate(
                name, (0.5, 0), (0, -17), xycoords=axes.get_xaxis_transform(), textcoords="offset points",
                ha="center", va="top", fontsize=axes.xaxis.label.get_fontsize(), annotation_clip=False,
            )  # fmt: skip

    def text(self, worlds: Iterable[str]) -> str:
        """Say what the limits of the worlds that are shown are."""
        names = {"exact": "bars: ceiling by exact inference", "upper": "arrowheads: upper bound only"}
        text = bounds_text(
            [(world, self._limits[world][0]) for world in worlds if world in self._limits], names
        )
        return f"limit for the whole image; {text}" if text else ""


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
