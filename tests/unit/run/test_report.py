"""The end of ``make reproduce`` speaks of the run that was made, and of nothing that was not."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from maestrata.cli import main
from maestrata.run import report  # Snakemake, which it imports, runs programs of its own then

CONFIG = """
run: one
worlds: {grammar: {kind: grammar_tree, settings: {leaves: 4}}}
grid: [{worlds: [grammar], mask_ratios: [0.5]}]
"""


@pytest.fixture
def called(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """Commands that would have been run."""
    commands: list[list[str]] = []

    def run(command: list[str], **_: Any) -> SimpleNamespace:
        commands.append(command)
        return SimpleNamespace(returncode=0, stdout="")

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(report.subprocess, "run", run)
    Path("mine.yaml").write_text(CONFIG)
    for name in ("one", "mine"):
        Path("results", name, "figures").mkdir(parents=True)
    Path("results/mine/figures/a.pdf").touch()
    return commands


def test_the_run_that_the_config_names(called: list[list[str]], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["report", "mine.yaml"]) == 0
    assert called[0][called[0].index("--report") + 1] == "results/one/report.zip"
    assert "results/one/figures/  (0, each" in capsys.readouterr().out


def test_the_run_that_the_command_line_names(
    called: list[list[str]], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["report", "mine.yaml", "--", "--config", "run=mine", "note=a b", "--forceall"]) == 0
    command = called[0]
    assert command[command.index("--report") + 1] == "results/mine/report.zip"
    assert command[command.index("--config") + 1 :][:2] == ["run=mine", "note=a b"]
    said = capsys.readouterr().out
    assert "results/mine/figures/  (1, each" in said
    assert "results/one" not in said


def test_what_snakemake_does_not_know_is_told(
    called: list[list[str]], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        main(["report", "mine.yaml", "--", "--no-such-flag"])
    assert not called and "--no-such-flag" in capsys.readouterr().err


@pytest.mark.parametrize("flag", ["-n", "--dry-run"])
def test_a_dry_run_made_nothing(
    called: list[list[str]], capsys: pytest.CaptureFixture[str], flag: str
) -> None:
    assert main(["report", "mine.yaml", "--", flag]) == 0
    assert not called
    assert capsys.readouterr().out.strip() == "a dry run: nothing was made"


@pytest.mark.parametrize("given", [["--unlock"], ["--until", "pretrain"], ["results/one/cubes/theory.nc"]])
def test_a_part_of_a_run_has_no_report(
    called: list[list[str]], capsys: pytest.CaptureFixture[str], given: list[str]
) -> None:
    # as make hands them on: behind --configfile, which takes what is no option
    given = given if given[0].startswith("-") else ["--", *given]
    assert main(["report", "mine.yaml", "--", *given]) == 0
    assert not called
    assert "no report was made" in capsys.readouterr().out


def test_what_is_wrong_is_one_line(called: list[list[str]], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["report", "mine.yaml", "--", "--config", "run=.."]) == 2
    assert capsys.readouterr().err.count("\n") == 1
    assert not called
