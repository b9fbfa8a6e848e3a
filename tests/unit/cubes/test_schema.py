"""The schema is whole, and nothing that does not fit it is written or read."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import netCDF4
import numpy as np
import pytest

import maestrata
from maestrata.cubes.io import build, open_cube, write_cube
from maestrata.cubes.netcdf import CubeFile
from maestrata.cubes.schema import AXES, KINDS, SCHEMA_VERSION
from maestrata.errors import CubeError


def example(kind: str) -> Any:
    """A valid Dataset of any kind, from its declaration alone."""
    declared = KINDS[kind]
    labels: dict[str, list[Any]] = {
        axis: list(AXES[axis].allowed[:2]) if AXES[axis].allowed else {
            "float64": [0.1, 0.5], "int64": [1, 2], "str": ["ridge", "training"]
        }[AXES[axis].dtype]
        for axis in declared.dims if axis in AXES
    }  # fmt: skip
    labels |= {axis: [0, 1] for axis in ("offset",) if axis in labels}
    labels |= {axis: ["6", "16a root"] for axis in ("claim",) if axis in labels}
    labels |= {axis: ["0", "training"] for axis in ("eval_ratio",) if axis in labels}
    rng = np.random.default_rng(0)
    data = {}
    for name, variable in declared.variables.items():
        shape = [2] * len(variable.dims)
        data[name] = (
            rng.uniform(0, 1, shape) if variable.dtype.startswith("float") else np.ones(shape, variable.dtype)
        )
    for low, high in declared.ordered:
        data[low], data[high] = np.minimum(data[low], data[high]), np.maximum(data[low], data[high])
    attrs = {name: "x" if type_ is str else 1 for name, type_ in declared.attrs.items()}
    return build(kind, labels, data, attrs)


@pytest.mark.parametrize("kind", KINDS)
def test_round_trip(kind: str, tmp_path: Path) -> None:
    ds = example(kind)
    path = tmp_path / "a.nc"
    write_cube(ds, path, {"fingerprint": "abc"})
    back = maestrata.open_cube(path)
    assert back.attrs["fingerprint"] == "abc"
    assert back.attrs["schema_version"] == SCHEMA_VERSION
    assert list(back.variables) and set(back.variables) == set(ds.variables)
    for name in ds.variables:
        np.testing.assert_array_equal(back[name].values, ds[name].values)
        assert back[name].attrs["units"] and back[name].attrs["long_name"]
    again = tmp_path / "b.nc"
    write_cube(back, again, {"fingerprint": "abc"})
    assert again.read_bytes() == path.read_bytes()


@pytest.mark.parametrize("kind", KINDS)
def test_opens_in_any_netcdf_reader(kind: str, tmp_path: Path) -> None:
    write_cube(example(kind), tmp_path / "a.nc")
    with netCDF4.Dataset(tmp_path / "a.nc") as file:
        assert file.data_model == "NETCDF4"
        assert file.getncattr("kind") == kind
        for name, variable in KINDS[kind].variables.items():
            assert file[name].dimensions == variable.dims
            assert file[name].units == variable.units


def test_selects_by_value(tmp_path: Path) -> None:
    write_cube(example("regression"), tmp_path / "a.nc")
    ds = open_cube(tmp_path / "a.nc")
    assert ds.r2.sel(mask_ratio=0.1, level=2, encoder="trained").dims[0] == "world"
    assert ds.mask_ratio.dtype == np.float64
    assert "realised_ratio" in ds.coords


def refused(ds: Any, tmp_path: Path, *words: str) -> None:
    path = tmp_path / "refused.nc"
    with pytest.raises(CubeError) as caught:
        write_cube(ds, path)
    assert not list(tmp_path.iterdir())
    for word in (str(path), *words):
        assert word in str(caught.value)


def test_what_is_empty_takes_no_space_and_is_nan(tmp_path: Path) -> None:
    """Of a cube with a place for 600 mask distributions, only those that were looked at are stored."""
    full = example("theory")
    wide = full.reindex(world_seed=range(300))  # NaN beyond the two seeds that are there
    wide = wide.astype({name: full[name].dtype for name in full.data_vars})
    for name, ds in (("full", full), ("wide", wide)):
        write_cube(ds, tmp_path / f"{name}.nc")
    sizes = {name: (tmp_path / f"{name}.nc").stat().st_size for name in ("full", "wide")}
    assert wide.nbytes > 100 * full.nbytes and sizes["wide"] < 2 * sizes["full"]
    read = open_cube(tmp_path / "wide.nc")
    assert read.sel(world_seed=[1, 2]).identical(open_cube(tmp_path / "full.nc"))
    assert bool(read.p_in_c.sel(world_seed=299).isnull().all())


def test_wrong_dimensions(tmp_path: Path, scores: Callable[..., Any]) -> None:
    refused(
        scores(0).transpose("layer", ...), tmp_path, "variable r2", "('encoder', 'layer'", "in this order"
    )


def test_missing_and_unknown_variables(tmp_path: Path, scores: Callable[..., Any]) -> None:
    refused(scores(0).drop_vars("r2_low"), tmp_path, "variable r2_low is missing")
    refused(scores(0).assign(r3=scores(0).r2), tmp_path, "variable 'r3' must be one of", "r2_high")


def test_missing_coordinate(tmp_path: Path, scores: Callable[..., Any]) -> None:
    refused(scores(0).drop_vars("level"), tmp_path, "dimension level has no coordinate")


@pytest.mark.parametrize(("value", "allowed"), [(1.5, "(-inf, 1]"), (np.inf, "finite values in (-inf, 1]")])
def test_value_out_of_range(tmp_path: Path, scores: Callable[..., Any], value: float, allowed: str) -> None:
    ds = scores(0)
    ds["r2"][0, 0, 0, 0, 0, 0, 1] = value
    refused(ds, tmp_path, "variable r2", allowed)


def test_nan_where_it_must_not_be(tmp_path: Path) -> None:
    ds = example("history")
    ds["loss"][0] = np.nan
    refused(ds, tmp_path, "variable loss holds NaN")


def test_crossed_interval(tmp_path: Path, scores: Callable[..., Any]) -> None:
    ds = scores(0)
    ds["r2_low"][..., 0] = 0.9
    ds["r2_high"][..., 0] = 0.8
    refused(ds, tmp_path, "r2_low=", "r2_high=", "must not cross")


def test_flag_that_does_not_exist(tmp_path: Path) -> None:
    ds = example("regression")
    ds["status"][0] = 7
    refused(ds, tmp_path, "variable status holds 7", "2 (missing)")


@pytest.mark.parametrize(
    ("axis", "values", "message"),
    [
        ("encoder", ["trained", "clever"], "encoder='clever' must be one of"),
        ("level", [1, 2, 3, 3], "level holds 3 more than once"),
        ("level", [1, 2, 4, 3], "values must rise"),
        ("level", [-1, 2, 3, 4], "level=-1 must lie in [0, inf)"),
        ("level", [1.0, 2.0, 3.0, 4.0], "of type float64; allowed: int64"),
        ("eval_ratio", ["0", "half"], "eval_ratio='half' must match"),
        ("pooling", [3], "only strings are allowed"),
    ],
)
def test_wrong_labels(scores: Callable[..., Any], axis: str, values: list[Any], message: str) -> None:
    with pytest.raises(CubeError, match="new cube") as caught:
        scores(0, **{axis: values})
    assert message in str(caught.value)


@pytest.mark.parametrize("ratio", [0.0, 1.0, float("nan")])
def test_ratio_outside_the_open_interval(ratio: float, tmp_path: Path) -> None:
    coords = {axis: example("regression")[axis].values for axis in KINDS["regression"].dims} | {
        "mask_ratio": [ratio]
    }
    with pytest.raises(CubeError, match=r"mask_ratio=.* must lie in \(0, 1\)"):
        CubeFile(tmp_path / "a.nc", "regression", coords)


def edited(path: Path, edit: Callable[[netCDF4.Dataset], None]) -> Path:
    write_cube(example("history"), path)
    with netCDF4.Dataset(path, "a") as file:
        edit(file)
    return path


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        (lambda f: f.setncattr("schema_version", SCHEMA_VERSION + 1), "is newer than"),
        (lambda f: f.setncattr("schema_version", SCHEMA_VERSION - 1), "no longer read"),
        (lambda f: f.delncattr("schema_version"), "schema_version=None must be the integer"),
        (lambda f: f.setncattr("kind", "histories"), "kind='histories' must be one of"),
        (lambda f: f["loss"].setncattr("units", "kg"), "units='kg'; allowed: 'pixel value squared'"),
        (lambda f: f["loss"].__setitem__(0, -1.0), "variable loss holds -1.0"),
        (lambda f: f.renameVariable("loss", "loss_"), "variable 'loss_' must be one of"),
    ],
)
def test_a_file_that_was_changed_is_refused(tmp_path: Path, edit: Any, message: str) -> None:
    path = edited(tmp_path / "a.nc", edit)
    with pytest.raises(CubeError) as caught:
        open_cube(path)
    assert str(path) in str(caught.value) and message in str(caught.value)


@pytest.mark.parametrize("kept", [0, 10, 2000, 0.9])
def test_truncated_file(tmp_path: Path, kept: float) -> None:
    path = tmp_path / "a.nc"
    write_cube(example("regression"), path)
    whole = path.read_bytes()
    path.write_bytes(whole[: int(kept if kept > 1 or not kept else kept * len(whole))])
    with pytest.raises(CubeError, match="cannot be read"):
        open_cube(path)


def test_values_are_looked_at_again_only_where_no_seal_vouches_for_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_cube(example("theory"), tmp_path / "a.nc")
    looked_at = list[str]()
    monkeypatch.setattr("maestrata.cubes.io.check_values", lambda name, *_: looked_at.append(name))
    assert open_cube(tmp_path / "a.nc").sizes and not looked_at
    (tmp_path / "b.nc").write_bytes((tmp_path / "a.nc").read_bytes()[:-83])  # without its seal
    assert set(open_cube(tmp_path / "b.nc").data_vars) <= set(looked_at)


def test_missing_file_and_other_formats(tmp_path: Path) -> None:
    with pytest.raises(CubeError, match="no such file"):
        open_cube(tmp_path / "none.nc")
    with pytest.raises(CubeError, match="no such file"):
        open_cube(tmp_path)
    (tmp_path / "text.nc").write_text("hello")
    with pytest.raises(CubeError, match="cannot be read as NetCDF-4"):
        open_cube(tmp_path / "text.nc")


def test_a_failed_write_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "a.nc"
    write_cube(example("history"), path)
    before = path.read_bytes()
    with pytest.raises(CubeError), CubeFile(path, "history", {"step": [1]}) as file:
        file.put("loss", [-1.0])
    assert path.read_bytes() == before
    assert [p.name for p in tmp_path.iterdir()] == ["a.nc"]


def test_full_disk(tmp_path: Path) -> None:
    # A limit on file size stands for a disk without room: the write fails in the middle in both.
    code = (
        "import resource, signal, sys, numpy as np\n"
        "from maestrata.cubes.netcdf import CubeFile\n"
        "from maestrata.errors import CubeError\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (20000, 20000))\n"
        "n = 200000\n"
        "try:\n"
        "    with CubeFile(sys.argv[1], 'history', {'step': np.arange(n)}) as file:\n"
        "        file.put('loss', np.random.default_rng(0).random(n))\n"
        "        file.put('learning_rate', np.zeros(n))\n"
        "        file.put('images_seen', np.arange(n))\n"
        "except CubeError as error:\n"
        "    print(error)\n"
    )
    path = tmp_path / "a.nc"
    done = subprocess.run([sys.executable, "-c", code, str(path)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert str(path) in done.stdout and "cannot be written" in done.stdout and "MB free" in done.stdout
    assert not list(tmp_path.iterdir())


def test_folder_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(CubeError, match="cannot be written"):
        write_cube(example("history"), tmp_path / "file" / "a.nc")


def test_provenance_is_text_and_overwrites_nothing(tmp_path: Path) -> None:
    with pytest.raises(CubeError, match="provenance 'kind' would overwrite"):
        write_cube(example("history"), tmp_path / "a.nc", {"kind": "x"})
    with pytest.raises(CubeError, match="must be a string"):
        write_cube(example("history"), tmp_path / "a.nc", {"seed": 3})  # type: ignore[dict-item]


def test_required_attributes(tmp_path: Path) -> None:
    ds = example("worlds")
    del ds.attrs["token_pixels"]
    refused(ds, tmp_path, "attribute token_pixels=None must be of type int")


def test_light_imports() -> None:
    code = "import sys, maestrata, maestrata.cubes.schema, maestrata.cubes.collect, maestrata.cubes.io\n" + (
        "print([m for m in ('torch', 'xarray', 'pandas', 'pydantic', 'snakemake') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_documented() -> None:
    """docs/cubes.md names every kind and every variable."""
    text = (Path(__file__).parents[3] / "docs" / "cubes.md").read_text(encoding="utf-8")
    for kind, declared in KINDS.items():
        assert f"### `{kind}`" in text
        for name in declared.variables:
            assert f"`{name}`" in text, (kind, name)
    for axis in AXES:
        assert f"`{axis}`" in text, axis
