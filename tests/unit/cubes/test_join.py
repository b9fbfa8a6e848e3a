"""Cubes of two runs as one."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import xarray as xr

import maestrata
from maestrata.claims import registry
from maestrata.claims.report import dataset
from maestrata.claims.verdict import outcome_of
from maestrata.cubes.io import build, open_cube, write_cube
from maestrata.errors import CubeError

REFERENCE = Path(__file__).parents[3] / "reference"
KINDS = ("regression", "training", "theory", "limits")


def only(cube: xr.Dataset, **labels: list[object]) -> xr.Dataset:
    return cube.sel(labels)


@pytest.mark.parametrize("kind", KINDS)
def test_two_halves_are_the_whole(kind: str, tmp_path: Path) -> None:
    whole = open_cube(REFERENCE / "default" / f"{kind}.nc")
    worlds = whole.world.values.tolist()
    halves = [only(whole, world=worlds[:3]), only(whole, world=worlds[3:])]
    for name, half in zip("ab", halves, strict=True):
        write_cube(half, tmp_path / f"{name}.nc")
    joined = maestrata.join(tmp_path / "a.nc", tmp_path / "b.nc")
    numbers = {name: v.dtype for name, v in whole.variables.items() if v.dtype.kind in "if"}
    assert {name: joined[name].dtype for name in numbers} == numbers
    xr.testing.assert_equal(joined, whole)
    write_cube(joined, tmp_path / "joined.nc")  # as no merge of xarray's own could be: int8 stayed int8
    xr.testing.assert_equal(open_cube(tmp_path / "joined.nc"), whole)


def test_what_both_hold_alike_is_no_conflict() -> None:
    whole = open_cube(REFERENCE / "default" / "regression.nc")
    worlds = whole.world.values.tolist()
    xr.testing.assert_equal(maestrata.join(only(whole, world=worlds[:5]), whole), whole)


def cube(
    world: str, r: float, value: float, *, status: int = 1, config: dict[str, object] | None = None
) -> xr.Dataset:
    shape = (1,) * 6
    data = {
        "loss": np.full((*shape, 2), value),
        "learning_rate": np.full((*shape, 2), 0.1),
        "images_seen": np.full((*shape, 2), 8.0),
        "status": np.full(shape, status, np.int8),
        "patch_height": [1],
        "patch_width": [1],
        "realised_ratio": np.full((1,) * 4, r),
    }
    coords = {
        "world": [world],
        "world_seed": [0],
        "patch_size": [1],
        "offset": [0],
        "mask_ratio": [r],
        "seed": [0],
    }
    config = {"world": world, "world_kind": "gaussian_tree", "world_settings": {}, "lr": 0.1} | (config or {})
    worlds = {world: {"kind": config["world_kind"], "settings": config["world_settings"]}}
    said = {"parts_config": json.dumps(config), "parts_worlds": json.dumps(worlds), "threads": "1"}
    return build("training", coords, data, said)


def test_labels_of_both_and_nothing_between() -> None:
    joined = maestrata.join(cube("b", 0.5, 1), cube("a", 0.25, 2))
    assert joined.world.values.tolist() == ["b", "a"]
    assert joined.mask_ratio.values.tolist() == [0.25, 0.5]
    assert joined.status.dtype == np.int8
    assert joined.status.sel(world="b").values.ravel().tolist() == [0, 1]
    assert np.isnan(joined.loss.sel(world="b", mask_ratio=0.25)).all()
    assert joined.loss.sel(world="a", mask_ratio=0.25).values.ravel().tolist() == [2, 2]


def test_a_cell_that_one_lacks_is_done_in_the_other() -> None:
    missing = cube("a", 0.5, np.nan, status=2)
    for order in ((missing, cube("a", 0.5, 1)), (cube("a", 0.5, 1), missing)):
        assert maestrata.join(*order).status.item() == 1


def test_what_made_them_is_kept() -> None:
    joined = maestrata.join(cube("a", 0.5, 1), cube("b", 0.5, 1, config={"lr": 0.2}))
    config = json.loads(joined.attrs["parts_config"])
    assert config["lr"] == {"any of": [0.1, 0.2]}
    assert config["world_kind"] == "gaussian_tree"
    assert sorted(json.loads(joined.attrs["parts_worlds"])) == ["a", "b"]
    assert joined.attrs["threads"] == "1"
    again = maestrata.join(joined, cube("c", 0.5, 1, config={"lr": 0.3}))
    assert json.loads(again.attrs["parts_config"])["lr"] == {"any of": [0.1, 0.2, 0.3]}


@pytest.mark.parametrize(
    ("other", "said"),
    [
        (
            cube("a", 0.5, 2),
            "cube 2: loss is 2 at world=a, world_seed=0, patch_size=1, offset=0, mask_ratio=0.5, seed=0",
        ),
        (
            cube("a", 0.25, 2, config={"world_settings": {"leaves": 4}}),
            'cube 2: world \'a\' is {"kind": "gaussian_tree", "settings": {"leaves": 4}}, and',
        ),
        (cube("a", 0.25, 2).isel(seed=0, drop=True), "cube 2: variable loss has dimensions"),
    ],
)
def test_what_does_not_fit_is_named(other: xr.Dataset, said: str) -> None:
    with pytest.raises(CubeError) as caught:
        maestrata.join(cube("a", 0.5, 1), other)
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


def test_kinds_must_agree_and_be_cubes_of_a_run() -> None:
    theory = open_cube(REFERENCE / "default" / "theory.nc")
    with pytest.raises(CubeError, match="cube 2: kind='theory' must be 'training'"):
        maestrata.join(cube("a", 0.5, 1), theory)
    verdicts = dataset([outcome_of(registry.load("c06_masking_ratio"), [], "nothing")])
    with pytest.raises(CubeError, match="kind 'verdicts' must be one of"):
        maestrata.join(verdicts, verdicts)
    with pytest.raises(CubeError, match="at least one"):
        maestrata.join()
