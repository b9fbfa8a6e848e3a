"""The command line: tables, JSON, and errors in one line."""

from __future__ import annotations

import io
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from maestrata import __version__
from maestrata.cli import main
from maestrata.modules import available

EDGES = [["z", "a"], ["z", "b"], ["a", "x0"], ["a", "x1"], ["b", "x2"], ["b", "x3"]]


@pytest.fixture
def graph(tmp_path):
    def write(content):
        path = tmp_path / "graph.json"
        path.write_text(content if isinstance(content, str) else json.dumps(content), encoding="utf-8")
        return str(path)

    return write


def test_table(graph, capsys):
    path = graph({"edges": EDGES, "dims": {"z": 2, "a": 3, "b": 3, "x0": 4, "x1": 4, "x2": 4, "x3": 4}})
    assert main(["locate", path, "--masked", "x0, x2", "--reading", "invertible"]) == 0
    out = capsys.readouterr().out.splitlines()
    assert out[0].split() == ["node", "level", "dim"]
    assert [line.split() for line in out[1:3]] == [["a", "1", "3"], ["b", "1", "3"]]
    assert [line.split(None, 1) for line in out[4:6]] == [["reading", "invertible"], ["dimension", "6"]]
    assert out[6].split() == ["intrinsic", "dimension", "4"]
    assert out[7].split() == ["unique", "yes"] and len(out) == 8


def test_table_tells_of_ties_and_of_dimensions_that_do_not_fit(graph, capsys):
    path = graph({"edges": EDGES, "dims": {"z": 3}})
    main(["locate", path, "--masked", "x0,x1"])
    out = capsys.readouterr().out
    assert "no: the highest of several is shown" in out
    assert "yes: several are equally so" in out
    assert "rule invertibility out" in out


def test_nothing_shared(graph, capsys):
    main(["locate", graph({"edges": [["a", "x0"], ["b", "x1"]]}), "--masked", "x0"])
    assert "share nothing" in capsys.readouterr().out


@pytest.mark.parametrize(("tie", "nodes"), [("highest", ["z"]), ("lowest", ["b"])])
def test_json(graph, capsys, tie, nodes):
    path = graph({"edges": EDGES, "observables": ["x0", "x1", "x2", "x3"]})
    assert main(["locate", path, "--masked", "x1,x0", "--tie", tie, "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert [row["node"] for row in report["nodes"]] == nodes
    assert report["dim"] == 1 and report["intrinsic_dim"] == 1 and report["unique"] is False
    assert report["tied"] is (tie == "lowest") and report["masked"] == ["x0", "x1"]


def test_standard_input(monkeypatch, capsys):
    monkeypatch.setattr(sys, "stdin", io.StringIO(json.dumps({"edges": EDGES})))
    assert main(["locate", "-", "--masked", "x0"]) == 0
    assert capsys.readouterr().out.splitlines()[1].split() == ["a", "1", "1"]


def test_a_byte_order_mark_is_no_part_of_the_graph(tmp_path, monkeypatch, capsys):
    text = "\ufeff" + json.dumps({"edges": EDGES})
    (tmp_path / "graph.json").write_text(text, encoding="utf-8")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setattr(sys, "stdin", io.StringIO(text))
    for place in (str(tmp_path / "graph.json"), "~/graph.json", "-"):
        assert main(["locate", place, "--masked", "x0"]) == 0
        assert capsys.readouterr().out.splitlines()[1].split() == ["a", "1", "1"]


def test_an_encoding_without_a_nodes_name_is_no_crash(tmp_path):
    graph = {"edges": [["試", "x0"], ["試", "x1"]]}
    (tmp_path / "graph.json").write_text(json.dumps(graph), encoding="utf-8")
    env = os.environ | {"PYTHONIOENCODING": "ascii"}
    command = [sys.executable, "-m", "maestrata.cli", "locate", "graph.json", "--masked", "x0"]
    done = subprocess.run(command, cwd=tmp_path, env=env, capture_output=True, text=True)
    assert done.returncode == 0 and "\\u8a66" in done.stdout


@pytest.mark.parametrize(
    ("content", "masked", "message"),
    [
        ("{", "x0", "cannot be read as JSON"),
        ("[" * 100_000, "x0", "cannot be read as JSON"),
        ("[]", "x0", 'must hold an object with "edges"'),
        ({"nodes": []}, "x0", 'must hold an object with "edges"'),
        ({"edges": EDGES, "color": 1}, "x0", "key 'color' must be one of: edges, dims, observables"),
        ('{"edges": [], "edges": []}', "x0", "key 'edges' is given twice"),
        ({"edges": {"z": "x0"}}, "x0", "edges must be a list"),
        ({"edges": EDGES, "dims": [1]}, "x0", "dims must be an object"),
        ({"edges": [["z", 3]]}, "x0", "node 3 in edges must be a string"),
        ({"edges": [["z"]]}, "x0", "must be a pair"),
        ({"edges": [["a", "b"], ["b", "a"]]}, "x0", "edges hold a cycle"),
        ({"edges": EDGES, "dims": {"z": 0}}, "x0", "dims['z']=0 must be an integer of at least 1"),
        ({"edges": EDGES, "dims": {"q": 1}}, "x0", "'q' (in dims) is isolated"),
        ({"edges": EDGES, "observables": ["a"]}, "x0", "observable 'a' has children"),
        ({"edges": EDGES}, "x9", "masked 'x9' is not in the graph"),
        ({"edges": EDGES}, ",", "masked is empty"),
        ({"edges": EDGES}, "x0,x1,x2,x3", "masked holds all 4 observables"),
    ],
)
def test_errors_are_one_line_and_name_the_place(graph, capsys, content, masked, message):
    path = graph(content)
    assert main(["locate", path, "--masked", masked]) == 2
    captured = capsys.readouterr()
    assert captured.out == "" and captured.err.count("\n") == 1
    assert message in captured.err
    if not message.startswith("masked"):
        assert path in captured.err


def test_missing_file(capsys):
    assert main(["locate", "no/such.json", "--masked", "x0"]) == 2
    assert "no/such.json: cannot be read as JSON: No such file" in capsys.readouterr().err


@pytest.mark.parametrize(
    "argv",
    [
        ["locate"],
        ["locate", "g.json"],
        ["locate", "g.json", "--masked", "x0", "--tie", "mid"],
        ["find"],
        ["--wrong"],
    ],
)
def test_wrong_usage_is_one_line(argv, capsys):
    with pytest.raises(SystemExit) as stop:
        main(argv)
    assert stop.value.code == 2
    assert capsys.readouterr().err.count("\n") == 1


def test_version_and_help(capsys):
    with pytest.raises(SystemExit) as stop:
        main(["--version"])
    assert stop.value.code == 0 and capsys.readouterr().out == f"maestrata {__version__}\n"
    assert main([]) == 0 and "locate" in capsys.readouterr().out


def test_as_a_program(graph):
    """Without torch or xarray, and quiet when the reader of its output is gone."""
    path = graph({"edges": EDGES})
    code = (
        "import sys; from maestrata.cli import main; "
        "main(['locate', sys.argv[1], '--masked', 'x0', '--json']); "
        "print([m for m in ('torch', 'xarray', 'pandas') if m in sys.modules], file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code, path], capture_output=True, text=True, check=True)
    assert json.loads(done.stdout)["dim"] == 1 and done.stderr.strip() == "[]"
    piped = f"{sys.executable} -m maestrata.cli locate {path} --masked x0 | head -n 0"
    done = subprocess.run(piped, shell=True, capture_output=True, text=True, check=True)
    assert done.stderr == ""


def test_the_documentation_is_what_happens(monkeypatch, capsys):
    """Every command of docs/locate.md prints what stands there, for the graph that stands there."""
    monkeypatch.chdir(Path(__file__).parents[2])
    text = Path("docs/locate.md").read_text(encoding="utf-8")
    blocks = re.findall(r"```(json|console)\n(.*?)```", text, re.DOTALL)
    assert blocks[0][1] == Path("docs/graph.json").read_text(encoding="utf-8")
    commands = [body for kind, body in blocks if kind == "console"]
    assert len(commands) == 3
    for body in commands:
        command, printed = body.split("\n", 1)
        main(command.removeprefix("$ maestrata ").split())
        captured = capsys.readouterr()
        assert captured.out + captured.err == printed


def test_every_command_is_listed_and_has_help(capsys):
    """`maestrata` and `maestrata COMMAND --help` say what it is for, and load nothing heavy."""
    main([])
    listed = capsys.readouterr().out
    for name in available("commands"):
        assert f"\n    {name} " in listed
        with pytest.raises(SystemExit) as stop:
            main([name, "--help"])
        assert stop.value.code == 0 and f"usage: maestrata {name}" in capsys.readouterr().out
    heavy = ("torch", "xarray", "pandas", "matplotlib", "pydantic", "snakemake", "netCDF4", "scipy")
    code = f"import sys, maestrata.cli as c; c.main([]); print([m for m in {heavy} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"


def test_python_dash_m(tmp_path):
    done = subprocess.run([sys.executable, "-m", "maestrata", "--version"], capture_output=True, text=True)
    assert done.stdout == f"maestrata {__version__}\n"


def test_what_cannot_be_written_is_one_line(tmp_path, capsys):
    (tmp_path / "file").touch()
    assert main(["profile", "--leaves", "4", "--ratio", ".5", "--out", str(tmp_path / "file" / "a.png")]) == 2
    assert capsys.readouterr().err.count("\n") == 1
