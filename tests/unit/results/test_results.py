"""Cubes by kind, the primary features, intervals over worlds."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr
from scipy import stats

from maestrata.errors import CubeError
from maestrata.results import CubeSet, t_interval


def cube(kind: str, **attrs: str) -> xr.Dataset:
    return xr.Dataset(attrs={"kind": kind, **attrs})


def test_cubes_by_kind() -> None:
    border = cube("experiments", experiment="border")
    cubes = CubeSet([cube("theory"), border, cube("worlds"), cube("worlds")])
    assert cubes.one("experiments/border") is border
    assert cubes.get("limits") is None
    assert "theory" in cubes and "limits" not in cubes
    assert len(cubes.all("worlds")) == 2
    with pytest.raises(CubeError, match="'limits' is needed; given: experiments/border, theory, worlds"):
        cubes.one("limits")
    with pytest.raises(CubeError, match="2 cubes of kind 'worlds' are given; allowed: one"):
        cubes.get("worlds")


@pytest.mark.parametrize("n", [2, 3, 12])
def test_t_interval_is_scipys(n: int) -> None:
    x = np.random.default_rng(n).standard_normal(n)
    mean, low, high = t_interval(np.append(x, np.nan))
    theirs = stats.t.interval(0.95, n - 1, x.mean(), stats.sem(x))
    np.testing.assert_allclose([mean, low, high], [x.mean(), *theirs], rtol=1e-12)


def test_t_interval_of_too_few() -> None:
    assert [np.isnan(x).item() for x in t_interval([])] == [True, True, True]
    assert [np.isnan(x).item() for x in t_interval([1.0])] == [False, True, True]
    assert [np.isnan(x).item() for x in t_interval([1.0, 2.0], least=3)] == [False, True, True]
