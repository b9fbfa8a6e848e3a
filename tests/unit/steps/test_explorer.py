"""The explorer's step: a page from cubes in any order, and one line where it cannot be made."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from maestrata.run.record import recorded
from maestrata.steps import explorer
from maestrata.steps._run import run

PUBLISHED = Path(__file__).parents[3] / "reference" / "default"


def test_a_page_that_says_what_made_it(tmp_path: Path) -> None:
    path, code = tmp_path / "page.html", "0123456789abcdef"
    cubes = [str(PUBLISHED / f"{name}.nc") for name in ("verdicts", "regression", "limits")]
    given = ["--cubes", *cubes, "--run", "mine", "--note", "not evidence", "--output", str(path)]
    explorer.main([*given, "--fingerprint", code])
    assert "<h1>Explorer: run mine [not evidence]</h1>" in path.read_text(encoding="utf-8")
    assert recorded(path) == code
    first = path.read_bytes()
    explorer.main([*given, "--fingerprint", code])
    assert path.read_bytes() == first


def test_without_scores_it_is_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    cubes = str(PUBLISHED / "verdicts.nc")
    output = tmp_path / "page.html"
    monkeypatch.setattr(sys, "argv", ["explorer.py"])
    with pytest.raises(SystemExit) as stop:
        run(lambda: explorer.main(["--cubes", cubes, "--run", "mine", "--output", str(output)]))
    assert stop.value.code == 2 and not output.exists()
    assert "a cube of kind 'regression' is needed; given: verdicts" in capsys.readouterr().err
