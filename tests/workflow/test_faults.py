"""What the whole workflow says when the machine fails it; of steps alone: tests/unit/steps/test_faults.py."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from conftest import Checkout

WORLD = "results/smoke/worlds/grammar/w0.nc"


def test_of_two_started_at_once_one_runs_and_the_other_says_why_not(checkout: Checkout) -> None:
    (checkout.folder / WORLD).unlink()
    first = subprocess.Popen(
        [sys.executable, "-m", "snakemake", "--cores", "1", WORLD, "--configfile", "config/smoke.yaml"],
        cwd=checkout.folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    locks = checkout.folder / ".snakemake" / "locks"
    try:
        while not list(locks.glob("*")) and first.poll() is None:
            time.sleep(0.01)
        first.send_signal(signal.SIGSTOP)  # it holds its lock for as long as the other needs to be refused
        second = checkout.snakemake("--cores", "1")
    finally:
        first.send_signal(signal.SIGCONT)
        said, _ = first.communicate(timeout=300)
    assert first.returncode == 0, said
    assert second.returncode != 0
    assert "Directory cannot be locked" in second.stdout
    assert "--unlock" in second.stdout
    assert "Traceback" not in second.stdout
    assert checkout.planned() <= {"figure figure=world"}


@pytest.mark.parametrize("place", ["results", "results/smoke/logs"])
def test_results_that_cannot_be_written_are_named_before_any_job(fresh: Checkout, place: str) -> None:
    (fresh.folder / place).parent.mkdir(parents=True, exist_ok=True)
    (fresh.folder / place).touch()
    done = fresh.snakemake("--cores", "1", WORLD)
    assert done.returncode != 0
    assert f"error: results cannot be written to results/smoke: {fresh.folder}/{place} must be" in done.stdout
    assert "Traceback" not in done.stdout
    assert not re.search(r"\d+ of \d+ steps|Error in rule", done.stdout)  # no job was begun
    # nothing to undo: once it is mended, the same command runs
    (fresh.folder / place).unlink()
    fresh.run("--cores", "1", WORLD)


def test_truncated_weights_cost_no_scores(checkout: Checkout) -> None:
    cell = checkout.folder / "results/smoke/cells/grammar/w0/p2x1/v1/s0"
    before = checkout.results(".nc")
    weights = (cell / "weights.safetensors").read_bytes()
    (cell / "weights.safetensors").write_bytes(weights[: len(weights) // 2])
    done = checkout.snakemake("--cores", "1")
    assert done.returncode != 0
    assert re.search(r"^error: .*/weights.safetensors: cannot be read", done.stdout, re.MULTILINE)
    assert checkout.results(".nc") == before


def test_on_a_full_disk_the_reason_reaches_the_terminal(fresh: Checkout) -> None:
    folder = fresh.folder / "results"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(folder)]
    if shutil.which("mount") is None or subprocess.run(mount, capture_output=True).returncode:
        pytest.skip("a small file system cannot be mounted here")
    try:
        done = fresh.snakemake("--cores", "1", WORLD)
    finally:
        subprocess.run(["umount", str(folder)], check=True)
    assert done.returncode != 0
    assert re.search(r"^maestrata worlds: error: .*w0.nc: cannot be written", done.stdout, re.MULTILINE)


def test_without_the_memory_of_snakemake_a_touch_takes_files_for_good(checkout: Checkout) -> None:
    shutil.rmtree(checkout.folder / ".snakemake")
    for path in (checkout.folder / "results/smoke/figures").iterdir():
        os.utime(path, (1e9, 1e9))  # as a copy that keeps no times
    assert checkout.planned()
    assert "0 not as the code at hand makes them" in checkout.run("verify", "--cores", "1")
    checkout.run("--touch", "--cores", "1")
    assert not checkout.planned()


def test_a_truncated_cube_is_named_and_what_is_finished_stays(checkout: Checkout) -> None:
    cube = checkout.folder / "results/smoke/cubes/theory.nc"
    whole = cube.read_bytes()
    before = checkout.results(".nc", ".safetensors")
    figures = checkout.results(".pdf", ".png")
    cube.write_bytes(whole[: len(whole) // 2])
    done = checkout.snakemake("--cores", "1")
    assert done.returncode != 0
    assert re.search(
        r"^error: results/smoke/cubes/theory.nc: cannot be .* delete it and run again",
        done.stdout,
        re.M,
    )
    assert "Traceback" not in done.stdout
    # not even the figure that it would have been drawn anew in
    assert checkout.results(".pdf", ".png") == figures
    # as the docs say: delete it, and the same command makes it and what follows from it
    cube.unlink()
    checkout.run("--cores", "1")
    assert checkout.results(".nc", ".safetensors") == before
