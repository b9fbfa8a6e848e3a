"""What a claim is made of: tests fixed in advance, and rows of one number a world.

A claim module declares its tests as constants, before any model is trained, and returns the rows that they
are applied to; `verdict` turns both into a verdict. A committed table repeats the constants, and a test
compares the two.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from math import nan
from typing import TYPE_CHECKING, Literal

from maestrata.errors import ClaimError

if TYPE_CHECKING:
    import xarray as xr

__all__ = ["Evidence", "Missing", "Row", "Test"]


@dataclass(frozen=True)
class Test:
    """One test of a claim: where the mean over worlds must lie.

    Attributes
    ----------
    name : str
        What is measured, in a few words; the key of its rows.
    side : {"above", "below", "within"}
        The test speaks for the claim where the whole interval over worlds lies above (below) `threshold`, or
        within ``-threshold .. threshold`` (equivalence).
    threshold : float
    against : float, optional
        The test speaks against the claim where the whole interval lies beyond this number on the other side
        (for ``within``: outside ``-against .. against``); default: `threshold`.
    units : str
    """

    __test__ = False  # not one of pytest's

    name: str
    side: Literal["above", "below", "within"]
    threshold: float
    against: float | None = None
    units: str = "R2"

    @property
    def contrary(self) -> float:
        """The number beyond which the test speaks against the claim."""
        return self.threshold if self.against is None else self.against


@dataclass(frozen=True)
class Row:
    """The number of one world, training seeds averaged, with its interval over samples (ci_sample)."""

    world: str
    world_seed: int
    value: float
    low: float = nan
    high: float = nan
    seeds: int = 1


class Missing(ClaimError):
    """A run that does not hold what a claim is judged on."""


class Evidence:
    """The cubes of a run.

    Parameters
    ----------
    cubes : iterable of xarray.Dataset
        Each with its attribute `kind`; of kind ``interventions`` one for each intervention.
    """

    def __init__(self, cubes: Iterable[xr.Dataset]) -> None:
        self._cubes: dict[str, xr.Dataset] = {}
        for cube in cubes:
            kind = str(cube.attrs["kind"])
            key = f"{kind}/{cube.attrs['intervention']}" if kind == "interventions" else kind
            if key in self._cubes:
                raise ClaimError(f"two cubes of {key!r} are given; allowed: one")
            self._cubes[key] = cube

    @property
    def there(self) -> Mapping[str, xr.Dataset]:
        """All cubes, by kind, or ``interventions/NAME``."""
        return self._cubes

    def cube(self, key: str) -> xr.Dataset:
        """Return a cube by its kind, or ``interventions/NAME``; raises `Missing` where it is not there."""
        if key not in self._cubes:
            raise Missing(f"the run has no cube {key!r}")
        return self._cubes[key]
