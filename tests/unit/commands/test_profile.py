"""`maestrata profile`: the numbers are those of the theory, in table, JSON and picture."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from maestrata.cli import main
from maestrata.theory import level_profile


@pytest.mark.parametrize("reading", ["separator", "invertible"])
@pytest.mark.parametrize(("patch", "level"), [("1x1", 0), ("2x1", 1), ("2x2", 2)])
def test_as_the_closed_form_has_it(
    patch: str, level: int, reading: str, capsys: pytest.CaptureFixture[str]
) -> None:
    ratios = [".25", ".5", ".75"]
    command = ["profile", "--leaves", "16", "--patch", patch, "--reading", reading, "--json"]
    assert main([*command, "--ratio", *ratios]) == 0
    report = json.loads(capsys.readouterr().out)
    assert [profile["ratio"] for profile in report["profiles"]] == [float(ratio) for ratio in ratios]
    for profile in report["profiles"]:
        closed = level_profile(2, 4, profile["ratio"], reading, level, "fixed")
        assert profile["exact"] and profile["level"] == closed.level.values.tolist()
        assert profile["p_in_c"] == pytest.approx(closed.p_in_c.values, abs=1e-12)
        assert profile["mean_level"] == pytest.approx(float(closed.mean_level))


def test_table_and_picture(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    picture = tmp_path / "profile.png"
    command = ["profile", "--leaves", "32", "--ratio", ".5", ".9", "--out", str(picture)]
    assert main(command) == 0
    said = capsys.readouterr().out
    rows = {line[:12].strip(): line[12:].split() for line in said.splitlines()}
    assert {f"level {level}" for level in range(1, 5)} | {"mean level", "realised r"} <= set(rows)
    assert rows["realised r"] == ["0.500", "0.906"]  # 3 of 32 patches visible
    assert "over 20,000 random masks" in said and picture.read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--leaves", "7"], "leaves=7 must be a power of two"),
        (["--leaves", "4096"], "leaves=4096 must be at most"),
        (["--leaves", "8", "--ratio", "1"], "mask_ratio=1.0 must lie in (0, 1)"),
        (["--leaves", "8", "--patch", "3x1"], "mask patch 3x1 must divide"),
        (["--leaves", "8", "--patch", "two"], "mask patch 'two' must read HEIGHTxWIDTH"),
        (["--leaves", "8", "--ratio", ".5", "--out", "a.gif"], "a figure's ending must be one of"),
    ],
)
def test_what_is_wrong_is_one_line(
    flags: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["profile", *flags]) == 2
    captured = capsys.readouterr()
    assert captured.out == "" and captured.err.count("\n") == 1 and message in captured.err
