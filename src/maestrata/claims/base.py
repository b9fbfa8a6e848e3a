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

__all__ = ["Evidence", "Missing", "Row", "Test", "at_level", "elsewhere"]


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
    """The number of one world, training seeds averaged, with its interval over samples (ci_sample).

    Attributes
    ----------
    world : str
        Label of the world.
    world_seed : int
    value : float
        NaN where the world has no number; it is then left out, and counted.
    low, high : float
        Ends of its interval over samples.
    seeds : int
        Training seeds averaged.
    bound : bool
        Whether the number asked for is only known to have the sign of `value` and at least its magnitude: a
        difference in R2 in place of one in skill, whose divisor, the ceiling, lies in (0, 1]. Such rows can
        show that a difference is there, never that it is not (see `verdict`).
    """

    world: str
    world_seed: int
    value: float
    low: float = nan
    high: float = nan
    seeds: int = 1
    bound: bool = False


def at_level(name: str, level: int) -> str:
    """Key of the rows of a test at one level, where a test is made at every level of the world.

    Each level is then a test of its own, and decides (or stands beside) like the test that it is named after.
    """
    return f"{name}, level {level}"


def elsewhere(name: str, label: str) -> str:
    """Key of the rows of a test in worlds of another label than the claim's own: it never decides."""
    return f"{name} [{label}]"


class Missing(ClaimError):
    """A run that does not hold what a claim is judged on."""


class Evidence:
    """The cubes of a run.

    Parameters
    ----------
    cubes : iterable of xarray.Dataset
        Each with its attribute `kind`; of kind ``experiments`` one for each experiment.
    """

    def __init__(self, cubes: Iterable[xr.Dataset]) -> None:
        self._cubes: dict[str, xr.Dataset] = {}
        for cube in cubes:
            kind = str(cube.attrs["kind"])
            key = f"{kind}/{cube.attrs['experiment']}" if kind == "experiments" else kind
            if key in self._cubes:
                raise ClaimError(f"two cubes of {key!r} are given; allowed: one")
            self._cubes[key] = cube

    @property
    def there(self) -> Mapping[str, xr.Dataset]:
        """All cubes, by kind, or ``experiments/NAME``."""
        return self._cubes

    def cube(self, key: str) -> xr.Dataset:
        """Return a cube by its kind, or ``experiments/NAME``; raises `Missing` where it is not there."""
        if key not in self._cubes:
            raise Missing(f"the run has no cube {key!r}")
        return self._cubes[key]
