"""Advice before any sweep: which mask patch and ratio for the level wanted, or that it cannot be told.

docs/advice.md says how it is computed, and how good it has proved.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray

from maestrata.advice.images import Images, read_images
from maestrata.advice.result import Advice
from maestrata.advice.survey import RATIOS, Survey
from maestrata.errors import AdviceError, one_of
from maestrata.geometry import TokenGrid

Goal = Literal["level", "scale", "labels"]

MOST_IMAGES = 8192


def advise(
    images: Any,
    labels: ArrayLike | None = None,
    *,
    goal: Goal = "level",
    level: int | None = None,
    scale: float | None = None,
    token_pixels: int | None = None,
    ratios: Sequence[float] = RATIOS,
    patches: Sequence[str] | None = None,
    model: bool = False,
    seed: int = 0,
) -> Advice:
    """Advise on the mask patch and the masking ratio, from images alone.

    Parameters
    ----------
    images : array, path or World
        (n, channel, y, x), (n, y, x, channel) or (n, y, x), uint8 or floating point, at least 500; or a file
        that holds them.
    labels : array (n,), optional
        Class of each image, for the goal ``labels``; a file may hold its own.
    goal : {"level", "scale", "labels"}
        What features should tell of: the factors of a level of the tree, those of blocks of a size in pixels,
        or the labels.
    level : int, optional
        1 (pairs of tokens) to the level of the whole image, which is the default.
    scale : float, optional
        Side of a block in pixels, for the goal ``scale``: the level whose blocks come nearest is taken.
    token_pixels : int, optional
        Side of a token; by default the smallest of at least 2 pixels with at most 64 tokens.
    ratios : sequence of float
        Masking ratios to choose from.
    patches : sequence of str, optional
        Labels of the mask patches to choose from, such as ``1x1``; by default the dyadic blocks.
    model : bool
        Train a small model at random ratios for about a minute, to see whether it explains far more than the
        covariance does; then the advice is that it cannot be told. Needs torch.
    seed : int

    Returns
    -------
    Advice

    Raises
    ------
    AdviceError
        If the images are none, or too few, or the goal cannot be reached with them.
    """
    if goal not in get_args(Goal):
        raise AdviceError(f"goal={one_of(goal, get_args(Goal))}")
    given = read_images(images, labels, token_pixels, MOST_IMAGES, seed, goal == "labels")
    if goal == "labels" and given.labels is None:
        raise AdviceError(f"goal='labels' needs labels, and {given.where} holds none")
    at = wanted_level(given, goal, level, scale)
    explained = {}
    if model:
        from maestrata.training.any_ratio import explained_by_model

        explained["model"] = explained_by_model(given.images, given.grid, given.token_pixels, seed)
    return Survey(given, ratios, patches, goal == "labels", seed).advice(at, explained)


def wanted_level(given: Images, goal: Goal, level: int | None, scale: float | None) -> int | None:
    """Return the level that a goal asks for, None for labels."""
    top = given.grid.levels
    if goal != "scale" and scale is not None:
        raise AdviceError(f"scale={scale!r} goes with goal='scale', not with {goal!r}")
    if goal != "level" and level is not None:
        raise AdviceError(f"level={level!r} goes with goal='level', not with {goal!r}")
    if goal == "labels":
        return None
    if goal == "level":
        if level is not None and (
            isinstance(level, bool) or not isinstance(level, int) or not 1 <= level <= top
        ):
            raise AdviceError(f"level={level!r} must lie in 1..{top}, the level of the whole image")
        return top if level is None else level
    sides = block_sides(given.grid, given.token_pixels)
    if scale is None or isinstance(scale, bool) or not sides[0] / 2 <= scale <= 2 * sides[-1]:
        raise AdviceError(
            f"scale={scale!r} must be a number of pixels from {sides[0] / 2:.3g} to {2 * sides[-1]:.3g}"
        )
    return 1 + int(np.abs(np.log(sides / scale)).argmin())


def block_sides(grid: TokenGrid, token_pixels: int) -> NDArray[np.float64]:
    """Return the scale of every level (L,): side in pixels of a square as large as one of its blocks.

    Examples
    --------
    >>> block_sides(TokenGrid(4, 4), 2).round(1).tolist()
    [2.8, 4.0, 5.7, 8.0]
    """
    shapes = [grid.block_shape(level) for level in range(1, grid.levels + 1)]
    return np.asarray(token_pixels * np.sqrt(np.prod(shapes, 1)))
