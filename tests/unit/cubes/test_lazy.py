"""Large variables are read when they are used, and no file stays open."""

from __future__ import annotations

import gc
from pathlib import Path
from typing import Any

import netCDF4
import numpy as np
import pytest
import xarray as xr

from maestrata.cubes.io import open_cube
from maestrata.errors import CubeError

PUBLISHED = Path(__file__).parents[3] / "reference" / "default"


@pytest.fixture
def large(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A file whose variables of numbers count as large."""
    monkeypatch.setattr("maestrata.cubes.io._LOAD", 0)
    monkeypatch.setattr("maestrata.cubes.io._SMALL", 10_000)
    path = tmp_path / "theory.nc"
    path.write_bytes((PUBLISHED / "theory.nc").read_bytes())
    return path


def open_files() -> int:
    return sum(issubclass(type(found), netCDF4.Dataset) and found.isopen() for found in gc.get_objects())


@pytest.mark.parametrize("name", ["linear_r2", "n_masks"])
def test_values_by_any_index_are_those_of_the_file(large: Path, name: str) -> None:
    lazy, whole = open_cube(large)[name], xr.load_dataset(large, mask_and_scale=False)[name]
    assert whole.nbytes > 10_000 and lazy.dtype == whole.dtype
    first, last = whole.dims[0], whole.dims[-1]
    points = xr.DataArray([0, 1], dims="point")
    places: list[dict[Any, Any]] = [
        {first: 0},
        {first: slice(None, None, -1), last: -1},
        {first: [1, 0], last: [0]},
        {first: np.array([], int)},
        {first: points, last: points},
        {},
    ]
    for at in places:
        np.testing.assert_array_equal(lazy.isel(at).values, whole.isel(at).values)


def test_no_file_stays_open(large: Path) -> None:
    """Else garbage collection in another thread may close it while this one reads."""
    before = open_files()
    cube = open_cube(large)
    assert float(cube.linear_r2.isel(world_seed=0).max()) <= 1
    assert open_files() == before


def test_a_file_that_is_gone_is_one_clear_error(large: Path) -> None:
    cube = open_cube(large)
    large.unlink()
    with pytest.raises(CubeError, match=r"theory\.nc: linear_r2 cannot be read"):
        cube.linear_r2.values  # noqa: B018


def test_a_file_that_was_written_anew_is_not_taken_for_the_one_that_was_opened(large: Path) -> None:
    cube, anew = open_cube(large), large.with_name("anew.nc")
    anew.write_bytes(large.read_bytes())
    anew.replace(large)
    with pytest.raises(CubeError, match=r"theory\.nc was written anew since it was opened"):
        cube.linear_r2.values  # noqa: B018
    assert open_cube(large).linear_r2.values.size
