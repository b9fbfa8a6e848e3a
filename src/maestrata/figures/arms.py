"""What figures show of an intervention: a quantity of some arms, in order, with intervals over worlds."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from maestrata.figures.summary import MIN_WORLDS, t_interval

if TYPE_CHECKING:
    import xarray as xr

__all__ = ["Series", "interval_text", "levels_with", "ratio_of", "series", "single"]


@dataclass(frozen=True)
class Series:
    """A quantity along arms.

    Attributes
    ----------
    arms : list of str
    x : ndarray (arms,)
        Where each stands.
    mean, low, high : ndarray (arms,)
        Over worlds, training seeds averaged: with the t interval from three worlds on (ci_world), with
        fewer the mean of the worlds' own intervals (ci_sample).
    each : ndarray (worlds, arms)
    """

    arms: list[str]
    x: NDArray[np.float64]
    mean: NDArray[np.float64]
    low: NDArray[np.float64]
    high: NDArray[np.float64]
    each: NDArray[np.float64]

    @property
    def n_worlds(self) -> int:
        """The most worlds that any arm has."""
        return int(np.isfinite(self.each).sum(0).max(initial=0))


def ratio_of(cube: xr.Dataset, arm: str) -> float:
    """Masking ratio that an arm stands for: its quantity `mask_ratio`, else its setting."""
    if "mask_ratio" in cube["quantity"].values:
        values = cube["value"].sel(arm=arm, quantity="mask_ratio").values
        if np.isfinite(values).any():
            return float(np.nanmax(values))
    return float(cube["setting"].sel(arm=arm))


def series(
    cube: xr.Dataset,
    world: str,
    pattern: str,
    quantity: str,
    level: int = 0,
    place: Callable[[xr.Dataset, str], float] = ratio_of,
) -> Series | None:
    """Take a quantity of the arms that match a pattern, by what they stand for.

    Parameters
    ----------
    cube : Dataset
        Of kind ``interventions``.
    world : str
    pattern : str
        Regular expression that an arm must match in full.
    quantity : str
    level : int
    place : callable
        (cube, arm) -> where it stands; arms without a place are left out.

    Returns
    -------
    Series or None
        None where nothing was measured.
    """
    if quantity not in cube["quantity"].values or level not in cube["level"].values:
        return None
    if world not in cube["world"].values:
        return None
    here = cube.sel(world=world)
    arms = [str(arm) for arm in cube["arm"].values if re.fullmatch(pattern, str(arm))]
    x = {arm: place(here, arm) for arm in arms}
    chosen = here.sel(quantity=quantity, level=level, arm=[a for a in arms if np.isfinite(x[a])])
    each = chosen["value"].mean("seed").transpose("world_seed", "arm")
    there = np.isfinite(each.values).any(0)
    if not there.any():
        return None
    each, chosen = each.isel(arm=there), chosen.isel(arm=there)
    order = np.argsort([x[str(a)] for a in each["arm"].values], kind="stable")
    each, chosen = each.isel(arm=order), chosen.isel(arm=order)
    mean, low, high = (part.values for part in t_interval(each, "world_seed"))
    if int(np.isfinite(each.values).sum(0).max()) < MIN_WORLDS:
        low, high = (chosen[end].mean(["world_seed", "seed"]).values for end in ("low", "high"))
    names = [str(a) for a in each["arm"].values]
    return Series(names, np.array([x[a] for a in names]), mean, low, high, each.values)


def single(cube: xr.Dataset, world: str, arm: str, quantity: str, level: int = 0) -> Series | None:
    """Take a quantity of one arm, such as a control."""
    return series(cube, world, re.escape(arm), quantity, level, place=lambda *_: 0.0)


def levels_with(cube: xr.Dataset, quantity: str) -> list[int]:
    """Levels at which a quantity was measured, the highest first."""
    if quantity not in cube["quantity"].values:
        return []
    values = cube["value"].sel(quantity=quantity)
    there = values.notnull().any([dim for dim in values.dims if dim != "level"])
    return sorted((int(v) for v in cube["level"].values[there.values]), reverse=True)


def interval_text(found: list[Series]) -> str:
    """Say what the intervals are, and over how many worlds."""
    counts = sorted({s.n_worlds for s in found})
    if not counts:
        return "nothing measured"
    span = str(counts[0]) if len(counts) == 1 else f"{counts[0]} to {counts[-1]}"
    if counts[0] >= MIN_WORLDS:
        return f"bars: 95 % t interval over {span} worlds (ci_world)"
    plural = "" if span == "1" else "s"
    return f"{span} world seed{plural}; bars: 95 % interval over samples (ci_sample) where under 3 worlds"
