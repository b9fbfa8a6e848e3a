"""`maestrata show`: published cubes by default, a run's folder, one cube; what is printed is in the cube."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

import maestrata
from maestrata.cli import main
from maestrata.commands.show import cubes_in

ROOT = Path(__file__).parents[3]
PUBLISHED = ROOT / "reference" / "default"


@pytest.fixture
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working directory that is no checkout."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_the_published_cubes(elsewhere: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["show", "--out", "shown"]) == 0
    said = capsys.readouterr().out
    frame = maestrata.primary(maestrata.open_cube(PUBLISHED / "regression.nc"))
    place = ["world", "patch", "mask_ratio"]
    for (world, patch, ratio), rows in frame.groupby(place):
        row = next(s for s in said.splitlines() if s.split()[:3] == [world, patch, f"{ratio:g}"]).split()
        assert int(row[3]) == rows["world_seed"].nunique()
        means = rows.groupby("level").r2.mean()
        assert [float(text) for text in row[5:] if text != "-"] == pytest.approx(means, abs=0.0051)
    verdicts = maestrata.open_cube(PUBLISHED / "verdicts.nc")
    for label, title in zip(verdicts.claim.values, verdicts.title.values, strict=True):
        assert any(line[2:].startswith(f"{label} ") and title in line for line in said.splitlines())
    assert Path("shown/recovery_by_level.png").read_bytes().startswith(b"\x89PNG")


def test_a_runs_folder_and_one_cube(elsewhere: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name, folder in (("theory", "cubes"), ("verdicts", "verdicts")):
        (elsewhere / "run" / folder).mkdir(parents=True)
        shutil.copy(PUBLISHED / f"{name}.nc", elsewhere / "run" / folder)
    assert [path.name for path in cubes_in(Path("run"))] == ["theory.nc", "verdicts.nc"]
    assert main(["show", "run"]) == 0
    assert "verdicts:" in capsys.readouterr().out and not Path("results").exists()
    assert main(["show", "run/cubes/theory.nc"]) == 0
    assert maestrata.open_cube("run/cubes/theory.nc").title in capsys.readouterr().out


@pytest.mark.parametrize(
    ("place", "message"),
    [
        ("nowhere", "nowhere: no such file"),
        ("empty", "empty: no cube (.nc) in this folder"),
        ("text.nc", "text.nc: cannot be read as NetCDF-4"),
    ],
)
def test_what_is_wrong_is_one_line(
    elsewhere: Path, place: str, message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("empty").mkdir()
    Path("text.nc").write_text("no cube")
    assert main(["show", place]) == 2
    captured = capsys.readouterr()
    assert captured.out == "" and captured.err.count("\n") == 1 and message in captured.err


def test_without_published_cubes(
    elsewhere: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("maestrata.commands.show.__file__", str(elsewhere / "a/b/c/d/show.py"))
    assert main(["show"]) == 2
    assert "reference/default is not here" in capsys.readouterr().err
