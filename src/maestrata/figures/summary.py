"""What figures show of a regression cube: readings, means, intervals, and the words for them.

The unit is the world (its functions), so training seeds are averaged within it. With three worlds or more
a point is the mean over worlds with a t interval (`ci_world`); with fewer, each world is shown by itself
with the bootstrap interval over test images (`ci_sample`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import stdtrit

from maestrata.errors import FigureError

if TYPE_CHECKING:
    import xarray as xr

__all__ = ["PRIMARY", "Summary", "last_layer", "reading", "summarise"]

MIN_WORLDS = 3

# The primary reading, fixed in advance; the layer is the last one.
PRIMARY: dict[str, str] = {"pooling": "global", "eval_ratio": "0", "probe": "ridge", "target": "latent"}
READING_TEXT = "last layer, mean-pooled tokens, whole image, ridge"


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


def reading(cube: xr.Dataset, encoder: str = "trained", **changes: Any) -> xr.Dataset:
    """Select a reading of a regression cube: the primary one, but for `changes`.

    Parameters
    ----------
    cube : Dataset
        Of kind `regression`.
    encoder : str
    **changes : labels that differ; ``layer="all"`` keeps every layer, else the last one is taken.

    Returns
    -------
    Dataset
        All NaN where the cube does not have it.
    """
    labels = PRIMARY | {"encoder": encoder} | changes
    keep_layers = labels.pop("layer", None) == "all"
    # A control or probe that was not run is missing data, not an error.
    absent = [axis for axis, label in labels.items() if label not in cube[axis].values]
    chosen = cube.sel({axis: label for axis, label in labels.items() if axis not in absent})
    chosen = chosen.isel(dict.fromkeys(absent, 0)).load()
    if absent:
        names = [name for name, variable in cube.data_vars.items() if absent[0] in variable.dims]
        chosen = chosen.assign({name: chosen[name].where(False) for name in names})
    chosen = chosen.sel(level=[level for level in cube.level.values if level > 0])
    return chosen if keep_layers else last_layer(chosen)


def last_layer(cube: xr.Dataset) -> xr.Dataset:
    """Take, at every index, the last layer whose r2 is there (models may differ in depth)."""
    there = cube.r2.notnull()
    count = cube.sizes["layer"]
    last = count - 1 - there.isel(layer=slice(None, None, -1)).argmax("layer")
    names = [name for name, variable in cube.data_vars.items() if "layer" in variable.dims]
    return (
        cube.drop_vars(names).assign({name: cube[name].isel(layer=last) for name in names}).drop_vars("layer")
    )


def summarise(cube: xr.Dataset, variable: str = "r2") -> Summary:
    """Average `variable` over seeds, then over worlds.

    Parameters
    ----------
    cube : Dataset
        With dimensions `world_seed` and `seed`, and ``variable``, ``variable_low``, ``variable_high``.
    variable : {"r2", "gain"}
    """
    values = cube[variable]
    # The same test images are behind all seeds of a world, so their mean is as uncertain as each of them.
    each, low, high = (
        _mean(cube[name], "seed") for name in (variable, f"{variable}_low", f"{variable}_high")
    )
    return Summary(
        *t_interval(each, "world_seed"),
        each,
        low,
        high,
        n_worlds=int(each.notnull().sum("world_seed").max()),
        n_seeds=int(values.notnull().sum("seed").max()),
    )


def t_interval(values: xr.DataArray, dim: str) -> tuple[xr.DataArray, xr.DataArray, xr.DataArray]:
    """Mean over a dimension with its 95 % t interval, whose ends are NaN under `MIN_WORLDS` values."""
    n = values.notnull().sum(dim)
    mean = _mean(values, dim)
    spread = np.sqrt(((values - mean) ** 2).sum(dim) / np.maximum(n - 1, 1))
    factor = stdtrit(np.maximum(n.values - 1, 1), 0.975) / np.sqrt(np.maximum(n.values, 1))
    half = (spread * factor).where(n >= MIN_WORLDS)
    return mean, mean - half, mean + half


def _mean(values: xr.DataArray, dim: str) -> xr.DataArray:
    n = values.notnull().sum(dim)
    return values.fillna(0).sum(dim) / n.where(n > 0)


def intervals_text(summaries: Sequence[Summary], drawn: str = "bars") -> str:
    """Say what the intervals of a figure's summaries are, and over how many worlds and seeds.

    Parameters
    ----------
    summaries : sequence of Summary
    drawn : str
        What shows the interval; for anything but bars, single worlds are not shown.
    """
    many = [s for s in summaries if s.over_worlds]
    few = [s for s in summaries if not s.over_worlds and s.n_worlds]
    parts = []
    if many:
        parts.append(f"{drawn}: 95 % t interval over {_span([s.n_worlds for s in many])} worlds (ci_world)")
    if few:
        parts.append(f"{drawn}: 95 % bootstrap interval over test images (ci_sample)")
        parts.append(_plural(_span([s.n_worlds for s in few]), "world seed") + " each")
        if drawn == "bars" and max(s.n_worlds for s in few) > 1:
            parts.append("thin: one world seed, thick: mean")
    if many or few:
        seeds = _span([s.n_seeds for s in (*many, *few)])
        parts.append("1 training seed" if seeds == "1" else f"mean over {seeds} training seeds")
    return "; ".join(parts)


def _plural(count: str, noun: str) -> str:
    return f"{count} {noun}{'' if count == '1' else 's'}"


def _span(values: Sequence[int]) -> str:
    low, high = min(values), max(values)
    return str(low) if low == high else f"{low} to {high}"


def n_test_text(cube: xr.Dataset) -> str:
    """Say how many test images there were."""
    values: NDArray[Any] = cube.n_test.values
    found = np.unique(values[np.isfinite(values)]).astype(int)
    if not len(found):
        raise FigureError("the regression cube holds no score at this reading (n_test is NaN everywhere)")
    return (
        f"n = {found[0]:,} test images"
        if len(found) == 1
        else f"n = {found[0]:,} to {found[-1]:,} test images"
    )


def patches(cube: xr.Dataset) -> list[tuple[int, int]]:
    """List the (patch_size, offset) pairs that have any cell in the grid."""
    there = (cube.status > 0).any([d for d in cube.status.dims if d not in ("patch_size", "offset")])
    return [
        (int(size), int(offset))
        for size in cube.patch_size.values
        for offset in cube.offset.values
        if bool(there.sel(patch_size=size, offset=offset))
    ]


def patch_label(cube: xr.Dataset, size: int, offset: int) -> str:
    """Name a mask patch, such as ``2 x 1 tokens, offset``."""
    at = cube.sel(patch_size=size)
    return f"{int(at.patch_height)}×{int(at.patch_width)} tokens{', offset' if offset else ''}"


def missing_text(cube: xr.Dataset) -> str:
    """Say how many cells of the grid are not there; empty if none."""
    missing, done = (int((cube.status == flag).sum()) for flag in (2, 1))
    return f"{missing} of {missing + done} cells missing" if missing else ""
