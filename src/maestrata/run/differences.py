"""Where two cubes of a kind hold different numbers, told in the words of the field."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import product
from math import inf
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from maestrata.cubes.schema import CELL

if TYPE_CHECKING:
    import xarray as xr


Floats = NDArray[np.float64]
HeldBy: TypeAlias = Literal["absolute", "mean", "overall"]

LEAST = 8
"""World seeds from which on a mean over them is compared by itself."""


@dataclass(frozen=True)
class Tolerance:
    """Values agree where ``abs(here - there) <= absolute + relative * abs(there)``.

    Attributes
    ----------
    absolute, relative : float
    mean : float
        The same, absolute, of means over `LEAST` world seeds or more; infinite where these are not compared.
    overall : float
        The same of the mean over all cells.
    encoders : mapping, optional
        Encoder -> its own tolerance, where a variable is read from several.
    """

    absolute: float
    relative: float = 0.0
    mean: float = inf
    overall: float = inf
    encoders: Mapping[str, Tolerance] = field(default_factory=dict)


@dataclass
class Comparison:
    """How the cubes of one kind differ.

    Attributes
    ----------
    kind : str
    values : int
        Values compared: those that both cubes hold, of cells that were made in the same way.
    equal : int
        Of these, equal to the bit.
    cells : int
        Cells compared (of theory and limits: worlds, world seeds, patches and ratios).
    largest : dict of str to float
        Largest absolute difference by variable, and by encoder where there are several.
    differing : list of str
        One line for each cell and variable that differ by more than the tolerance.
    apart : list of str
        One line for each thing that was not compared, and why.
    versions : str
        Packages of which the two were made with other versions.
    """

    kind: str
    values: int = 0
    equal: int = 0
    cells: int = 0
    largest: dict[str, float] = field(default_factory=dict)
    differing: list[str] = field(default_factory=list)
    apart: list[str] = field(default_factory=list)
    versions: str = ""

    @property
    def summary(self) -> str:
        """One line on what was compared."""
        if not self.values:
            return f"{self.kind}: nothing in common with the reference"
        largest = ", ".join(f"{name} {value:.2g}" for name, value in self.largest.items() if value)
        text = (
            f"{self.kind}: {self.cells} cells, {self.values} values compared, {self.equal} equal to the bit"
        )
        return text + (f"; largest differences: {largest}" if largest else "")


class Pair:
    """A variable of two cubes, where both have it.

    Parameters
    ----------
    name : str
    rows, columns : list of dict
        Labels of the cells, and of the values of a cell.
    mine, theirs : array (rows, columns) of float64
        NaN where there is nothing to compare.
    held_by : {"absolute", "mean", "overall"}
        Field of a `Tolerance` that says how closely they must agree: what they are means over.
    """

    def __init__(
        self,
        name: str,
        rows: list[dict[str, Any]],
        columns: list[dict[str, Any]],
        mine: Floats,
        theirs: Floats,
        held_by: HeldBy = "absolute",
    ) -> None:
        self.name, self.rows, self.columns, self.held_by = name, rows, columns, held_by
        self.mine, self.theirs = mine, theirs
        self.both = np.isfinite(mine) & np.isfinite(theirs)
        self.difference = np.abs(np.subtract(mine, theirs, out=np.zeros_like(mine), where=self.both))

    @classmethod
    def of(cls, name: str, mine: xr.DataArray, theirs: xr.DataArray) -> Pair:
        """Pair two arrays of equal labels and dimensions (`xarray.align`)."""
        of_cell = [str(dim) for dim in theirs.dims if dim in CELL]
        within = [str(dim) for dim in theirs.dims if dim not in CELL]
        rows, columns = _labels(theirs, of_cell), _labels(theirs, within)
        here, there = (
            np.asarray(each.transpose(*of_cell, *within).values, np.float64).reshape(len(rows), len(columns))
            for each in (mine, theirs)
        )
        return cls(name, rows, columns, here, there)

    def means(self) -> Pair:
        """Pair the means over the world seeds that both have, where these are `LEAST` or more."""
        groups: dict[tuple[Any, ...], list[int]] = {}
        for row in np.flatnonzero(self.both.any(axis=1)).tolist():
            place = tuple(v for dim, v in self.rows[row].items() if dim != "world_seed")
            groups.setdefault(place, []).append(row)
        members = [rows for rows in groups.values() if len(rows) >= LEAST]
        labels = [{k: v for k, v in self.rows[rows[0]].items() if k != "world_seed"} for rows in members]
        made = np.full((2, len(members), len(self.columns)), np.nan)
        for at, rows in enumerate(members):
            both = self.both[rows]
            enough = both.sum(axis=0) >= LEAST
            for values, each in zip(made, (self.mine, self.theirs), strict=True):
                total = np.where(both, each[rows], 0.0).sum(axis=0)
                values[at, enough] = total[enough] / both.sum(axis=0)[enough]
        return Pair(self.name, labels, self.columns, made[0], made[1], "mean")

    def overall(self) -> Pair:
        """Pair the means over all cells, of an encoder where there are several: a cell counts by its mean."""
        encoders = np.array([column.get("encoder", "") for column in self.columns])
        labels = [{"encoder": each} if each else {} for each in dict.fromkeys(encoders.tolist())]
        made = np.full((2, 1, len(labels)), np.nan)
        rows = np.flatnonzero(self.both.any(axis=1))
        for at, label in enumerate(labels):
            own = encoders == label.get("encoder", "")
            both = self.both[rows][:, own]
            there = both.any(axis=1)
            for values, each in zip(made, (self.mine, self.theirs), strict=True):
                total = np.where(both, each[rows][:, own], 0.0).sum(axis=1)[there]
                if there.any():
                    values[0, at] = (total / both.sum(axis=1)[there]).mean()
        return Pair(self.name, [{}], labels, made[0], made[1], "overall")

    def cells(self) -> set[tuple[Any, ...]]:
        """Labels of the cells of which anything was compared."""
        return {tuple(self.rows[i].values()) for i in np.flatnonzero(self.both.any(axis=1))}

    def largest(self) -> dict[str, float]:
        """Largest difference, by encoder where there are several."""
        encoders = np.array([column.get("encoder", "") for column in self.columns])
        return {
            f"{self.name} of {encoder}" if encoder else self.name: float(self.difference[:, own].max())
            for encoder in dict.fromkeys(encoders.tolist())
            if self.both[:, own := encoders == encoder].any()
        }

    def allowed(self, tolerance: Tolerance) -> Floats:
        """Return how far each value may be off."""
        each = [tolerance.encoders.get(column.get("encoder", ""), tolerance) for column in self.columns]
        if self.held_by != "absolute":
            return np.broadcast_to([getattr(own, self.held_by) for own in each], self.difference.shape)
        relative = np.array([own.relative for own in each])
        absolute = np.array([own.absolute for own in each])
        return absolute + relative * np.abs(np.where(self.both, self.theirs, 0.0))

    @property
    def _what(self) -> str:
        over = {"absolute": "", "mean": "of the world seeds", "overall": "of all cells"}[self.held_by]
        return f"mean {self.name} {over}" if over else self.name

    def differing(self, allowed: Floats, cube: xr.Dataset) -> list[str]:
        """Tell of each cell that differs by more than it may: how much of it, and where most."""
        bad = self.difference > allowed
        lines = []
        for row in np.flatnonzero(bad.any(axis=1)):
            at = row, int(np.argmax(np.where(bad[row], self.difference[row], -1.0)))
            which = ", ".join(f"{dim} {label}" for dim, label in self.columns[at[1]].items())
            lines.append(
                f"{cell_name(self.rows[row], cube)}: {self._what} differs by {self.difference[at]:.2g}, more "
                f"than two processors do ({allowed[at]:.2g}){', at ' + which if which else ''}: "
                f"{self.mine[at]:.6g} here, {self.theirs[at]:.6g} in the reference "
                f"({bad[row].sum()} of {self.both[row].sum()} values differ by more)"
            )
        return lines


def _labels(array: xr.DataArray, dims: Sequence[str]) -> list[dict[str, Any]]:
    """Labels of every place along some dimensions, in the order of the values."""
    places = product(*(array[dim].values.tolist() for dim in dims))
    return [dict(zip(dims, place, strict=True)) for place in places]


def cell_name(labels: dict[str, Any], cube: xr.Dataset) -> str:
    """Name a cell: world, world seed, patch, ratio and seed, as far as they are given.

    Parameters
    ----------
    labels : dict
        Dimension of `CELL` -> its label.
    cube : xarray.Dataset
        Knows the shape of a patch of each size.
    """
    words = [f"world {labels['world']}"] if labels else ["all worlds"]
    if labels.get("world_seed") is not None:
        words.append(f"world seed {labels['world_seed']}")
    if labels.get("patch_size") is not None:
        shape = cube.sel(patch_size=labels["patch_size"])
        words.append(
            f"patch {int(shape.patch_height)}x{int(shape.patch_width)}{'o' if labels['offset'] else ''}"
        )
    if labels.get("mask_ratio") is not None:
        words.append(f"ratio {labels['mask_ratio']:g}")
    if labels.get("seed") is not None:
        words.append(f"seed {labels['seed']}")
    return ", ".join(words)
