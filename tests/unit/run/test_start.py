"""Places that cannot be written are named before a run begins; names cannot leave the results folder."""

from __future__ import annotations

import inspect
import os
from pathlib import Path

import pytest

from maestrata.config.load import load_config
from maestrata.errors import ConfigError
from maestrata.run.layout import FILES
from maestrata.run.start import check_folder, job_environment, remember_signatures

CONFIGS = Path(__file__).parents[3] / "config"


def test_a_folder_that_is_not_there_yet_is_fine(tmp_path: Path) -> None:
    check_folder(tmp_path / "results" / "run")


def test_a_run_that_is_done_can_be_planned_again(tmp_path: Path) -> None:
    for pattern, _ in FILES.values():
        path = tmp_path / "results" / "run" / pattern.replace("{", "").replace("}", "")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    check_folder(tmp_path / "results" / "run")


@pytest.mark.parametrize(
    "place", ["results", "results/run", "results/run/logs/pretrain", "results/run/cells"]
)
def test_a_file_in_place_of_a_folder_is_named(tmp_path: Path, place: str) -> None:
    (tmp_path / place).parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / place).touch()
    with pytest.raises(ConfigError, match=rf"{tmp_path}/{place} must be a folder"):
        check_folder(tmp_path / "results" / "run")


def test_a_read_only_folder_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the system answers for a read-only file system, where the superuser cannot write either."""
    locked = tmp_path / "results"
    locked.mkdir()
    allowed = os.access
    monkeypatch.setattr(os, "access", lambda path, mode: Path(path) != locked and allowed(path, mode))
    with pytest.raises(ConfigError, match=rf"{locked} is read-only or another user's; make it writable"):
        check_folder(locked / "run")


@pytest.mark.parametrize("name", ["a:b", "a\nb", "a{b", "a}b"])
def test_a_checkout_whose_path_means_something_else_is_refused_in_one_line(name: str) -> None:
    with pytest.raises(ConfigError, match="must not hold") as caught:
        job_environment(Path("/somewhere") / name)
    assert repr(f"/somewhere/{name}") in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", ["a b", "a'b", 'a"b', "a$b", "a%b*", "ü試"])
def test_other_paths_are_as_good_as_any(name: str) -> None:
    environment = job_environment(Path("/somewhere") / name)
    assert environment["PYTHONPATH"].startswith(f"/somewhere/{name}/src")
    assert not environment["PYTHONDONTWRITEBYTECODE"]  # else every job compiles all that it imports


BAD = ["..", ".", "a/b", "/etc", "", "a b", "$(touch x)", ".hidden", "a\n", "-a", "é", "a" * 65]


@pytest.mark.parametrize("name", BAD)
def test_names_cannot_leave_the_results_folder(name: str) -> None:
    """Neither that of the run nor those of worlds, which become folders."""
    world = {"kind": "gaussian_tree", "settings": {}}
    for overrides in (
        {"run": name},
        {"worlds": {name: world}, "grid": [{"worlds": [name], "mask_ratios": [0.5]}]},
    ):
        with pytest.raises(ConfigError):
            load_config(CONFIGS / "smoke.yaml", overrides=overrides)


@pytest.mark.parametrize("folder", ["..", "../x", "a/../../x", "a//b", "a/./b", "$HOME", "~/x", "a b", ""])
def test_the_results_folder_is_a_plain_path(folder: str) -> None:
    with pytest.raises(ConfigError):
        load_config(CONFIGS / "smoke.yaml", overrides={"results": folder})


def test_a_truncated_config_is_refused_or_is_a_config(tmp_path: Path) -> None:
    """Wherever it is cut: one clear error or a shorter config, never anything else."""
    text = (CONFIGS / "config.yaml").read_text()
    refused = 0
    for end in range(0, len(text), 97):
        path = tmp_path / "cut.yaml"
        path.write_text(text[:end])
        try:
            load_config(path)
        except ConfigError as error:
            assert str(path) in str(error)
            assert "\n" not in str(error)
            refused += 1
    assert refused > 10


def test_what_a_function_takes_is_looked_up_once(monkeypatch: pytest.MonkeyPatch) -> None:
    from snakemake import common, jobs, rules

    calls = []

    def look(function: object) -> object:
        calls.append(function)
        return inspect.signature(function).parameters

    for module in (common, jobs, rules):  # and put back at the end
        monkeypatch.setattr(module, "get_function_params", look)
    remember_signatures()
    assert list(jobs.get_function_params(check_folder)) == ["folder"]
    assert rules.get_function_params(check_folder) is common.get_function_params(check_folder)
    assert calls == [check_folder]


def test_another_snakemake_is_left_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    from snakemake import common

    monkeypatch.delattr(common, "get_function_params")
    remember_signatures()
    assert not hasattr(common, "get_function_params")
