"""What is looked at before Snakemake reads a config: workflow/ahead.py, which the profiles run."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).parents[3]


@pytest.fixture(scope="module")
def ahead() -> ModuleType:
    spec = importlib.util.spec_from_file_location("ahead", ROOT / "workflow" / "ahead.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_good_files_and_values_pass(ahead: ModuleType) -> None:
    config = str(ROOT / "config" / "smoke.yaml")
    assert ahead.look(["-n", "--configfile", config, "--config", "run=a", "note=", "--cores", "1"]) is None
    assert ahead.look(["--cores", "all"]) is None


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (None, "mine.yaml cannot be read: No such file or directory"),
        ("run: a".encode("utf-16"), "mine.yaml cannot be read: it is not UTF-8 text"),
        (b"run: [", "not valid YAML"),
        (b"&a {x: *a}", "x: anchor 'a' must not hold itself"),
        (b"run: 2024-13-45", "run: 2024-13-45 is a date to some readers"),
    ],
)
@pytest.mark.parametrize("option", ["--configfile", "--configfiles", "--configfile="])
def test_wrong_files_are_told_in_one_line(
    ahead: ModuleType, tmp_path: Path, content: bytes | None, said: str, option: str
) -> None:
    path = tmp_path / "mine.yaml"
    if content is not None:
        path.write_bytes(content)
    words = [f"{option}{path}"] if option.endswith("=") else [option, str(path)]
    wrong = ahead.look(["-n", *words, "--cores", "1"])
    assert said in wrong and wrong.isprintable()


@pytest.mark.parametrize("value", ["run", "=a", "1x=3", "a b=3"])
def test_values_that_snakemake_refuses_at_length(ahead: ModuleType, value: str) -> None:
    assert ahead.look(["--config", "run=a", value]).startswith(f"{value!r} must read KEY=VALUE")


def test_it_leaves_no_module_of_another_checkout_behind(
    ahead: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in [name for name in sys.modules if name.split(".")[0] == "maestrata"]:
        monkeypatch.delitem(sys.modules, name)
    path = list(sys.path)
    assert ahead.look(["--configfile", str(ROOT / "config" / "smoke.yaml")]) is None
    assert not [name for name in sys.modules if name.split(".")[0] == "maestrata"]
    assert sys.path == path
