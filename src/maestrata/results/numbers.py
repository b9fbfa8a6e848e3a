"""One number a world: what a selection of a cube gives, and what can be made of such numbers.

Training seeds are kept apart until the end, so that a difference compares the same seeds. Intervals are those
over samples (`ci_sample`), as distances from the number to their ends. The same test images are behind all
training seeds of a world, so the interval of a mean over seeds is as wide as that of one seed.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import reduce
from math import nan
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from maestrata.resampling import nanmean

if TYPE_CHECKING:
    from maestrata.results.progress import Model

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Row:
    """The number of one world, training seeds averaged, with its interval over samples (`ci_sample`).

    Attributes
    ----------
    world : str
        Label of the world.
    world_seed : int
    value : float
        NaN where the world has no number; it is then left out, and counted.
    low, high : float
        Ends of its interval over samples; NaN where there is none.
    seeds : int
        Training seeds averaged.
    bound : bool
        Whether the number asked for is only known to have the sign of `value` and at least its magnitude: a
        difference in R2 in place of one in skill, whose divisor, the ceiling, lies in (0, 1]. Such rows can
        show that a difference is there, never that it is not.
    """

    world: str
    world_seed: int
    value: float
    low: float = nan
    high: float = nan
    seeds: int = 1
    bound: bool = False


@dataclass(frozen=True, eq=False)
class Numbers:
    """Numbers of the worlds of one label.

    Attributes
    ----------
    world_seeds : ndarray (worlds,)
    levels : ndarray (levels,)
        The level that a number is of; 0 where it is one of the whole image or of several levels.
    value : ndarray (worlds, seeds, levels)
        NaN where nothing was measured.
    below, above : ndarray (worlds, levels)
        From the number down, and up, to the ends of its interval over samples; NaN where there is none.
    bound : ndarray (worlds, levels)
        See `Row.bound`.
    seeds : ndarray (worlds,)
        Training seeds behind the number.
    lacking : str
        Why there is no world at all; empty where there is one.
    samples : tuple of int
        Fewest and most samples behind a number of one world; (0, 0) where that is not known.
    models : frozenset of Model
        The trained models that were read for them, those left out included.
    """

    world_seeds: NDArray[np.int64]
    levels: NDArray[np.int64]
    value: Floats
    below: Floats
    above: Floats
    bound: NDArray[np.bool_]
    seeds: NDArray[np.int64]
    lacking: str = ""
    samples: tuple[int, int] = (0, 0)
    models: frozenset[Model] = frozenset()

    @classmethod
    def none(cls, lacking: str) -> Numbers:
        """Of no world, for a reason, such as ``experiment border has no arm '2x2/no_border'``."""
        nothing = np.zeros((0, 1))
        zero = np.zeros(0, np.int64)
        return cls(
            zero, np.zeros(1, np.int64), nothing[:, None], nothing, nothing, nothing > 0, zero, lacking
        )

    @classmethod
    def plain(cls, world_seeds: ArrayLike, values: ArrayLike) -> Numbers:
        """Of one number a world (worlds,), without an interval."""
        value = np.asarray(values, np.float64)[:, None, None]
        nothing = np.full_like(value, np.nan)
        return cls.measured(world_seeds, np.zeros(1, np.int64), value, nothing, nothing)

    @classmethod
    def measured(
        cls, world_seeds: ArrayLike, levels: ArrayLike, value: Floats, low: Floats, high: Floats
    ) -> Numbers:
        """Of what a cube holds: values and ends of their intervals, each (worlds, seeds, levels)."""
        return cls(
            np.asarray(world_seeds, np.int64),
            np.asarray(levels, np.int64),
            value,
            nanmean(value - low, 1),
            nanmean(high - value, 1),
            np.zeros((value.shape[0], value.shape[2]), bool),
            _seeds_of(value),
        )

    @property
    def mean(self) -> Floats:
        """Average over training seeds, (worlds, levels)."""
        return nanmean(self.value, 1)

    @property
    def half(self) -> Floats:
        """Half the width of the interval over samples, (worlds, levels)."""
        return (self.below + self.above) / 2

    def derived(self, values: Floats, half: Floats | None = None) -> Numbers:
        """Return numbers computed from these over all levels and seeds: one a world, (worlds,)."""
        width = np.full(len(values), np.nan) if half is None else half
        return replace(
            self,
            levels=np.zeros(1, np.int64),
            value=values[:, None, None],
            below=width[:, None],
            above=width[:, None],
            bound=np.zeros((len(values), 1), bool),
        )

    def centred(self) -> Numbers:
        """Return them with intervals that reach as far down as up."""
        return replace(self, below=self.half, above=self.half)

    def bare(self) -> Numbers:
        """Return them without intervals."""
        nothing = np.full_like(self.below, np.nan)
        return replace(self, below=nothing, above=nothing)

    def kept(self, which: NDArray[np.bool_]) -> Numbers:
        """Return them with no number where they are not kept: `which` is (worlds, levels) or (worlds, 1)."""
        return replace(
            self,
            value=np.where(which[:, None], self.value, np.nan),
            below=np.where(which, self.below, np.nan),
            above=np.where(which, self.above, np.nan),
        )

    def divided(self, divisor: Floats) -> Numbers:
        """Return them over a positive divisor (worlds, levels); where that is NaN, as bounds."""
        bound = np.isnan(divisor)
        by = np.where(bound, 1.0, divisor)
        return replace(
            self,
            value=self.value / by[:, None],
            below=self.below / by,
            above=self.above / by,
            bound=self.bound | bound,
        )

    def minus(self, other: Numbers) -> Numbers:
        """Return the differences, world by world, seed by seed and level by level; NaN where one side lacks.

        Both are of the same worlds and levels (`aligned`). The intervals are joined as if they were
        independent. They are of the same images, so that the joint interval is on the wide side. A side
        without an interval (the theory, which is exact) adds nothing to it.
        """
        value = self.value - other.value
        return replace(
            self,
            value=value,
            below=_joined(self.below, other.above),
            above=_joined(self.above, other.below),
            bound=self.bound | other.bound,
            seeds=_shared(value, (self, other)),
        )

    def at_each_level(self) -> Iterator[tuple[int, Numbers]]:
        """Yield the numbers of each level."""
        for k, level in enumerate(self.levels):
            names = ("levels", "below", "above", "bound")
            part: dict[str, Any] = {name: getattr(self, name)[..., k : k + 1] for name in names}
            yield int(level), replace(self, value=self.value[..., k : k + 1], **part)

    def rows(self, label: str) -> list[Row]:
        """Return one row a world, of numbers of one level.

        Parameters
        ----------
        label : str
            Of the worlds.
        """
        value, bound = self.mean[:, 0], self.bound[:, 0]
        low, high = value - self.below[:, 0], value + self.above[:, 0]
        return [
            Row(label, int(seed), float(value[i]), float(low[i]), float(high[i]), int(n), bool(bound[i]))
            for i, (seed, n) in enumerate(zip(self.world_seeds, self.seeds, strict=True))
        ]


def aligned(parts: Sequence[Numbers]) -> list[Numbers]:
    """Return numbers of the same worlds and levels, NaN where one has no number.

    The worlds are those of any part. Of several levels each, the levels are those that all parts have.
    """
    seeds = reduce(np.union1d, [part.world_seeds for part in parts])
    if all(len(part.levels) > 1 for part in parts):
        levels = reduce(np.intersect1d, [part.levels for part in parts])
        return [_reindexed(part, seeds, levels) for part in parts]
    return [_reindexed(part, seeds, part.levels) for part in parts]


def stacked(each: Mapping[int, Numbers]) -> Numbers:
    """Put numbers of one level each side by side, under the levels that they are given; some may lack."""
    there = {level: part for level, part in each.items() if not part.lacking}
    if not there:
        return next(iter(each.values()))
    parts = aligned(list(there.values()))
    arrays: dict[str, Any] = {
        name: np.concatenate([getattr(part, name) for part in parts], axis=-1)
        for name in ("value", "below", "above", "bound")
    }
    models = frozenset().union(*(part.models for part in there.values()))
    seeds = np.max([part.seeds for part in parts], axis=0)
    return replace(parts[0], levels=np.array(list(there)), models=models, seeds=seeds, **arrays)


def weighted(parts: Sequence[Numbers], weights: ArrayLike) -> Numbers:
    """Weighted sum of numbers of the same worlds and levels; intervals joined as if they were independent."""
    by = np.asarray(weights, np.float64)
    value = np.tensordot(by, [part.value for part in parts], 1)
    half = np.sqrt(np.tensordot(np.square(by), [np.square(part.half) for part in parts], 1))
    bound = np.any([part.bound for part in parts], 0)
    return replace(parts[0], value=value, below=half, above=half, bound=bound, seeds=_shared(value, parts))


def _reindexed(part: Numbers, seeds: NDArray[np.int64], levels: NDArray[np.int64]) -> Numbers:
    if np.array_equal(part.world_seeds, seeds) and np.array_equal(part.levels, levels):
        return part
    columns = np.flatnonzero(np.isin(part.levels, levels))
    place = np.searchsorted(seeds, part.world_seeds)

    def wide(values: NDArray[Any], fill: Any) -> NDArray[Any]:
        array = np.full((len(seeds), *values.shape[1:]), fill, values.dtype)
        array[place] = values
        return array

    return Numbers(
        seeds,
        part.levels[columns],
        wide(part.value[..., columns], np.nan),
        wide(part.below[:, columns], np.nan),
        wide(part.above[:, columns], np.nan),
        wide(part.bound[:, columns], False),
        wide(part.seeds, 0),
        samples=part.samples,
    )


def _joined(one: Floats, other: Floats) -> Floats:
    """Distance to the end of a joint interval; NaN where neither side has one."""
    return np.where(np.isnan(one), other, np.where(np.isnan(other), one, np.hypot(one, other)))


def _shared(value: Floats, parts: Sequence[Numbers]) -> NDArray[np.int64]:
    """Training seeds behind values made of several numbers: those that all hold."""
    least = np.min([part.seeds for part in parts], 0)
    return np.minimum(least, _seeds_of(value)) if value.shape[1] > 1 else least


def _seeds_of(value: Floats) -> NDArray[np.int64]:
    """Training seeds that hold any level, (worlds,)."""
    return np.isfinite(value).any(2).sum(1)
