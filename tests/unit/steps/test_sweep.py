"""The sweep step carries out a plan in pieces and leaves the files that the workflow would."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from maestrata import cli
from maestrata.cells import Cell
from maestrata.config.load import load_config
from maestrata.cubes.io import open_cube
from maestrata.errors import MaestrataError, TrainingError
from maestrata.model.mae import MAEConfig
from maestrata.model.stored import stated
from maestrata.run.plan import Plan
from maestrata.steps import sweep
from maestrata.training.recipe import PlannedCell, Recipe
from maestrata.training.stacks import Sweep, group, split
from maestrata.training.weights import load_mae


def _plan(root: Path) -> dict:
    training = {"images": 64, "batch": 16}
    place = {"world": "w", "patch": "1x1", "seed": 0, "training": training}
    cells = [{**place, "world_seed": w, "visible": v} for v in (4, 2) for w in (0, 1)]
    return {
        "root": str(root),
        "worlds": {"w": {"kind": "gaussian_tree", "settings": {"leaves": 8}}},
        "model": {"width": 16, "depth": 1, "decoder_width": 16},
        "evaluation": {
            "probe_train": 128,
            "test": 128,
            "probes": ["ridge"],
            "replicates": 10,
            "poolings": ["aligned"],
        },
        "cells": cells,
        "code": {"w": {"pretrain": "p", "stack": "s", "regress": "r", "controls": "c"}},
    }


def test_a_plan_is_carried_out_and_not_done_again(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Every cell gets weights, history, scores and reconstructions; a second call trains nothing."""
    path = tmp_path / "plan.json"
    path.write_text(json.dumps(_plan(tmp_path / "run")))
    sweep.main(["--plan", str(path), "--workers", "1", "--device", "cpu"])
    assert capsys.readouterr().out.rstrip().endswith("\ndone")
    for planned in Sweep.read(path).cells:
        folder = tmp_path / "run" / "cells" / planned.cell.stem
        assert load_mae(folder / "weights.safetensors").cfg == MAEConfig(4, 2, 12, 16, 1, decoder_width=16)
        assert open_cube(folder / "history.nc").loss.size == 4
        scores = open_cube(folder / "scores.nc")
        assert float(scores.r2.sel(encoder="trained", pooling="aligned", eval_ratio="0").notnull().sum()) > 0
        assert open_cube(folder / "reconstructions.nc").image.ndim == 4
    shared = open_cube(tmp_path / "run" / "controls" / "w" / "w0" / "s0.nc")
    assert shared.r2.sel(encoder="null_trained", pooling="aligned", eval_ratio="0").notnull().any()
    assert json.loads(shared.attrs["config"])["visible"] == 4  # of 4 and 2 visible tokens of 8
    assert not list((tmp_path / "run" / "controls").rglob("*.safetensors"))  # those of the null are read
    before = (folder / "weights.safetensors").stat().st_mtime_ns
    sweep.main(["--plan", str(path), "--workers", "1", "--device", "cpu"])
    assert '"trained_now": 0' in capsys.readouterr().out
    assert (folder / "weights.safetensors").stat().st_mtime_ns == before


def carry_out(path: Path, plan: dict) -> None:
    path.write_text(json.dumps(plan))
    sweep.main(["--plan", str(path), "--workers", "1", "--device", "cpu"])


def test_files_record_what_made_them_and_what_changed_is_made_again(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path, plan = tmp_path / "plan.json", _plan(tmp_path / "run")
    plan["cells"] = plan["cells"][:1]
    cell = tmp_path / "run/cells/w/w0/p1x1/v4/s0"
    controls = tmp_path / "run/controls/w/w0/s0.nc"
    carry_out(path, plan)
    made = stated(cell / "weights.safetensors")
    values = json.loads(made["config"], parse_constant=pytest.fail)
    assert values["images"] == 64 and values["lr"] == Recipe().lr and values["width"] == 16
    assert values["world_kind"] == "gaussian_tree" and values["world_settings"] == {"leaves": 8}
    assert json.loads(made["seeds"]) == {"seed": 0, "world_seed": 0}
    assert made["fingerprint"] == "s"
    scores, shared = open_cube(cell / "scores.nc").attrs, open_cube(controls).attrs
    assert (scores["fingerprint"], shared["fingerprint"]) == ("r", "c")
    assert json.loads(scores["config"])["test"] == json.loads(shared["config"])["test"] == 128

    def changed() -> set[str]:
        """Files that another call makes again."""
        files = [cell / "weights.safetensors", cell / "scores.nc", controls]
        before = {file.name: file.stat().st_mtime_ns for file in files}
        capsys.readouterr()
        carry_out(path, plan)
        return {file.name for file in files if file.stat().st_mtime_ns != before[file.name]}

    assert changed() == set()
    plan["cells"][0]["training"]["lr"] = 0.001
    assert changed() == {"weights.safetensors", "scores.nc", "s0.nc"}  # null_trained has the recipe too
    assert "weights.safetensors is made again: lr was 0.003 and is 0.001" in capsys.readouterr().out
    plan["evaluation"]["test"] = 256
    assert changed() == {"scores.nc", "s0.nc"}
    plan["code"]["w"]["stack"] = "t"
    assert changed() == {"weights.safetensors", "scores.nc"}
    assert "made by code s; the code at hand is p, t" in capsys.readouterr().out
    plan["worlds"]["w"]["settings"]["rho"] = 0.8
    assert changed() == {"weights.safetensors", "scores.nc", "s0.nc"}


def test_a_plan_of_the_command_line_holds_the_code_and_is_strict_json(
    capsys: pytest.CaptureFixture[str],
) -> None:
    config = Path(__file__).parents[3] / "config/smoke.yaml"
    assert cli.main(["plan", str(config)]) == 0
    plan = json.loads(capsys.readouterr().out, parse_constant=pytest.fail)
    assert set(plan["code"]) == {"additive", "grammar"}
    assert set(plan["code"]["grammar"]) == {"pretrain", "stack", "regress", "controls"}
    files = Plan(load_config(config)).expected()
    cell = "results/smoke/cells/grammar/w0/p2x1/v1/s0"
    assert files[f"{cell}/weights.safetensors"] == (
        plan["code"]["grammar"]["pretrain"],
        plan["code"]["grammar"]["stack"],
    )
    assert files[f"{cell}/scores.nc"] == (plan["code"]["grammar"]["regress"],)


def test_no_stack_is_begun_when_time_is_up(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A call with no time left begins one stack at most and says that it is not done."""
    path = tmp_path / "plan.json"
    path.write_text(json.dumps(_plan(tmp_path / "run")))
    sweep.main(["--plan", str(path), "--workers", "1", "--device", "cpu", "--minutes", "0.00001"])
    out = capsys.readouterr().out
    assert "not done" in out and '"cells": 4' in out


def test_stacks_hold_cells_that_differ_in_seeds_alone() -> None:
    """Cells are grouped by everything but world seed and seed, and split evenly."""
    cells = [
        PlannedCell(Cell("w", w, "1x1", v, s), Recipe()) for v in (2, 4) for w in range(3) for s in range(2)
    ]
    groups = group(cells)
    assert [len(g) for g in groups] == [6, 6] and {c.cell.visible for c in groups[0]} == {2}
    assert [len(part) for part in split(groups[0], 4)] == [3, 3]
    assert [len(part) for part in split(groups[0], 100)] == [6]


def test_what_is_no_plan_is_refused(tmp_path: Path) -> None:
    """One clear error that names the file."""
    path = tmp_path / "plan.json"
    path.write_text('{"root": "x"}')
    with pytest.raises(TrainingError, match=r"plan\.json is no sweep plan"):
        Sweep.read(path)


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        (["--device", "tpu"], "device='tpu' must be cpu, cuda or auto"),
        (["--score-on", "gpu"], "device='gpu' must be cpu, cuda or auto"),
        (["--stack", "0"], "--stack: 0 must be at least 1"),
        (["--at-once", "-1"], "--at-once: -1 must be at least 1"),
    ],
)
def test_wrong_flags_are_told_and_nothing_is_written(tmp_path: Path, flags: list[str], said: str) -> None:
    path = tmp_path / "plan.json"
    path.write_text(json.dumps(_plan(tmp_path / "run")))
    with pytest.raises(MaestrataError, match=said):
        sweep.main(["--plan", str(path), *flags])
    assert not (tmp_path / "run").exists()


def _endless(folder: Path) -> list[str]:
    """Write a plan that takes for ever, and return the command that carries it out with one worker."""
    plan = _plan(folder / "run")
    for cell in plan["cells"]:
        cell["training"] = {"images": 10_000_000, "batch": 16}
    (folder / "plan.json").write_text(json.dumps(plan))
    flags = ["--plan", "plan.json", "--device", "cpu", "--workers", "1"]
    return [sys.executable, "-m", "maestrata.steps.sweep", *flags]


def test_workers_end_with_the_process_that_was_killed(tmp_path: Path) -> None:
    command = _endless(tmp_path)
    with subprocess.Popen(
        command, cwd=tmp_path, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    ) as running:
        until = time.monotonic() + 120
        while len(workers := psutil.Process(running.pid).children()) < 2 and time.monotonic() < until:
            time.sleep(0.2)
        time.sleep(5)  # the worker has begun
        running.kill()
    _, alive = psutil.wait_procs(workers, timeout=60)
    for one in alive:
        one.kill()
    assert not alive


def test_a_worker_that_is_killed_ends_it_in_one_line(tmp_path: Path) -> None:
    command = _endless(tmp_path)
    with subprocess.Popen(
        command,
        cwd=tmp_path,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    ) as running:
        until, workers = time.monotonic() + 120, []
        while not workers and time.monotonic() < until:
            children = psutil.Process(running.pid).children()
            workers = [one for one in children if any("spawn_main" in word for word in one.cmdline())]
            time.sleep(0.2)
        for one in workers:
            one.kill()
        said = running.communicate(timeout=60)[1]
    assert running.returncode == 2 and "Traceback" not in said
    assert "error: one of the 1 processes that train and score was killed" in said.splitlines()[-1]


@pytest.mark.parametrize(("interrupt", "after"), [(os.killpg, 0), (os.killpg, 1), (os.kill, 1)])
def test_ctrl_c_ends_it_in_one_line(
    tmp_path: Path, interrupt: Callable[[int, int], None], after: float
) -> None:
    """The terminal interrupts the whole group, `kill` the first process alone; nothing half-written stays.

    At once, a worker is still importing.
    """
    command = _endless(tmp_path)
    running = subprocess.Popen(
        command,
        cwd=tmp_path, start_new_session=True, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
        # where the tests run in the background of a script, their children are born deaf to it
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )  # fmt: skip
    until = time.monotonic() + 120
    while not psutil.Process(running.pid).children() and time.monotonic() < until:  # until it has a pool
        time.sleep(0.2)
    time.sleep(after)
    interrupt(running.pid, signal.SIGINT)
    said = running.communicate(timeout=60)[1]
    assert running.returncode == 2
    assert said.splitlines()[-1:] == [
        "maestrata sweep: error: stopped: finished files stay, and the same command goes on from them"
    ]
    assert "Traceback" not in said
    assert not list(tmp_path.rglob("*.safetensors"))
