"""Where two cubes of a kind hold different numbers, told in the words of the field."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
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
        self.name = name
        self.dims = [str(dim) for dim in theirs.dims]
        self.labels: list[list[Any]] = [theirs[dim].values.tolist() for dim in theirs.dims]
        self.mine = np.asarray(mine.transpose(*theirs.dims).values, np.float64)
        self.theirs = np.asarray(theirs.values, np.float64)
        self.both = np.isfinite(self.mine) & np.isfinite(self.theirs)
        self.difference = np.zeros(self.both.shape)
        self.difference[self.both] = np.abs(self.mine - self.theirs)[self.both]
        self.cell_axes = [axis for axis, dim in enumerate(self.dims) if dim in CELL]
        self.other_axes = tuple(axis for axis in range(len(self.dims)) if axis not in self.cell_axes)

    def cells(self) -> set[tuple[Any, ...]]:
        """Labels of the cells of which anything was compared."""
        at = np.argwhere(self.both.any(axis=self.other_axes))
        return {
            tuple(self.labels[axis][i] for axis, i in zip(self.cell_axes, index, strict=True)) for index in at
        }

    def largest(self) -> dict[str, float]:
        """Largest difference, by encoder where there are several."""
        if "encoder" not in self.dims:
            return {self.name: float(self.difference.max(initial=0.0))} if self.both.any() else {}
        axis = self.dims.index("encoder")
        return {
            f"{self.name} of {encoder}": float(self.difference.take(i, axis).max(initial=0.0))
            for i, encoder in enumerate(self.labels[axis])
            if self.both.take(i, axis).any()
        }

    def allowed(self, tolerance: Tolerance) -> NDArray[np.float64]:
        """Return how far each value may be off."""
        allowed = tolerance.absolute + tolerance.relative * np.abs(np.where(self.both, self.theirs, 0.0))
        if "encoder" in self.dims:
            axis = self.dims.index("encoder")
            own = np.array([tolerance.encoders.get(name, np.nan) for name in self.labels[axis]])
            own = own.reshape([-1 if i == axis else 1 for i in range(len(self.dims))])
            allowed = np.where(np.isnan(own), allowed, own)
        return np.asarray(allowed, np.float64)

    def differing(self, allowed: NDArray[np.float64], cube: xr.Dataset) -> list[str]:
        """Tell of each cell that differs by more than it may: how much of it, and where most."""
        bad = self.difference > allowed
        lines = []
        for index in np.argwhere(bad.any(axis=self.other_axes)):
            cell: list[Any] = [slice(None)] * len(self.dims)
            for axis, i in zip(self.cell_axes, index, strict=True):
                cell[axis] = int(i)
            where = tuple(cell)
            n, of = int(bad[where].sum()), int(self.both[where].sum())
            most = np.where(bad[where], self.difference[where], -1.0)
            inner = np.unravel_index(int(np.argmax(most)), most.shape)
            for axis, i in zip(self.other_axes, inner, strict=True):
                cell[axis] = int(i)
            at = tuple(cell)
            place = cell_name(self._labels(at, self.cell_axes), cube)
            which = ", ".join(f"{dim} {label}" for dim, label in self._labels(at, self.other_axes).items())
            lines.append(
                f"{place}: {self.name} differs by {self.difference[at]:.2g}, more than two processors do "
                f"({allowed[at]:.2g}){', at ' + which if which else ''}: {self.mine[at]:.6g} here, "
                f"{self.theirs[at]:.6g} in the reference ({n} of {of} values differ by more)"
            )
        return lines

    def _labels(self, at: tuple[int, ...], axes: Sequence[int]) -> dict[str, Any]:
        return {self.dims[axis]: self.labels[axis][at[axis]] for axis in axes}


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
