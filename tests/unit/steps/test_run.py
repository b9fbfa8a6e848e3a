"""What every step shares: one line for an error, one thread, and what it says of itself."""

from __future__ import annotations

import argparse
import json
import shlex
import subprocess
import sys
import zlib
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import pytest

from maestrata.errors import CubeError
from maestrata.machine import processor
from maestrata.run.flags import as_flags
from maestrata.settings import check, setting
from maestrata.steps._flags import add_settings, add_world, read_settings
from maestrata.steps._run import Parser, add_provenance, provenance, run, threads_asked, versions


def parse(*argv: str) -> tuple[Parser, argparse.Namespace]:
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


@pytest.mark.parametrize(("text", "threads"), [("", 1), (" ", 1), ("4", 4), ("4,2", 4), (" 2 ", 2)])
def test_threads_that_are_asked_for(text: str, threads: int) -> None:
    assert threads_asked(text) == threads


@pytest.mark.parametrize("text", ["many", "0", "-1", "1.5", ",2", "100000000", "\u0664"])
def test_threads_that_cannot_be_are_one_line(
    text: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", text)
    with pytest.raises(SystemExit) as caught:
        run(lambda: None)
    assert caught.value.code == 2
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert f"OMP_NUM_THREADS={text!r} must be a number of threads, from 1 to 1024" in said


def test_data_that_cannot_be_unpacked_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        run(lambda: zlib.decompress(b"no"))
    assert caught.value.code == 2
    assert capsys.readouterr().err.count("\n") == 1


FULL = Path("/dev/full")


@pytest.mark.skipif(not FULL.exists(), reason="there is no /dev/full on this machine")
@pytest.mark.parametrize(
    ("code", "said"),
    [
        ("raise CubeError('no cube')", "no cube"),
        ("print('done', flush=True)", "No space left on device"),
        ("1 / 0", "ZeroDivisionError: division by zero"),
    ],
)
def test_the_reason_reaches_the_terminal_when_the_log_cannot_be_written(code: str, said: str) -> None:
    program = f"""
from maestrata.errors import CubeError
from maestrata.steps._run import run
def main():
    {code}
run(main)"""
    # as the rules do it: the terminal is file 3 (Snakefile), all else goes to the log
    command = (
        f"exec 3>&2; export MAESTRATA_TERMINAL=3; {shlex.join([sys.executable, '-c', program])} > {FULL} 2>&1"
    )
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, timeout=60)
    assert done.returncode
    assert done.stderr.count("\n") == 1
    assert f"error: {said}" in done.stderr or (said.startswith("No space") and said in done.stderr)


def test_provenance_tells_what_and_not_where() -> None:
    _, args = parse(
        *("--world-settings", '{"leaves": 8}', "--world-seed", "3", "--fingerprint", "abc"),
        *("--output", "/somewhere/a.nc", "--inputs", "/somewhere/b.nc", "/somewhere/c.nc"),
    )
    about = provenance(args)
    assert about["fingerprint"] == "abc"
    assert json.loads(about["config"]) == {
        "world": None,
        "world_kind": "grammar_tree",
        "world_seed": 3,
        "world_settings": {"leaves": 8},
    }
    assert json.loads(about["seeds"]) == {"world_seed": 3}
    assert about["threads"] == "1" and about["device"] == processor()
    assert provenance(args, device="NVIDIA H100")["device"] == "NVIDIA H100"
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


@dataclass(frozen=True)
class Made:
    count: int = setting(3, "a number", least=1)
    share: float = setting(0.5, "another", above=0, below=1)
    limit: int | None = setting(None, "one that may be absent", least=1)
    pair: tuple[float, float] = setting((0.1, 0.2), "two", least=0, below=1)
    names: tuple[str, ...] = setting(("a",), "names", choices=("a", "b"))
    on: bool = setting(False, "a switch")
    more: dict[str, int] = setting(dict, "a mapping")

    def __post_init__(self) -> None:
        check(self, CubeError)


def test_flags_of_settings_give_the_settings_again() -> None:
    parser = Parser()
    add_settings(parser, Made)
    assert read_settings(parser.parse_args([]), Made) == Made()
    other = Made(5, 0.25, 2, (0.3, 0.4), ("b", "a"), True, {"x": 1})
    given = shlex.split(as_flags(asdict(other)))
    assert read_settings(parser.parse_args(given), Made) == other


def test_a_step_may_take_some_of_the_settings() -> None:
    parser = Parser()
    add_settings(parser, Made, only=["count"])
    assert vars(parser.parse_args(["--count", "4"])) == {"count": 4}
    assert read_settings(parser.parse_args(["--count", "4"]), Made) == Made(count=4)


@pytest.mark.parametrize(
    ("given", "said", "key"),
    [
        ({"count": 0}, "count=0 must be at least 1", ("count",)),
        ({"share": 1.0}, "share=1.0 must lie in (0, 1)", ("share",)),
        ({"share": float("nan")}, "share=nan must lie in (0, 1)", ("share",)),
        ({"limit": 0}, "limit=0 must be at least 1", ("limit",)),
        ({"pair": (0.5, 1)}, "pair[1]=1 must lie in [0, 1)", ("pair", 1)),
        ({"names": ("a", "c")}, "names[1]='c' must be one of: a, b", ("names", 1)),
        ({"names": ("a", "a")}, "names=['a', 'a'] must not name anything twice", ("names",)),
        ({"names": ()}, "names=[] must not be empty", ("names",)),
    ],
)
def test_settings_refuse_what_is_out_of_range(given: dict[str, Any], said: str, key: tuple[Any, ...]) -> None:
    with pytest.raises(CubeError) as caught:
        Made(**given)
    assert str(caught.value) == said and caught.value.key == key


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
