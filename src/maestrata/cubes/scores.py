"""Scores of a cell put together with its controls, and the gain over null_trained, paired by replicate."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from maestrata.cubes.fields import PROGRESS
from maestrata.cubes.part import Part
from maestrata.cubes.schema import SCORE
from maestrata.errors import CubeError
from maestrata.resampling import percentiles

__all__ = ["CellScores"]

_REFERENCE = "null_trained"


def _place(
    block: NDArray[Any],
    part: Part,
    values: NDArray[Any],
    coords: Mapping[str, list[Any]],
    dims: Sequence[str],
) -> None:
    """Put the finite values of a part into a block, by their labels."""
    if all(part.coords[d].tolist() == coords[d] for d in dims):
        np.copyto(block, values, where=np.isfinite(values))
        return
    index = np.ix_(*part.places(dims, coords))
    block[index] = np.where(np.isnan(values), block[index], values)


class CellScores:
    """Scores of one cell, controls included, and the gain over null_trained (NaN where there is none)."""

    def __init__(
        self, coords: Mapping[str, list[Any]], names: Sequence[str], base: CellScores | None = None
    ) -> None:
        self.coords = coords
        self.names = names
        shape = tuple(len(coords[axis]) for axis in SCORE)
        gains = ("gain", "gain_low", "gain_high")
        self.values: dict[str, NDArray[Any]] = {
            name: base.values[name].copy() if base else np.full(shape, np.nan, np.float32)
            for name in (*names, *gains)
        }
        self.progress: dict[str, float] = {}
        self.reference: NDArray[Any] | None = (
            None if base is None or base.reference is None else base.reference.copy()
        )

    def add(self, part: Part) -> None:
        """Add a file's scores, and the gain of every score in it."""
        data = {name: part.read(name) for name in self.names if name in part.names}
        self.progress |= {name: float(part.read(name)) for name in PROGRESS if name in part.names}
        for name, values in data.items():
            _place(self.values[name], part, values, self.coords, SCORE)
        if _REFERENCE not in self.coords["encoder"]:
            return
        r2 = self.values["r2"]
        self.values["gain"] = r2 - r2[self.coords["encoder"].index(_REFERENCE)]
        if "r2_boot" in part.names:
            self._intervals(part, part.read("r2_boot"), np.isfinite(data["r2"]))

    def _intervals(self, part: Part, boot: NDArray[Any], scored: NDArray[np.bool_]) -> None:
        encoders = part.coords["encoder"].tolist()
        if self.reference is None:
            self.reference = np.full((*self.values["r2"].shape[1:], boot.shape[-1]), np.nan, np.float32)
        elif self.reference.shape[-1] != boot.shape[-1]:
            raise CubeError(
                f"{part.where}: r2_boot has {boot.shape[-1]} replicates and the controls "
                f"{self.reference.shape[-1]}; they must be the same ones"
            )
        if _REFERENCE in encoders:
            _place(self.reference, part, boot[encoders.index(_REFERENCE)], self.coords, SCORE[1:])
        # Rows of this file that have a counterpart, found by label in the reference.
        rows = np.nonzero(scored)
        union = tuple(at[row] for at, row in zip(part.places(SCORE, self.coords), rows, strict=True))
        low, high = percentiles(boot[rows] - self.reference[union[1:]])
        self.values["gain_low"][union], self.values["gain_high"][union] = low, high
