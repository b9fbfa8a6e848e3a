"""Declarations of one number a world: `Select`, contrasts of them, and what else is made of selections.

``Select("regression", "skill", ratio=0.75) - Select("regression", "skill", ratio=0.1)`` reads nothing. Asked
for its `numbers` in the worlds of a label, it reads the cubes; what a run does not hold gives no number, and
says why.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Literal

import numpy as np

from maestrata.results.cubes import CubeSet
from maestrata.results.numbers import Numbers, aligned, weighted
from maestrata.results.primary import NULL
from maestrata.results.progress import gated, models_of
from maestrata.results.read import Level, read


class Expression(ABC):
    """What gives one number for every world of a label.

    Attributes
    ----------
    cube : str
        The cube whose worlds they are: the first that is read.
    """

    cube: str

    @abstractmethod
    def numbers(self, cubes: CubeSet, world: str) -> Numbers:
        """Return the numbers of the worlds of a label.

        Parameters
        ----------
        cubes : CubeSet
        world : str
            The label.
        """

    def worlds(self, cubes: CubeSet) -> list[str]:
        """List the labels of worlds in the cube; none where a run does not have it."""
        cube = cubes.get(self.cube)
        return [] if cube is None else [str(label) for label in cube["world"].values]

    def __sub__(self, other: Expression) -> Combined:
        """Return a contrast: this minus another, world by world and seed by seed."""
        return Combined((self, other), _minus)

    def __rmul__(self, factor: float) -> Combined:
        """Return it times a number."""
        return Combined((self,), partial(_scaled, factor=factor))

    def where(self, reached: Expression, least: float) -> Combined:
        """Return it with a number only where another expression, such as progress, is at least `least`.

        Other worlds are left out, and counted.
        """
        return Combined((self, reached), partial(_kept, least=least))


@dataclass(frozen=True)
class Select(Expression):
    """A quantity that a cube holds.

    Attributes
    ----------
    cube : str
        ``regression``, ``theory`` or ``experiments/NAME``.
    quantity : str
        A quantity of the experiment, a variable of the theory cube, or, of the regression cube, ``r2``,
        ``gain`` (R2 minus that of ``null_trained``) or ``skill``: (R2 - null) / (ceiling - null), the ceiling
        that of exact inference. Without one, skill is R2 - null, and a bound (`numbers.Row.bound`); where
        the null lies less than `read.LEAST_ROOM` below the ceiling, it is NaN.
    arm : str
        An arm of the experiment, or an encoder of the regression cube. With `ratio`, the arms that begin so.
    ratio : float, optional
        Masking ratio: as asked for in the sweep, as realised (the nearest, by at most .05) in an experiment.
    patch, offset : int
        Mask patch of the sweep: its size in tokens, and 1 if it is offset by half a block.
    level : {"image", "root", "lowest", "all", "each"} or int
        ``image``: level 0, numbers of the whole image. ``root``: the highest level, ``lowest``: the lowest
        above 0, ``all``: the mean over levels above 0, ``each``: all of them apart. An integer is a level, or
        counts from the root (-1), so that -2 is the level below it.
    null : str
        Encoder whose score counts as no skill, such as ``random_init``; empty: R2 of 0 does.
    labels : mapping
        Labels on further axes: of features that are not the primary ones (``{"pooling": "concat"}``), or of
        the theory (``{"tie": "lowest"}``).
    interval : {"measured", "centred", "none"}
        Interval over samples: its ends as measured, or half its width to either side, or none.
    gate : float, optional
        Least progress of a trained model that the number is taken of; by default that of its ratio
        (`progress.gate_at`). `progress.UNGATED` takes it of any model.
    """

    cube: str
    quantity: str
    arm: str = "trained"
    ratio: float | None = None
    patch: int = 1
    offset: int = 0
    level: Level = "image"
    null: str = NULL
    labels: Mapping[str, str] = field(default_factory=dict, hash=False)
    interval: Literal["measured", "centred", "none"] = "measured"
    gate: float | None = None

    def numbers(self, cubes: CubeSet, world: str) -> Numbers:
        """Read the cube, once; models below their gate have no number."""
        return cubes.once((self, world), lambda: self._numbers(cubes, world))

    def _numbers(self, cubes: CubeSet, world: str) -> Numbers:
        models = models_of(cubes, self, world)
        numbers = read(cubes, self, world)
        if models:
            numbers = gated(numbers, models, cubes.one(self.cube)["seed"].values)
        if self.interval == "centred":
            return numbers.centred()
        return numbers.bare() if self.interval == "none" else numbers


@dataclass(frozen=True)
class Combined(Expression):
    """Numbers made of those of several expressions.

    Attributes
    ----------
    parts : tuple of Expression
    by : callable
        From their numbers, of the same worlds and levels, to one `Numbers`.
    all_needed : bool
        Whether a run must have all parts; else `by` is given those that it has.
    lacking : str
        What a run lacks that has none of the parts; by default what it lacks of the first.
    """

    parts: tuple[Expression, ...]
    by: Callable[[Sequence[Numbers]], Numbers]
    all_needed: bool = True
    lacking: str = ""

    def numbers(self, cubes: CubeSet, world: str) -> Numbers:
        """Read the parts, and combine them."""
        given = [part.numbers(cubes, world) for part in self.parts]
        lacking = [numbers.lacking for numbers in given if numbers.lacking]
        if lacking and (self.all_needed or len(lacking) == len(given)):
            made = Numbers.none(f"{self.lacking} in the world {world!r}" if self.lacking else lacking[0])
        else:
            made = self.by(aligned([numbers for numbers in given if not numbers.lacking]))
        return replace(made, models=frozenset().union(*(numbers.models for numbers in given)))

    @property
    def cube(self) -> str:  # type: ignore[override]  # of `Select` it is a field
        """The cube of the first part."""
        return self.parts[0].cube


@dataclass(frozen=True)
class InRole(Expression):
    """An expression in the worlds of a role, whatever the label that it is asked for (`CubeSet.roles`).

    So one expression can take numbers of the worlds of several labels together: those of the same world seed.
    """

    of: Expression
    role: str

    @property
    def cube(self) -> str:  # type: ignore[override]  # of `Select` it is a field
        """The cube of the expression."""
        return self.of.cube

    def numbers(self, cubes: CubeSet, world: str) -> Numbers:
        """Read it in the worlds of the role."""
        return self.of.numbers(cubes, cubes.roles[self.role])


def mean_of(*parts: Expression, lacking: str = "") -> Combined:
    """Return the mean of those parts that a run has; a world needs all of these."""
    return Combined(parts, _mean, all_needed=False, lacking=lacking)


@dataclass(frozen=True)
class Slope(Expression):
    """Least-squares slope of some parts over where they stand (see `slope_of`)."""

    parts: tuple[Expression, ...]
    at: tuple[float, ...]
    least: int = 2

    @property
    def cube(self) -> str:  # type: ignore[override]  # of `Select` it is a field
        """The cube of the first part."""
        return self.parts[0].cube

    def numbers(self, cubes: CubeSet, world: str) -> Numbers:
        """Read the parts, and fit a line to those that a run has."""
        given = [part.numbers(cubes, world) for part in self.parts]
        there = [k for k, numbers in enumerate(given) if not numbers.lacking]
        if len(there) < self.least:
            made = Numbers.none(next(numbers.lacking for numbers in given if numbers.lacking))
        else:
            centred = np.take(self.at, there) - np.mean(np.take(self.at, there))
            made = weighted(aligned([given[k] for k in there]), centred / np.square(centred).sum())
        return replace(made, models=frozenset().union(*(numbers.models for numbers in given)))


def slope_of(parts: Sequence[Expression], at: Sequence[float], least: int | None = None) -> Slope:
    """Return the least-squares slope of some parts over where they stand.

    Parameters
    ----------
    parts : sequence of Expression
    at : sequence of float
    least : int, optional
        Parts that a run must have, two or more; all by default. A world needs all that its run has.
    """
    return Slope(tuple(parts), tuple(map(float, at)), len(parts) if least is None else least)


def largest_of(*parts: Expression, all_needed: bool = False) -> Combined:
    """Return the largest of those parts that a run has, training seeds averaged, without an interval."""
    return Combined(parts, _largest, all_needed=all_needed)


def _minus(sides: Sequence[Numbers]) -> Numbers:
    one, other = sides
    return one.minus(other)


def _mean(parts: Sequence[Numbers]) -> Numbers:
    return weighted(parts, np.full(len(parts), 1 / len(parts)))


def _scaled(parts: Sequence[Numbers], factor: float) -> Numbers:
    return weighted(parts, [factor])


def _kept(sides: Sequence[Numbers], least: float) -> Numbers:
    one, reached = sides
    return one.kept(reached.mean[:, :1] >= least)


def _largest(parts: Sequence[Numbers]) -> Numbers:
    return parts[0].derived(np.fmax.reduce([part.mean[:, 0] for part in parts]))
