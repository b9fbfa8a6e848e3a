"""What figures show of an experiment: a quantity of some arms, in order, with intervals over worlds."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from numpy.typing import NDArray

from maestrata.figures.panels import short
from maestrata.figures.style import ENCODERS, MARKERS, Style
from maestrata.figures.summary import MIN_WORLDS, t_interval

if TYPE_CHECKING:
    import xarray as xr

__all__ = [
    "CELLS",
    "REFERENCES",
    "Series",
    "by_level",
    "interval_text",
    "levels_with",
    "lines_legend",
    "n_text",
    "over_levels",
    "plot",
    "ratio_axis",
    "ratio_legend",
    "ratio_looks",
    "ratio_of",
    "reference",
    "root_of",
    "series",
    "single",
]

CELLS = r"1x1/v\d+"
"""Arms of models of the sweep whose mask patches are single tokens."""

# what does not depend on the ratio -> (label, colour, line); lines differ in their dashes too
REFERENCES: dict[str, tuple[str, str, Any]] = {
    "random_init": (*ENCODERS["random_init"][:2], (0, (4, 2))),
    "pixels": (*ENCODERS["pixels"][:2], (0, (1, 1.5))),
    "pca": (*ENCODERS["pca"][:2], (0, (4, 1.5, 1, 1.5))),
    "linear": ("best linear (all pixels)", "#CC79A7", (0, (7, 1.5))),
    "ceiling": ("ceiling by exact inference", "#000000", (0, (8, 1, 1, 1))),
    "exact": ("exact posterior mean", "#000000", (0, (7, 1.5))),
    "grey": ("mean pixel", "#888888", (0, (1, 1.5))),
    "even": ("even attention", "#000000", (0, (1, 1.5))),
}


@dataclass(frozen=True)
class Series:
    """A quantity along arms.

    Attributes
    ----------
    arms : list of str
    x : ndarray (arms,)
        Where each stands.
    mean, low, high : ndarray (arms,)
        Over worlds, training seeds averaged: with the t interval from three worlds on (ci_world), with
        fewer the mean of the worlds' own intervals (ci_sample).
    each : ndarray (worlds, arms)
    samples : tuple of int
        Fewest and most samples behind a number of one world; (0, 0) where that is not known.
    """

    arms: list[str]
    x: NDArray[np.float64]
    mean: NDArray[np.float64]
    low: NDArray[np.float64]
    high: NDArray[np.float64]
    each: NDArray[np.float64]
    samples: tuple[int, int] = (0, 0)

    @property
    def n_worlds(self) -> int:
        """The most worlds that any arm has."""
        return int(np.isfinite(self.each).sum(0).max(initial=0))

    def moved(self, by: float) -> Series:
        """Return it a little beside its place, where the intervals of two would lie on each other."""
        return replace(self, x=self.x + by)


def ratio_of(cube: xr.Dataset, arm: str) -> float:
    """Masking ratio that an arm stands for: its quantity `mask_ratio`, else its setting."""
    if "mask_ratio" in cube["quantity"].values:
        values = cube["value"].sel(arm=arm, quantity="mask_ratio").values
        if np.isfinite(values).any():
            return float(np.nanmax(values))
    return float(cube["setting"].sel(arm=arm))


def series(
    cube: xr.Dataset,
    world: str,
    pattern: str,
    quantity: str,
    level: int = 0,
    place: Callable[[xr.Dataset, str], float] = ratio_of,
) -> Series | None:
    """Take a quantity of the arms that match a pattern, by what they stand for.

    Parameters
    ----------
    cube : Dataset
        Of kind ``experiments``.
    world : str
    pattern : str
        Regular expression that an arm must match in full.
    quantity : str
    level : int
    place : callable
        (cube, arm) -> where it stands; arms without a place are left out.

    Returns
    -------
    Series or None
        None where nothing was measured.
    """
    if quantity not in cube["quantity"].values or level not in cube["level"].values:
        return None
    if world not in cube["world"].values:
        return None
    here = cube.sel(world=world)
    arms = [str(arm) for arm in cube["arm"].values if re.fullmatch(pattern, str(arm))]
    x = {arm: place(here, arm) for arm in arms}
    chosen = here.sel(quantity=quantity, level=level, arm=[a for a in arms if np.isfinite(x[a])])
    each = chosen["value"].mean("seed").transpose("world_seed", "arm")
    x_of = np.array([x[str(arm)] for arm in each["arm"].values])
    return _summed(each, chosen, "arm", x_of)


def by_level(cube: xr.Dataset, world: str, arm: str, quantity: str) -> Series | None:
    """Take a quantity of one arm along the levels from 1 up; None where nothing was measured.

    The series' arms are the levels.
    """
    if quantity not in cube["quantity"].values or arm not in cube["arm"].values:
        return None
    if world not in cube["world"].values:
        return None
    levels = [int(level) for level in cube["level"].values if level > 0]
    chosen = cube.sel(world=world, arm=arm, quantity=quantity, level=levels)
    each = chosen["value"].mean("seed").transpose("world_seed", "level")
    return _summed(each, chosen, "level", np.array(levels, np.float64))


def over_levels(cube: xr.Dataset, *quantities: str) -> xr.Dataset:
    """Put the mean of quantities over the levels from 1 up at level 0, in place of all else.

    Levels share images and model, so that the width of a mean's interval is taken as the mean width.
    """
    kept = [q for q in quantities if q in cube["quantity"].values]
    above = cube.sel(quantity=kept, level=[level for level in cube["level"].values if level > 0])
    ratio = [q for q in ("mask_ratio",) if q in cube["quantity"].values]
    mean = above.mean("level", skipna=True).expand_dims(level=[0]).assign_attrs(cube.attrs)
    if not ratio:
        return mean
    import xarray as xr

    aside = cube.sel(quantity=ratio, level=[0])
    names = ("value", "low", "high", "n")
    joined = xr.concat([mean[list(names)], aside[list(names)]], "quantity")
    return joined.assign_coords(setting=cube["setting"])


def _summed(each: xr.DataArray, chosen: xr.Dataset, dim: str, x: NDArray[np.float64]) -> Series | None:
    """Sum up numbers (world_seed, dim), in the order of x, without those that nobody measured."""
    there = np.flatnonzero(np.isfinite(each.values).any(0))
    if not len(there):
        return None
    order = there[np.argsort(x[there], kind="stable")]
    each, chosen = each.isel({dim: order}), chosen.isel({dim: order})
    mean, low, high = (part.values for part in t_interval(each, "world_seed"))
    if int(np.isfinite(each.values).sum(0).max()) < MIN_WORLDS:
        low, high = (chosen[end].mean(["world_seed", "seed"]).values for end in ("low", "high"))
    n = chosen["n"].values[np.isfinite(chosen["n"].values)]
    samples = (int(n.min()), int(n.max())) if len(n) else (0, 0)
    names = [str(label) for label in each[dim].values]
    return Series(names, x[order], mean, low, high, each.values, samples)


def single(cube: xr.Dataset, world: str, arm: str, quantity: str, level: int = 0) -> Series | None:
    """Take a quantity of one arm, such as a control."""
    return series(cube, world, re.escape(arm), quantity, level, place=lambda *_: 0.0)


def levels_with(cube: xr.Dataset, quantity: str) -> list[int]:
    """Levels at which a quantity was measured, the highest first."""
    if quantity not in cube["quantity"].values:
        return []
    values = cube["value"].sel(quantity=quantity)
    there = values.notnull().any([dim for dim in values.dims if dim != "level"])
    return sorted((int(v) for v in cube["level"].values[there.values]), reverse=True)


def root_of(cube: xr.Dataset, world: str, quantity: str = "r2") -> int:
    """Level of the root: the highest at which a world has the quantity; 0 where it has it at none."""
    if world not in cube["world"].values:
        return 0
    levels = levels_with(cube.sel(world=[world]), quantity)
    return levels[0] if levels else 0


def interval_text(found: Sequence[Series], drawn: str = "bars and bands") -> str:
    """Say what the intervals are, what shows them, and over how many worlds."""
    counts = sorted({s.n_worlds for s in found})
    if not counts:
        return "nothing measured: no intervals"
    few = [n for n in counts if n < MIN_WORLDS]
    many = [n for n in counts if n >= MIN_WORLDS]
    parts = []
    if many:
        span = str(many[0]) if len(many) == 1 else f"{many[0]} to {many[-1]}"
        parts.append(f"{drawn}: 95 % t interval over {span} worlds (ci_world)")
    if few:
        span = " or ".join(f"{n} world seed{'' if n == 1 else 's'}" for n in few)
        one = "95 % interval over samples (ci_sample)"
        parts.append(f"{one} where there is {span}" if many else f"{span}; {drawn}: {one}")
    return "; ".join([*parts, "training seeds averaged"])


def n_text(found: Sequence[Series], what: str = "test images", name: str = "") -> str:
    """Say how many samples are behind each number of one world."""
    ends = [n for s in found for n in s.samples if n]
    if not ends:
        return ""
    span = f"{min(ends):,}" if min(ends) == max(ends) else f"{min(ends):,} to {max(ends):,}"
    return f"{f'{name}: ' if name else ''}n = {span} {what} a world"


def plot(
    style: Style, axes: Axes, s: Series, color: Any, marker: str, *, worlds: bool = True, **line: Any
) -> None:
    """Draw a series as a curve with its intervals; each world behind it, thin, where there are several."""
    if worlds and s.n_worlds > 1:
        for each in s.each:
            style.curve(axes, s.x, each, color=color, marker=None, linewidth=0.4, alpha=0.3, zorder=1)
    style.curve(axes, s.x, s.mean, s.low, s.high, color=color, marker=marker, **line)


def reference(axes: Axes, s: Series | None, name: str) -> None:
    """Draw a number that does not depend on the x axis: a line in its dashes, its interval a band."""
    if s is None or not np.isfinite(s.mean[0]):
        return
    _, color, dashes = REFERENCES[name]
    axes.axhline(s.mean[0], color=color, linestyle=dashes, linewidth=1.0, zorder=1.5)
    if np.isfinite([s.low[0], s.high[0]]).all():
        axes.axhspan(s.low[0], s.high[0], color=color, alpha=0.13, linewidth=0, zorder=0.5)
        axes.axhspan(s.mean[0], s.mean[0], alpha=0)  # the line counts in the limits


def ratio_axis(axes: Axes, name: str = "masking ratio r") -> None:
    """Let the x axis be the masking ratio."""
    axes.set_xlim(0, 1)
    axes.set_xticks([0, 0.25, 0.5, 0.75, 1], ["0", ".25", ".5", ".75", "1"])
    axes.set_xlabel(name)


def ratio_looks(ratios: Iterable[float]) -> dict[float, tuple[Any, str]]:
    """Colour and marker of every masking ratio, for figures with one curve a ratio: dark to light."""
    known = sorted(set(ratios))
    scale = mpl.colormaps["cividis"]
    places = np.linspace(0.0, 0.86, len(known)) if len(known) > 1 else [0.0]
    return {
        ratio: (scale(float(at)), MARKERS[i % len(MARKERS)])
        for i, (ratio, at) in enumerate(zip(known, places, strict=True))
    }


def lines_legend(names: Iterable[str]) -> list[Line2D]:
    """Handles that name references, for `Style.title`."""
    return [
        Line2D([], [], color=color, linestyle=dashes, linewidth=1.2, label=label)
        for label, color, dashes in (REFERENCES[name] for name in names)
    ]


def ratio_legend(looks: Mapping[float, tuple[Any, str]]) -> list[Line2D]:
    """Handles that name masking ratios."""
    return [
        Line2D([], [], color=color, marker=marker, markersize=4, linewidth=1.2, label=f"r = {short(ratio)}")
        for ratio, (color, marker) in looks.items()
    ]
