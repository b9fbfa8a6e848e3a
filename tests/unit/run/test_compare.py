"""Comparing finished cubes with the published ones: what differs, what may, and what cannot be compared."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
import xarray as xr

from maestrata.cli import main
from maestrata.config.load import load_config
from maestrata.config.sections import World
from maestrata.cubes.io import open_cube, write_cube
from maestrata.cubes.schema import KINDS as SCHEMA
from maestrata.run.compare import KINDS, TOLERANCES, compare_cubes, compare_run

ROOT = Path(__file__).parents[3]
PUBLISHED = ROOT / "reference" / "default"


@pytest.fixture(scope="module")
def published() -> dict[str, xr.Dataset]:
    return {kind: open_cube(PUBLISHED / f"{kind}.nc") for kind in KINDS}


@pytest.fixture(scope="module")
def worlds(published: dict[str, xr.Dataset]) -> dict[str, World]:
    """Worlds as the published cubes say that they were, whatever config/config.yaml has come to say."""
    labels = [str(world) for world in published["theory"].world.values]
    known = json.loads(published["theory"].attrs["parts_config"])["world_settings"]["any of"]
    config = load_config(ROOT / "config" / "config.yaml").worlds
    return {label: config[label] for label in labels if config[label].settings in known}


def test_tolerances_name_variables_that_there_are() -> None:
    for kind, tolerances in TOLERANCES.items():
        assert tolerances.keys() <= SCHEMA[kind].variables.keys()


@pytest.mark.parametrize("kind", KINDS)
def test_a_cube_is_equal_to_itself(
    published: dict[str, xr.Dataset], worlds: dict[str, World], kind: str
) -> None:
    compared = compare_cubes(kind, published[kind], published[kind], worlds)
    assert compared.values == compared.equal > 0
    assert compared.cells > 0
    assert compared.differing == []
    assert compared.apart == []


CELL = {"world": "symbols", "world_seed": 100, "patch_size": 1, "mask_ratio": 0.75}
FEATURES = {"layer": 3, "pooling": "aligned", "eval_ratio": "0", "probe": "ridge", "target": "latent"}


@pytest.mark.parametrize(("encoder", "shift"), [("trained", 0.6), ("pixels", 0.005)])
def test_a_score_that_differs_is_told_in_words_of_the_field(
    published: dict[str, xr.Dataset], worlds: dict[str, World], encoder: str, shift: float
) -> None:
    changed = published["regression"].copy(deep=True)
    where = CELL | FEATURES | {"seed": 0, "offset": 0, "encoder": encoder, "level": 3}
    old = float(changed["r2"].loc[where])
    changed["r2"].loc[where] = old - shift
    compared = compare_cubes("regression", changed, published["regression"], worlds)
    (line,) = compared.differing
    place = "regression: world symbols, world seed 100, patch 1x1, ratio 0.75, seed 0"
    assert line.startswith(f"{place}: r2 differs by {shift:.2g}, more than two processors do (")
    assert f"encoder {encoder}, layer 3, pooling aligned" in line
    assert "target latent, level 3" in line
    assert f"{old - shift:.6g} here, {old:.6g} in the reference" in line
    # a fifth of that is allowed
    changed["r2"].loc[where] = old - shift / 5
    again = compare_cubes("regression", changed, published["regression"], worlds)
    assert again.differing == []
    assert again.equal == again.values - 1


def test_theory_is_held_to_nine_digits(published: dict[str, xr.Dataset], worlds: dict[str, World]) -> None:
    changed = published["theory"].copy(deep=True)
    where = CELL | {"offset": 0, "drawing": "fixed", "reading": "separator", "tie": "highest", "level": 2}
    changed["p_in_c"].loc[where] += 1e-8
    (line,) = compare_cubes("theory", changed, published["theory"], worlds).differing
    assert "world symbols, world seed 100, patch 1x1, ratio 0.75: p_in_c differs by 1e-08, more" in line
    assert "drawing fixed, reading separator, tie highest, level 2" in line


def test_the_end_of_the_training_is_compared(
    published: dict[str, xr.Dataset], worlds: dict[str, World]
) -> None:
    changed = published["training"].copy(deep=True)
    changed["loss"].loc[CELL | {"offset": 0, "seed": 0}] *= 1.05
    (line,) = compare_cubes("training", changed, published["training"], worlds).differing
    assert "world symbols, world seed 100, patch 1x1, ratio 0.75, seed 0: loss differs by" in line


def test_cells_of_one_run_only_are_left_out(
    published: dict[str, xr.Dataset], worlds: dict[str, World]
) -> None:
    part = published["regression"].sel(world=["invertible", "gaussian"], mask_ratio=[0.5])
    compared = compare_cubes("regression", part, published["regression"], worlds)
    assert (compared.cells, compared.differing, compared.apart) == (2, [], [])


def test_other_settings_are_told_and_not_compared(
    published: dict[str, xr.Dataset], worlds: dict[str, World]
) -> None:
    changed = published["regression"].copy(deep=True)
    about = json.loads(changed.attrs["parts_config"])
    changed.attrs["parts_config"] = json.dumps(about | {"probe_train": 1024})
    compared = compare_cubes("regression", changed, published["regression"], worlds)
    assert compared.values == 0
    assert compared.apart == ["regression not compared: probe_train is 1024 here, 8192 in the reference"]


def test_scores_after_another_training_are_not_compared(
    published: dict[str, xr.Dataset], worlds: dict[str, World]
) -> None:
    other = published["training"].copy()
    other.attrs = other.attrs | {
        "parts_config": json.dumps(json.loads(other.attrs["parts_config"]) | {"lr": 0.001})
    }
    cubes = published["regression"], published["regression"]
    compared = compare_cubes("regression", *cubes, worlds, (other, published["training"]))
    assert compared.apart == ["regression not compared: lr is 0.001 here, 0.003 in the reference"]


def test_another_number_of_images_leaves_that_cell_out(
    published: dict[str, xr.Dataset], worlds: dict[str, World]
) -> None:
    changed = published["regression"].copy(deep=True)
    changed["images_seen"].loc[CELL | {"seed": 0, "offset": 0}] = 1000
    changed["r2"].loc[CELL | {"seed": 0, "offset": 0}] = 0.123
    compared = compare_cubes("regression", changed, published["regression"], worlds)
    assert compared.differing == []
    assert compared.apart == [
        "regression: world symbols, world seed 100, patch 1x1, ratio 0.75, seed 0 not compared: trained on "
        "1,000 images here, 64,000 in the reference"
    ]


def test_a_world_with_other_settings_is_left_out(
    published: dict[str, xr.Dataset], worlds: dict[str, World]
) -> None:
    other = World(kind="symbol_tree", settings={"leaves": 32})
    compared = compare_cubes("theory", published["theory"], published["theory"], worlds | {"symbols": other})
    (line,) = compared.apart
    assert line.startswith("theory: world symbols not compared: it is not symbol_tree")
    assert 0 < compared.values < compare_cubes("theory", *[published["theory"]] * 2, worlds).values


def test_worlds_are_known_by_their_labels(published: dict[str, xr.Dataset], worlds: dict[str, World]) -> None:
    """Settings that another world of the reference has do not make two worlds one."""
    told = published["theory"].copy()
    entries = {label: {"kind": world.kind, "settings": world.settings} for label, world in worlds.items()}
    told.attrs = told.attrs | {"parts_worlds": json.dumps(entries)}
    swapped = worlds | {"dag": worlds["gaussian"]}
    assert compare_cubes("theory", told, told, worlds).apart == []
    (line,) = compare_cubes("theory", told, told, swapped).apart
    assert line.startswith("theory: world dag not compared")


def test_folders_are_compared_kind_by_kind(tmp_path: Path, worlds: dict[str, World]) -> None:
    shutil.copy(PUBLISHED / "theory.nc", tmp_path)
    (compared,) = compare_run(tmp_path, PUBLISHED, worlds)
    assert compared.kind == "theory"
    assert "equal to the bit" in compared.summary
    assert compare_run(tmp_path, tmp_path / "none", worlds) == []


def test_verify_fails_where_a_finished_cube_differs(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    published: dict[str, xr.Dataset],
    worlds: dict[str, World],
) -> None:
    """Only the cube is there: the files that are missing are named as well."""
    config = tmp_path / "some.yaml"
    entries = {label: {"kind": world.kind, "settings": world.settings} for label, world in worlds.items()}
    grid = [{"worlds": ["symbols"], "world_seeds": [100], "mask_ratios": [0.75]}]
    config.write_text(json.dumps({"run": "some", "worlds": entries, "grid": grid}))
    monkeypatch.chdir(tmp_path)
    cube = tmp_path / "results/some/cubes/theory.nc"
    cube.parent.mkdir(parents=True)
    changed = published["theory"].copy(deep=True)
    changed["climb"].loc[CELL] += 0.5
    write_cube(changed, cube)
    (cube.parent / ".theory.nc.1.tmp").touch()
    assert main(["verify", str(config), "--reference", str(PUBLISHED)]) == 1
    said = capsys.readouterr().out
    assert (
        "theory: world symbols, world seed 100, patch 1x1, ratio 0.75: climb differs by 0.5, more than two"
        in said
    )
    assert "1 differences from" in said and "are larger than those between two processors" in said
    assert "1 temporary files of jobs that were killed or still run" in said
    cube.write_bytes(cube.read_bytes()[:5000])
    assert main(["verify", str(config), "--reference", str(PUBLISHED)]) == 1
    said = capsys.readouterr().out
    assert "not compared with" in said
    assert "theory.nc: cannot be read" in said


@pytest.mark.parametrize(("encoder", "seen"), [("trained", 0.024), ("null_trained", 0.030)])
def test_means_over_worlds_are_held_to_what_two_processors_differ_by(
    published: dict[str, xr.Dataset], worlds: dict[str, World], encoder: str, seen: float
) -> None:
    """One model may be off by more: verdicts are made of means over worlds."""
    changed = published["regression"].copy(deep=True)
    cells = {"encoder": encoder, "world": "grammar"}
    changed["r2"].loc[cells] -= seen
    one = cells | {"world_seed": 103}
    changed["r2"].loc[one] -= 0.3  # moves a mean over twelve by .025
    assert compare_cubes("regression", changed, published["regression"], worlds).differing == []
    changed["r2"].loc[one] += 0.3
    changed["r2"].loc[cells] -= 2 * seen
    lines = compare_cubes("regression", changed, published["regression"], worlds).differing
    assert lines
    for line in lines:  # of several worlds of a kind alone
        assert "world seed " not in line
        assert f"mean r2 of the world seeds differs by {3 * seen:.2g}, more than two processors do" in line


def test_progress_is_held_more_closely(published: dict[str, xr.Dataset], worlds: dict[str, World]) -> None:
    changed = published["regression"].copy(deep=True)
    changed["progress"].loc[{"world": "symbols"}] -= 0.02
    lines = compare_cubes("regression", changed, published["regression"], worlds).differing
    assert lines and all("mean progress of the world seeds differs by 0.02" in line for line in lines)


@pytest.mark.parametrize(("encoder", "seen"), [("trained", 0.0098)])
def test_what_two_processors_were_seen_to_differ_by_is_no_failure(
    published: dict[str, xr.Dataset], worlds: dict[str, World], encoder: str, seen: float
) -> None:
    changed = published["regression"].copy(deep=True)
    changed["r2"].loc[{"encoder": encoder}] -= seen
    assert compare_cubes("regression", changed, published["regression"], worlds).differing == []
    changed["r2"].loc[{"encoder": encoder}] -= 3 * seen
    assert compare_cubes("regression", changed, published["regression"], worlds).differing


def test_other_versions_of_packages_are_told(
    published: dict[str, xr.Dataset], worlds: dict[str, World]
) -> None:
    theory = published["theory"]
    assert compare_cubes("theory", theory, theory, worlds).versions == ""
    other = theory.copy()
    other.attrs["parts_versions"] = "python 3.11.7, numpy 1.0.0"
    assert "numpy 1.0.0 here, " in compare_cubes("theory", other, theory, worlds).versions
