"""The masking ratio that serves best, chosen so that no world is flattered: by the other worlds."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from maestrata.claims.statistics import leave_one_out_choice
from maestrata.results import Combined, CubeSet, Expression, Numbers, Select, aligned
from maestrata.results.read import Level

INSIDE = (0.25, 0.5, 0.75)
"""Ratios among which a peak is looked for; the paper's is the last."""

Floats = NDArray[np.float64]


def skill(ratio: float, level: Level = "root") -> Select:
    """Select the skill of a level, the root by default, from models of mask patches of one token."""
    return Select("regression", "skill", ratio=ratio, level=level)


@dataclass(frozen=True)
class Peak(Expression):
    """A number at the best ratio of `INSIDE`, of those that a run has.

    Attributes
    ----------
    of : callable
        From a ratio to the number.
    best : callable
        From a ratio to the score that says which is best: for each world by its mean over all the others.
        With a single world the highest ratio there is, the paper's, is taken.
    cube : str
        Whose worlds they are.
    """

    of: Callable[[float], Expression]
    best: Callable[[float], Expression] = skill
    cube: str = "regression"

    def numbers(self, cubes: CubeSet, world: str) -> Numbers:
        """Choose, and take the number there."""
        read = {r: (self.of(r).numbers(cubes, world), self.best(r).numbers(cubes, world)) for r in INSIDE}
        models = frozenset().union(*(number.models for pair in read.values() for number in pair))
        there = [pair for pair in read.values() if not (pair[0].lacking or pair[1].lacking)]
        if not there:
            first = read[INSIDE[0]]
            return replace(Numbers.none(first[0].lacking or first[1].lacking), models=models)
        of = aligned([number for pair in there for number in pair])
        numbers, scores = of[0::2], np.array([score.mean[:, 0] for score in of[1::2]]).T
        at = (best_elsewhere(scores), np.arange(len(scores)))
        value, below, above, bound, seeds = (
            np.stack([getattr(number, name) for number in numbers])[at]
            for name in ("value", "below", "above", "bound", "seeds")
        )
        whole = replace(numbers[0], value=value, below=below, above=above, bound=bound, seeds=seeds)
        return replace(whole, models=models)


def over_ratio(of: Callable[[float], Select], ratio: float) -> Combined:
    """Contrast a number of an experiment at the peak with the same at a ratio."""
    return Peak(of, cube=of(ratio).cube) - of(ratio)


def over_start(of: Callable[[float], Select]) -> Combined:
    """Contrast a number of an experiment at the peak with the same of the untrained model."""
    start = replace(of(INSIDE[-1]), arm="random_init", ratio=None)
    return Peak(of, cube=start.cube) - start


def best_elsewhere(scores: Floats) -> NDArray[np.intp]:
    """For each world, the option that is best on average in the others.

    Parameters
    ----------
    scores : array (worlds, options)
        Options of which fewer than half of the worlds have a score are none; the average is over worlds that
        have one for all options left.

    Returns
    -------
    ndarray of int (worlds,)
        The last option where no other world says which.
    """
    measured = np.flatnonzero(np.isfinite(scores).mean(0) >= 0.5)
    chosen = np.full(len(scores), scores.shape[1] - 1)
    if not len(measured):
        return chosen
    chosen[:] = measured[-1]
    complete = np.isfinite(scores[:, measured]).all(1)
    if complete.sum() > 1:
        chosen[complete] = measured[leave_one_out_choice(scores[complete][:, measured])]
    if complete.any():
        chosen[~complete] = measured[np.argmax(scores[complete][:, measured].mean(0))]
    return chosen


def peaks(scores: Floats, ratios: Sequence[float]) -> Floats:
    """Where a curve over masking ratios peaks, in every world by itself.

    The top of the parabola fitted to all ratios, over the logit of the ratio, in which .1, .25, .5, .75 and
    .9 are evenly spaced; kept within the ratios. Where it bends upwards, the end towards which it rises.

    Other worlds have no part in it, as they have in `Peak`: a place is not flattered by a world's own noise,
    and one that the others choose is shared by all worlds of a kind, which then agree on nothing (on flat
    curves claim 18 was supported so in .28 of simulated runs).

    Parameters
    ----------
    scores : array (worlds, ratios)
    ratios : sequence of float
        Ascending, three or more.

    Returns
    -------
    ndarray (worlds,)
        NaN where a score is.

    Examples
    --------
    >>> peaks(np.array([[0.1, 0.3, 0.4, 0.3, 0.1]]), (0.1, 0.25, 0.5, 0.75, 0.9)).round(2).tolist()
    [0.5]
    """
    x = np.log(ratios) - np.log1p(-np.asarray(ratios))
    bend, rise, _ = np.linalg.pinv(np.vander(x, 3)) @ scores.T
    # a straight line has no top, and a missing score no number: both are told apart below
    with np.errstate(divide="ignore", invalid="ignore"):
        top = np.where(bend < 0, -rise / (2 * bend), np.where(rise > 0, x[-1], x[0]))
    return np.where(np.isfinite(rise), 1 / (1 + np.exp(-np.clip(top, x[0], x[-1]))), np.nan)
