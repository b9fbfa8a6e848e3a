"""Numbers along arms, levels or cells, summed up over worlds and training seeds, as figures show them.

The unit is the world (its functions), so training seeds are averaged within it. With three worlds or more an
interval is the t interval over worlds (`ci_world`), with fewer the mean of the worlds' own (`ci_sample`).
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray

from maestrata.resampling import nanmean
from maestrata.results.cubes import CubeSet
from maestrata.results.numbers import aligned
from maestrata.results.progress import UNGATED
from maestrata.results.read import ratio_of
from maestrata.results.select import Expression, Select
from maestrata.results.statistics import LEAST_WORLDS, t_interval

if TYPE_CHECKING:
    import xarray as xr

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Series:
    """A quantity along something.

    Attributes
    ----------
    labels : list of str
        Names of the points, such as arms.
    x : ndarray (points,)
        Where each stands.
    mean, low, high : ndarray (points,)
        Over worlds, training seeds averaged: with the t interval from `LEAST_WORLDS` worlds on, with fewer
        the mean of the worlds' own intervals.
    each, each_low, each_high : ndarray (worlds, points)
        Of each world, with its interval over samples.
    n_seeds : int
        The most training seeds behind a number of one world.
    samples : tuple of int
        Fewest and most samples behind a number of one world; (0, 0) where that is not known.
    """

    labels: list[str]
    x: Floats
    mean: Floats
    low: Floats
    high: Floats
    each: Floats
    each_low: Floats
    each_high: Floats
    n_seeds: int = 1
    samples: tuple[int, int] = (0, 0)

    @property
    def n_worlds(self) -> int:
        """The most worlds that any point has."""
        return int(np.isfinite(self.each).sum(0).max(initial=0))

    @property
    def over_worlds(self) -> bool:
        """Whether intervals are over worlds, rather than over samples."""
        return self.n_worlds >= LEAST_WORLDS


def sum_up(
    numbers: Sequence[ArrayLike],
    x: ArrayLike,
    labels: Sequence[object] = (),
    whole: bool = False,
) -> Series | None:
    """Sum up numbers over training seeds, then over worlds, in the order of x.

    Parameters
    ----------
    numbers : value, low, high, n, each an array (worlds, seeds, points)
        Numbers with the ends of their intervals over samples and the counts of these; NaN: not measured.
        Counts may be of any shape that ends in the points.
    x : array (points,)
    labels : sequence
        Names of the points; by default x.
    whole : bool
        Keep points that nobody measured, and the order given.

    Returns
    -------
    Series or None
        None where nothing was measured.
    """
    # The same samples are behind all seeds of a world, so their mean is as uncertain as each of them.
    value, low, high, n = (np.asarray(part, np.float64) for part in numbers)
    each, each_low, each_high = (nanmean(part, 1) for part in (value, low, high))
    places = np.asarray(x, np.float64)
    kept = np.isfinite(each).any(0)
    if not kept.any():
        return None
    order = np.arange(len(places)) if whole else np.flatnonzero(kept)[np.argsort(places[kept], kind="stable")]
    each, each_low, each_high = (part[:, order] for part in (each, each_low, each_high))
    mean, *ends = t_interval(each, least=LEAST_WORLDS)
    if np.isfinite(each).sum(0).max() < LEAST_WORLDS:
        ends = [nanmean(each_low), nanmean(each_high)]
    counts = n[..., order][np.isfinite(n[..., order])]
    names = list(labels) if len(labels) else places.tolist()
    return Series(
        [str(names[i]) for i in order],
        places[order],
        mean,
        ends[0],
        ends[1],
        each,
        each_low,
        each_high,
        n_seeds=int(np.isfinite(value).sum(1).max()),
        samples=(int(counts.min()), int(counts.max())) if len(counts) else (0, 0),
    )


def along(
    cubes: CubeSet, world: str, parts: Mapping[float, Expression], labels: Sequence[object] = ()
) -> Series | None:
    """Take selections, or contrasts of them, in the worlds of a label.

    Parameters
    ----------
    cubes : CubeSet
    world : str
        The label.
    parts : mapping
        Where each stands -> what it is, of one level; those that the run lacks are left out.
    labels : sequence
        Their names; by default where they stand.

    Returns
    -------
    Series or None
        None where nothing was measured.
    """
    names = list(labels) if len(labels) else list(parts)
    given = [
        (x, name, part.numbers(cubes, world)) for name, (x, part) in zip(names, parts.items(), strict=True)
    ]
    there = [(x, name, numbers) for x, name, numbers in given if not numbers.lacking]
    if not there:
        return None
    numbers = aligned([numbers for *_, numbers in there])
    value, below, above = (
        np.stack([getattr(part, name)[..., 0] for part in numbers], -1)
        for name in ("value", "below", "above")
    )
    samples = np.array([given.samples for *_, given in there], np.float64).T
    return _of(value, below, above, samples, [x for x, *_ in there], [name for _, name, _ in there])


def along_arms(
    cube: xr.Dataset | None,
    world: str,
    quantity: str,
    arms: Mapping[str, float],
    level: int = 0,
    gate: float | None = UNGATED,
) -> Series | None:
    """Take a quantity of some arms of an experiment.

    Parameters
    ----------
    cube : Dataset or None
        Of kind ``experiments``.
    world, quantity : str
    arms : mapping
        Arm -> where it stands (see `cells`, `numbered`); those that the cube lacks are left out.
    level : int
        Level 0 is that of quantities of the whole image.
    gate : float or None
        As `Select` has it; by default any model counts.

    Returns
    -------
    Series or None
        None where nothing was measured.
    """
    if cube is None:
        return None
    parts = {x: Select(_key(cube), quantity, arm, level=level, gate=gate) for arm, x in arms.items()}
    return along(CubeSet([cube]), world, parts, list(arms))


def along_levels(cube: xr.Dataset | None, world: str, arm: str, quantity: str) -> Series | None:
    """Take a quantity of one arm along the levels from 1 up; None where nothing was measured."""
    if cube is None:
        return None
    numbers = Select(_key(cube), quantity, arm, level="each", gate=UNGATED).numbers(CubeSet([cube]), world)
    if numbers.lacking:
        return None
    samples = np.repeat(np.array(numbers.samples, np.float64)[:, None], len(numbers.levels), 1)
    return _of(numbers.value, numbers.below, numbers.above, samples, numbers.levels)


def _of(
    value: Floats, below: Floats, above: Floats, samples: Floats, x: ArrayLike, labels: Sequence[object] = ()
) -> Series | None:
    """Sum up `results.Numbers`: values (worlds, seeds, points), the rest without seeds."""
    ends = value - below[:, None], value + above[:, None]
    return sum_up((value, *ends, np.where(samples > 0, samples, np.nan)), x, labels)


def along_cells(scores: xr.Dataset, along: str, x: ArrayLike, variable: str = "r2") -> Series | None:
    """Take scores along an axis of the grid, or along layers.

    Parameters
    ----------
    scores : Dataset
        Of a regression cube (see `primary.scores`), with no other axes than `along`, world seeds and seeds.
    along : str
    x : array
        Where the labels of `along` stand.
    variable : {"r2", "gain", "accuracy"}

    Returns
    -------
    Series or None
        None where nothing was measured.
    """
    names = (variable, f"{variable}_low", f"{variable}_high", "n_test")
    parts = [scores[name].transpose("world_seed", "seed", along).values for name in names]
    return sum_up(parts, x)


def cells(cube: xr.Dataset | None, world: str, stem: str = "1x1") -> dict[str, float]:
    """List the models of the sweep among the arms, ``stem/vN``, with their ratios, the lowest first.

    A ratio is the quantity `mask_ratio` of the arm, else its setting; arms without one are left out.
    """
    if world not in worlds_of(cube) or cube is None:
        return {}
    arms = [arm for arm in map(str, cube["arm"].values) if re.fullmatch(rf"{re.escape(stem)}/v\d+", arm)]
    ratios = {arm: ratio_of(cube, world, arm) for arm in arms}
    return dict(sorted(((a, r) for a, r in ratios.items() if np.isfinite(r)), key=lambda pair: pair[1]))


def numbered(cube: xr.Dataset | None, pattern: str) -> dict[str, float]:
    """List the arms that match a regular expression, with the number that its first group takes."""
    arms = [] if cube is None else [str(arm) for arm in cube["arm"].values]
    matches = {arm: re.fullmatch(pattern, arm) for arm in arms}
    return {arm: float(match[1]) for arm, match in matches.items() if match}


def levels_with(values: xr.DataArray) -> list[int]:
    """Levels at which anything was measured, the highest first."""
    there = values.notnull().any([dim for dim in values.dims if dim != "level"])
    return sorted((int(level) for level in values["level"].values[there.values]), reverse=True)


def root(cube: xr.Dataset | None, world: str, quantity: str = "r2") -> int:
    """Level of the root: the highest at which a world has the quantity; 0 where it has it at none."""
    if cube is None or world not in cube["world"].values or quantity not in cube["quantity"].values:
        return 0
    return next(iter(levels_with(cube["value"].sel(world=world, quantity=quantity))), 0)


def worlds_of(*cubes: xr.Dataset | None) -> list[str]:
    """List the labels of the worlds of some cubes, without those that are None."""
    return list(
        dict.fromkeys(str(world) for cube in cubes if cube is not None for world in cube["world"].values)
    )


def _key(cube: xr.Dataset) -> str:
    """Name of an experiment's cube in a `CubeSet`."""
    return f"experiments/{cube.attrs['experiment']}"
