"""Where two cubes of a kind hold different numbers, told in the words of the field."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import product
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from maestrata.cubes.schema import CELL

if TYPE_CHECKING:
    import xarray as xr


@dataclass(frozen=True)
class Tolerance:
    """Values agree where ``abs(here - there) <= absolute + relative * abs(there)``.

    Attributes
    ----------
    absolute, relative : float
    encoders : mapping, optional
        Encoder -> its own absolute tolerance, where a variable is read from several.
    """

    absolute: float
    relative: float = 0.0
    encoders: Mapping[str, float] = field(default_factory=dict)


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
    mine, theirs : xarray.DataArray
        Of equal labels and dimensions (`xarray.align`); NaN where there is nothing to compare.
    """

    def __init__(self, name: str, mine: xr.DataArray, theirs: xr.DataArray) -> None:
        of_cell = [str(dim) for dim in theirs.dims if dim in CELL]
        within = [str(dim) for dim in theirs.dims if dim not in CELL]
        self.name = name
        self.rows, self.columns = _labels(theirs, of_cell), _labels(theirs, within)
        # one row a cell, one column each of its values
        self.mine, self.theirs = (
            np.asarray(each.transpose(*of_cell, *within).values, np.float64).reshape(
                len(self.rows), len(self.columns)
            )
            for each in (mine, theirs)
        )
        self.both = np.isfinite(self.mine) & np.isfinite(self.theirs)
        self.difference = np.abs(
            np.subtract(self.mine, self.theirs, out=np.zeros_like(self.mine), where=self.both)
        )

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

    def allowed(self, tolerance: Tolerance) -> NDArray[np.float64]:
        """Return how far each value may be off."""
        allowed = tolerance.absolute + tolerance.relative * np.abs(np.where(self.both, self.theirs, 0.0))
        own = np.array([tolerance.encoders.get(column.get("encoder", ""), np.nan) for column in self.columns])
        return np.where(np.isnan(own), allowed, own)

    def differing(self, allowed: NDArray[np.float64], cube: xr.Dataset) -> list[str]:
        """Tell of each cell that differs by more than it may: how much of it, and where most."""
        bad = self.difference > allowed
        lines = []
        for row in np.flatnonzero(bad.any(axis=1)):
            at = row, int(np.argmax(np.where(bad[row], self.difference[row], -1.0)))
            which = ", ".join(f"{dim} {label}" for dim, label in self.columns[at[1]].items())
            lines.append(
                f"{cell_name(self.rows[row], cube)}: {self.name} differs by {self.difference[at]:.2g}, more "
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
    words = [f"world {labels['world']}", f"world seed {labels['world_seed']}"]
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
