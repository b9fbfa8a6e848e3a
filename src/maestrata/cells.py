"""A cell: one trained model of the sweep, the folder of its files, and when two masking ratios agree.

The path of a cell is written and read here alone, and so is the label of a mask patch.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from maestrata.errors import MaskError

__all__ = [
    "PATH",
    "RATIO_TOLERANCE",
    "Cell",
    "PatchShape",
    "answers",
    "first_seeds",
    "one_ratio",
    "same_ratio",
]

PATH = "{world}/w{world_seed}/p{patch}/v{visible}/s{seed}"
"""Folder of a cell's files, below ``cells/`` of the run."""

RATIO_TOLERANCE = 0.05
"""How far the realised masking ratio of a cell may lie from the ratio asked for (.125 counts as .1)."""

_PATH = re.compile(r"(?P<world>[^/]+)/w(?P<world_seed>\d+)/p(?P<patch>\w+)/v(?P<visible>\d+)/s(?P<seed>\d+)")
_SHAPE = re.compile(r"([1-9]\d*)x([1-9]\d*)(o?)")


class PatchShape(NamedTuple):
    """Shape of a mask patch in tokens, on whatever grid (see `maestrata.masks.MaskPatches`).

    Examples
    --------
    >>> PatchShape.parse("2x1o")
    PatchShape(height=2, width=1, offset=True)
    >>> PatchShape(2, 1, True).label
    '2x1o'
    """

    height: int
    width: int
    offset: bool = False

    @classmethod
    def parse(cls, label: str) -> PatchShape:
        """Read a label such as ``2x1``, or ``2x1o`` for its offset twin.

        Raises
        ------
        MaskError
            If the label is not of this form.
        """
        match = _SHAPE.fullmatch(str(label))
        if match is None:
            raise MaskError(
                f"mask patch {label!r} must read HEIGHTxWIDTH in tokens, such as 2x1, or 2x1o for offset"
            )
        return cls(int(match[1]), int(match[2]), bool(match[3]))

    @property
    def label(self) -> str:
        """Name of the shape: ``HxW``, with an ``o`` where it is offset."""
        return f"{self.height}x{self.width}{'o' if self.offset else ''}"

    @property
    def size(self) -> int:
        """Tokens in a patch."""
        return self.height * self.width


@dataclass(frozen=True, order=True)
class Cell:
    """One trained model of the sweep. Two asked ratios that leave the same patches visible are one cell.

    Parameters
    ----------
    world : str
        Label in the config.
    world_seed : int
    patch : str
        Label of the mask patches (`PatchShape`).
    visible : int
        Visible mask patches in training.
    seed : int
        Training seed.

    Examples
    --------
    >>> cell = Cell("additive", 0, "2x1", 4, 1)
    >>> cell.stem
    'additive/w0/p2x1/v4/s1'
    >>> Cell.parse(cell.stem) == cell
    True
    """

    world: str
    world_seed: int
    patch: str
    visible: int
    seed: int

    @classmethod
    def parse(cls, stem: str) -> Cell:
        """Read a cell from the folder of its files (`stem`).

        Raises
        ------
        MaskError
            If the text is no such folder, or its mask patch has no shape.
        """
        match = _PATH.fullmatch(stem)
        if match is None:
            raise MaskError(f"cell {stem!r} must read WORLD/wWORLD_SEED/pPATCH/vVISIBLE/sSEED")
        PatchShape.parse(match["patch"])
        numbers = {name: int(match[name]) for name in ("world_seed", "visible", "seed")}
        return cls(world=match["world"], patch=match["patch"], **numbers)

    @property
    def stem(self) -> str:
        """Folder of the cell's files under ``cells/``."""
        return PATH.format(**asdict(self))

    @property
    def shape(self) -> PatchShape:
        """Shape of the mask patches."""
        return PatchShape.parse(self.patch)

    @property
    def json(self) -> dict[str, Any]:
        """The five values by name, as JSON holds them; ``Cell(**cell.json)`` is the cell again."""
        return asdict(self)


def first_seeds(cells: Iterable[Cell]) -> dict[str, int]:
    """Return the lowest world seed of each world.

    Examples
    --------
    >>> first_seeds([Cell("additive", 5, "2x1", 4, 0), Cell("additive", 3, "2x1", 4, 0)])
    {'additive': 3}
    """
    first: dict[str, int] = {}
    for cell in cells:
        first[cell.world] = min(cell.world_seed, first.get(cell.world, cell.world_seed))
    return first


def same_ratio(one: ArrayLike, other: ArrayLike) -> NDArray[np.bool_]:
    """Tell whether two masking ratios are the same number, written or computed in two ways; elementwise.

    Examples
    --------
    >>> bool(same_ratio(1 - 0.9, 0.1))
    True
    """
    return np.asarray(np.isclose(one, other))


def one_ratio(ratios: Iterable[float]) -> dict[float, float]:
    """Return, for each masking ratio, the one that stands for all that are the same number: the shortest.

    Examples
    --------
    >>> one_ratio([0.30000000000000004, 0.3, 0.5])
    {0.3: 0.3, 0.30000000000000004: 0.3, 0.5: 0.5}
    """
    groups: list[list[float]] = []
    for ratio in sorted(set(ratios)):
        if groups and same_ratio(groups[-1][-1], ratio):
            groups[-1].append(ratio)
        else:
            groups.append([ratio])
    return {ratio: min(group, key=lambda one: len(repr(one))) for group in groups for ratio in group}


def answers(realised: ArrayLike, asked: ArrayLike) -> NDArray[np.bool_]:
    """Tell whether a cell of a realised masking ratio stands for the ratio asked for; elementwise.

    Examples
    --------
    >>> answers([0.125, 0.25], 0.1).tolist()
    [True, False]
    """
    return np.asarray(np.abs(np.subtract(realised, asked)) <= RATIO_TOLERANCE)
