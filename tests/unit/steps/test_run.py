"""What every step shares: one line for an error, one thread, and what it says of itself."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from maestrata.errors import CubeError
from maestrata.steps._run import Parser, add_provenance, add_world, provenance, run, versions


def parse(*argv: str) -> tuple[Parser, object]:
    parser = Parser("About.")
    add_world(parser)
    parser.add_argument("--output", type=Path)
    parser.add_argument("--inputs", type=Path, nargs="+")
    add_provenance(parser)
    return parser, parser.parse_args(["--world-kind", "grammar_tree", *argv])


@pytest.mark.parametrize("error", [CubeError("two\nlines"), OSError(28, "No space left on device", "a.nc")])
def test_errors_are_one_line_and_status_2(capsys: pytest.CaptureFixture[str], error: Exception) -> None:
    def main() -> None:
        raise error

    with pytest.raises(SystemExit) as caught:
        run(main)
    assert caught.value.code == 2
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert "error: " in said
    assert "two lines" in said or "No space left on device" in said


def test_a_bug_keeps_its_traceback() -> None:
    def main() -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        run(main)


def test_success_is_status_0() -> None:
    with pytest.raises(SystemExit) as caught:
        run(lambda: None)
    assert caught.value.code == 0


def test_provenance_tells_what_and_not_where() -> None:
    _, args = parse(
        *("--world-settings", '{"leaves": 8}', "--world-seed", "3", "--fingerprint", "abc"),
        *("--output", "/somewhere/a.nc", "--inputs", "/somewhere/b.nc", "/somewhere/c.nc"),
    )
    about = provenance(args)  # type: ignore[arg-type]
    assert about["fingerprint"] == "abc"
    assert json.loads(about["config"]) == {
        "world": None,
        "world_kind": "grammar_tree",
        "world_seed": 3,
        "world_settings": {"leaves": 8},
    }
    assert json.loads(about["seeds"]) == {"world_seed": 3}
    assert about["threads"] == "1"
    assert all(isinstance(value, str) for value in about.values())
    assert "somewhere" not in "".join(about.values())


def test_versions_leave_out_what_is_not_installed() -> None:
    said = versions(["numpy", "no-such-distribution"])
    assert said.startswith("python ")
    assert "numpy " in said
    assert "no-such" not in said


@pytest.mark.parametrize("text", ["{", "[1]", "3"])
def test_settings_must_be_a_json_object(capsys: pytest.CaptureFixture[str], text: str) -> None:
    with pytest.raises(SystemExit):
        parse("--world-settings", text)
    assert "must be a JSON object" in capsys.readouterr().err


def test_flags_are_not_abbreviated(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        parse("--world-see", "3")
    assert "unrecognized arguments" in capsys.readouterr().err


def test_a_step_uses_one_thread_unless_told_otherwise(tmp_path: Path) -> None:
    code = (
        "import os; from maestrata.steps._run import run\n"
        "def main():\n"
        "    import numpy, threadpoolctl\n"
        "    print(max(p['num_threads'] for p in threadpoolctl.threadpool_info()))\n"
        "run(main)\n"
    )
    env = {"PATH": "/usr/bin:/bin", "PYTHONPATH": str(Path(__file__).parents[3] / "src")}
    done = subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "1"
