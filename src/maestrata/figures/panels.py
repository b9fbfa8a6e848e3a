"""Panels that several figures share: curves by level with the controls beside them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from maestrata.figures.style import ENCODERS, MARKERS, Style, level_color, level_marker
from maestrata.figures.summary import Summary, patch_label, patches, reading, summarise

if TYPE_CHECKING:
    import xarray as xr

__all__ = ["CONTROLS", "CurvePanel", "level_legend", "levels_of", "summary_curve"]

CONTROLS = ("random_init", "pixels", "pca")
# The x axis of a curve panel: the curves in [0, 1], then the controls, then the ceiling.
_FIRST, _STEP = 1.14, 0.11


def levels_of(cube: xr.Dataset) -> list[int]:
    """Latent levels of a cube, the root first."""
    return [int(level) for level in sorted(cube.level.values, reverse=True) if level > 0]


def summary_curve(
    style: Style, axes: Axes, x: Any, summary: Summary, color: Any, marker: str, **line: Any
) -> None:
    """Draw a summary along its one dimension: the mean with its interval, or each world by itself."""
    if summary.over_worlds:
        style.curve(axes, x, summary.mean, summary.low, summary.high, color=color, marker=marker, **line)
        return
    several = summary.n_worlds > 1
    for seed in summary.each.world_seed.values:
        each = (part.sel(world_seed=seed) for part in (summary.each, summary.each_low, summary.each_high))
        thin = {"linewidth": 0.6, "markersize": 2.2} if several else {}
        style.curve(axes, x, *each, color=color, marker=marker, **(line | thin))
    if several:
        style.curve(axes, x, summary.mean, color=color, marker=None, **({"linewidth": 1.6} | line))


class CurvePanel:
    """Draws panels of R2 by level over [0, 1], with the controls and the ceiling to the right of it.

    Parameters
    ----------
    style : Style
    cube : Dataset
        Regression cube.
    limits : Dataset, optional
        Limits cube: its ceilings for the whole image are drawn.
    """

    def __init__(self, style: Style, cube: xr.Dataset, limits: xr.Dataset | None = None) -> None:
        self.style = style
        self.cube = cube
        self.levels = levels_of(cube)
        self._controls: dict[tuple[str, str], Summary] = {}
        self._ceilings = {} if limits is None else ceilings(limits)

    def limits_text(self, shown: Iterable[str]) -> str:
        """Say what the ceilings of the worlds that are shown are."""
        named = {"exact": "bars: ceiling by exact inference", "upper": "arrowheads: upper bound only"}
        places, parts = list(dict.fromkeys(shown)), []
        for bound, name in named.items():
            worlds = [w for w in places if w in self._ceilings and self._ceilings[w][0] == bound]
            parts += [f"{name} ({', '.join(worlds)})"] if worlds else []
        return f"limit for the whole image; {'; '.join(parts)}" if parts else ""

    def curves(self, axes: Axes, x: Any, summary: Summary, mean_only: bool = False, **line: Any) -> None:
        """Draw one curve a level, with intervals or as the mean alone."""
        for level in self.levels:
            color, marker = level_color(level, self.levels[0]), level_marker(level)
            here = summary.at(level=level)
            if mean_only:
                self.style.curve(axes, x, here.mean, color=color, marker=marker, **line)
            else:
                summary_curve(self.style, axes, x, here, color, marker, **line)

    def controls(self, axes: Axes, world: str) -> None:
        """Draw what each control reaches at the primary reading; they do not depend on the mask."""
        axes.axvline(_FIRST - 0.8 * _STEP, color="#bbbbbb", linewidth=0.5)
        for place, encoder in enumerate(CONTROLS):
            if (world, encoder) not in self._controls:
                found = reading(self.cube.sel(world=world), encoder)
                # The same value stands at every cell of the world.
                found = found.max(["patch_size", "offset", "mask_ratio"])
                self._controls[world, encoder] = summarise(found.expand_dims("point"))
            self.curves(axes, [_FIRST + place * _STEP], self._controls[world, encoder], markersize=3)
        if world in self._ceilings:
            bound, values = self._ceilings[world]
            # a bound is not a ceiling: another mark, and the axis says limit
            mark: dict[str, Any] = {"marker": "_", "markersize": 8, "markeredgewidth": 1.8}
            if bound != "exact":
                mark = {"marker": "v", "markersize": 4, "markerfacecolor": "white", "markeredgewidth": 0.8}
            for level in self.levels:
                if level in values.level.values:
                    axes.plot(
                        [_FIRST + len(CONTROLS) * _STEP],
                        [float(values.sel(level=level))],
                        color=level_color(level, self.levels[0]),
                        **mark,
                    )

    def ticks(self, axes: Axes, places: Sequence[float], labels: Sequence[str], name: str) -> None:
        """Label the x axis: `places` of the curves, then the controls."""
        names = [ENCODERS[encoder][0] for encoder in CONTROLS]
        if self._ceilings:
            names.append("limit")
        aside = [_FIRST + i * _STEP for i in range(len(names))]
        axes.set_xlim(-0.03, aside[-1] + 0.07)
        axes.set_xticks([*places, *aside], [*labels, *names])
        for tick in axes.get_xticklabels()[len(places) :]:
            tick.set(rotation=90, fontsize="x-small")
        self.style.label(axes, "", "$R^2$")
        if axes.xaxis.get_tick_params().get("labelbottom", True):
            # The name belongs to the curves, not to the controls beside them.
            axes.annotate(
                name,
                (0.5, 0),
                (0, -17),
                xycoords=axes.get_xaxis_transform(),
                textcoords="offset points",
                ha="center",
                va="top",
                fontsize=axes.xaxis.label.get_fontsize(),
                annotation_clip=False,
            )


def ceilings(limits: xr.Dataset) -> dict[str, tuple[str, xr.DataArray]]:
    """Ceiling of each world for the whole image, exact if known: (kind of bound, R2 over `level`)."""
    found: dict[str, tuple[str, xr.DataArray]] = {}
    if "0" not in limits.eval_ratio.values or "latent" not in limits.target.values:
        return found
    whole = limits.r2.sel(eval_ratio="0", target="latent")
    whole = whole.mean(["world_seed", "patch_size", "offset", "mask_ratio"])
    for world in limits.world.values:
        for bound in ("exact", "upper"):
            if bound in limits.bound.values:
                values = whole.sel(world=world, bound=bound)
                if np.isfinite(values).any() and str(world) not in found:
                    found[str(world)] = (bound, values)
    return found


def level_legend(levels: Sequence[int]) -> list[Line2D]:
    """Handles that name the levels, for `Style.title`."""
    top = max(levels)
    return [
        Line2D(
            [],
            [],
            color=level_color(level, top),
            marker=level_marker(level),
            markersize=4,
            linewidth=1.2,
            label=f"level {level}{' (root)' if level == top else ''}",
        )
        for level in levels
    ]


def places(cube: xr.Dataset) -> list[tuple[str, int, int]]:
    """List the (world, patch_size, offset) that have any cell in the grid: a panel each."""
    return [(w, *p) for w in map(str, cube.world.values) for p in patches(cube.sel(world=[w]))]


def place_label(cube: xr.Dataset, world: str, size: int, offset: int) -> str:
    """Title of a panel."""
    return f"{world}, mask patch {patch_label(cube, size, offset)}"


def patch_marker(size: int, offset: int) -> str:
    """Marker of a mask patch: by its size, aligned or offset."""
    return MARKERS[(2 * (int(size).bit_length() - 1) + int(offset)) % len(MARKERS)]


def columns_of(cube: xr.Dataset) -> xr.Dataset:
    """Keep one asked ratio for each realised one, where any cell is in the grid, in rising order.

    `cube` is at one world and patch.
    """
    asked = (cube.status > 0).any([d for d in cube.status.dims if d != "mask_ratio"])
    kept, seen = [], set()
    for i in np.argsort(cube.realised_ratio.values, kind="stable"):
        value = float(cube.realised_ratio[i])
        if bool(asked[i]) and value not in seen:
            kept.append(int(i))
            seen.add(value)
    return cube.isel(mask_ratio=kept)


def short(ratio: float) -> str:
    """A ratio as short text.

    Examples
    --------
    >>> short(0.5), short(0.875), short(0.1), short(0)
    ('.5', '.875', '.1', '0')
    """
    return f"{ratio:.3f}".rstrip("0").rstrip(".").lstrip("0") or "0"
