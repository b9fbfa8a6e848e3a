"""Scores summed up over worlds and training seeds, as a figure shows them.

The unit is the world (its functions), so training seeds are averaged within it. With three worlds or more
a point is the mean over worlds with a t interval (`ci_world`); with fewer, each world is shown by itself
with the bootstrap interval over test images (`ci_sample`).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from maestrata.results.statistics import MIN_WORLDS, over_worlds

if TYPE_CHECKING:
    import xarray as xr

__all__ = ["Summary", "summarise"]


@dataclass(frozen=True)
class Summary:
    """Values over some dimensions, worlds and seeds summed up.

    Attributes
    ----------
    mean : DataArray
        Without `world_seed` and `seed`.
    low, high : DataArray
        Interval of the mean over worlds; NaN everywhere where there are fewer than three worlds.
    each, each_low, each_high : DataArray
        Of each `world_seed`: mean over its seeds, with the sampling interval.
    n_worlds, n_seeds : int
        The most that any point has.
    """

    mean: xr.DataArray
    low: xr.DataArray
    high: xr.DataArray
    each: xr.DataArray
    each_low: xr.DataArray
    each_high: xr.DataArray
    n_worlds: int
    n_seeds: int

    def at(self, **labels: Any) -> Summary:
        """Select by label."""
        names = ("mean", "low", "high", "each", "each_low", "each_high")
        return replace(self, **{name: getattr(self, name).sel(labels) for name in names})

    @property
    def over_worlds(self) -> bool:
        """Whether intervals are over worlds, rather than over test images."""
        return self.n_worlds >= MIN_WORLDS


def summarise(cube: xr.Dataset, variable: str = "r2") -> Summary:
    """Average `variable` over seeds, then over worlds.

    Parameters
    ----------
    cube : Dataset
        With dimensions `world_seed` and `seed`, and ``variable``, ``variable_low``, ``variable_high``.
    variable : {"r2", "gain"}
    """
    # The same test images are behind all seeds of a world, so their mean is as uncertain as each of them.
    each, low, high = (cube[f"{variable}{end}"].mean("seed") for end in ("", "_low", "_high"))
    return Summary(
        *over_worlds(each),
        each,
        low,
        high,
        n_worlds=int(each.notnull().sum("world_seed").max()),
        n_seeds=int(cube[variable].notnull().sum("seed").max()),
    )
