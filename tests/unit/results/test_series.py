"""Numbers along arms, levels and cells, summed up over worlds and training seeds."""

from __future__ import annotations

from math import nan

import numpy as np
import xarray as xr

from maestrata.results import (
    CubeSet,
    Select,
    along,
    along_arms,
    along_levels,
    cells,
    levels_with,
    numbered,
    root,
    sum_up,
    t_interval,
    worlds_of,
)

ARMS = ["1x1/v8", "1x1/v14", "2x2/v1", "random_init", "s512"]
RATIOS = [0.5, 0.125, nan, nan, nan]


def cube(world_seeds: int, seeds: int = 1) -> xr.Dataset:
    """An experiment in one world: quantity r2 at levels 1 to 3, share at level 0."""
    axes = {"world": ["tree"], "world_seed": range(world_seeds), "seed": range(seeds), "arm": ARMS,
            "quantity": ["mask_ratio", "share", "r2"], "level": [0, 1, 2, 3]}  # fmt: skip
    rng = np.random.default_rng(0)
    coords = {name: list(labels) for name, labels in axes.items()}
    value = xr.DataArray(rng.standard_normal([len(v) for v in coords.values()]), coords, list(coords))
    value.loc[{"quantity": ["mask_ratio", "share"], "level": [1, 2, 3]}] = nan
    value.loc[{"quantity": "r2", "level": 0}] = nan
    value.loc[{"quantity": "mask_ratio", "level": 0}] = xr.DataArray(RATIOS, dims="arm")
    n = xr.full_like(value, 4096).where(value.notnull() & (value.quantity != "mask_ratio"))
    setting = ("arm", [nan, nan, 0.75, nan, 512])
    numbers = {"value": value, "low": value - 0.02, "high": value + 0.02, "n": n, "setting": setting}
    return xr.Dataset(numbers, attrs={"kind": "experiments", "experiment": "made"})


def test_arms_of_a_sweep_by_their_ratio() -> None:
    made = cube(1)
    assert cells(made, "tree") == {"1x1/v14": 0.125, "1x1/v8": 0.5}
    assert cells(made, "tree", "2x2") == {"2x2/v1": 0.75}  # its setting
    assert cells(made, "grammar") == cells(None, "tree") == {}
    assert numbered(made, r"s(\d+)") == {"s512": 512.0}
    assert (root(made, "tree"), root(made, "tree", "share"), root(None, "tree")) == (3, 0, 0)
    assert levels_with(made.value.sel(quantity="r2")) == [3, 2, 1]
    assert worlds_of(made, None, made) == ["tree"]


def test_along_arms_over_worlds_and_over_samples() -> None:
    made = cube(4, seeds=2)
    s = along_arms(made, "tree", "share", cells(made, "tree"))
    assert s is not None and s.labels == ["1x1/v14", "1x1/v8"]
    np.testing.assert_array_equal(s.x, [0.125, 0.5])
    assert (s.n_worlds, s.n_seeds, s.samples, s.over_worlds) == (4, 2, (4096, 4096), True)
    values = made.value.sel(world="tree", arm="1x1/v8", quantity="share", level=0).mean("seed").values
    half = 3.182446 * values.std(ddof=1) / 2  # t(0.975, 3) sd / sqrt(4)
    ends = [s.low[1], s.high[1]]
    np.testing.assert_allclose(ends, values.mean() + half * np.array([-1, 1]), rtol=1e-5)
    few = along_arms(cube(2), "tree", "share", {"1x1/v8": 0.5})
    assert few is not None and not few.over_worlds
    np.testing.assert_allclose(few.high - few.low, 0.04)  # the worlds' own


def test_what_was_not_measured_is_no_series() -> None:
    made = cube(1)
    assert along_arms(None, "tree", "share", {"1x1/v8": 0.5}) is None
    assert along_arms(made, "grammar", "share", {"1x1/v8": 0.5}) is None
    assert along_arms(made, "tree", "purity", {"1x1/v8": 0.5}) is None
    assert along_arms(made, "tree", "share", {"3x3/v1": 0.5}) is None
    assert along_arms(made, "tree", "share", {"1x1/v8": 0.5}, level=2) is None
    assert along_levels(made, "tree", "1x1/v5", "r2") is None


def test_points_that_nobody_measured_are_left_out_or_kept() -> None:
    value = np.array([[[1.0, nan, 3.0]], [[2.0, nan, nan]]])
    s = sum_up([value] * 4, [3, 2, 1])
    assert s is not None
    np.testing.assert_array_equal(s.x, [1, 3])
    np.testing.assert_array_equal(s.mean, [3, 1.5])
    whole = sum_up([value] * 4, [3, 2, 1], whole=True)
    assert whole is not None
    np.testing.assert_array_equal(whole.mean, [1.5, nan, 3])


def test_levels_their_mean_and_a_difference() -> None:
    made = cube(3)
    s = along_levels(made, "tree", "1x1/v8", "r2")
    assert s is not None
    here = made.value.sel(world="tree", arm="1x1/v8", quantity="r2", seed=0, level=[1, 2, 3])
    np.testing.assert_array_equal(s.x, [1, 2, 3])
    np.testing.assert_allclose(s.mean, here.mean("world_seed"))
    r2 = Select("experiments/made", "r2", "1x1/v8", level="all")
    over = along(CubeSet([made]), "tree", {0.5: r2})
    assert over is not None and over.samples == (4096, 4096)
    expected = t_interval(here.mean("level").values)
    np.testing.assert_allclose([over.mean[0], over.low[0], over.high[0]], [float(v) for v in expected])
    start, absent = (Select("experiments/made", "r2", arm, level="all") for arm in ("random_init", "pca"))
    change = along(CubeSet([made]), "tree", {0.5: r2 - start, 0.75: r2 - absent}, ["v8", "v4"])
    start_r2 = made.value.sel(world="tree", arm="random_init", quantity="r2", seed=0, level=[1, 2, 3])
    assert change is not None and change.labels == ["v8"]
    np.testing.assert_allclose(change.each[:, 0], (here - start_r2).mean("level"))
    np.testing.assert_allclose(change.each_high - change.each_low, 0.04 * 2**0.5)
    assert along(CubeSet([made]), "tree", {0.5: absent}) is None
