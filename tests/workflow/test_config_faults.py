"""Plain Snakemake and wrong configs: one line, no traceback, nothing written, dry runs too."""

from __future__ import annotations

import random
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import fuzz_configs
import pytest

if TYPE_CHECKING:
    from conftest import Checkout


def said(done: subprocess.CompletedProcess[str]) -> list[str]:
    """What Snakemake said, its own greeting left out."""
    return [line for line in done.stdout.splitlines() if line and not line.startswith("Using workflow")]


FILES = {
    "none.yaml": (None, "error: config file none.yaml cannot be read: No such file or directory"),
    "itself.yaml": (b"&a {x: *a}\n", "error: x: anchor 'a' must not hold itself"),
    "unknown.yaml": (b"extends: config/smoke.yaml\nrunn: a\n", "error: runn: unknown key"),
}


@pytest.mark.parametrize("name", FILES)
def test_snakemake_says_it_in_one_line(fresh: Checkout, name: str) -> None:
    content, what = FILES[name]
    if content is not None:
        (fresh.folder / name).write_bytes(content)
    before = sorted(fresh.folder.iterdir())
    done = fresh.snakemake("--dry-run", config=("--configfile", name))
    (line,) = said(done)
    assert done.returncode != 0 and what in line
    assert [path for path in sorted(fresh.folder.iterdir()) if path.name != ".snakemake"] == before


@pytest.mark.parametrize(
    ("value", "what"),
    [
        ("partial=no", "error: partial='no' must be true or false (config: --config)"),
        ("run", "error: 'run' must read KEY=VALUE"),
        ("results=Snakefile", "/Snakefile must be a folder"),
    ],
)
def test_values_of_the_command_line_are_refused_in_one_line(fresh: Checkout, value: str, what: str) -> None:
    done = fresh.snakemake("--dry-run", "--config", value)
    (line,) = said(done)
    assert done.returncode != 0 and what in line


def test_text_and_truth_of_the_command_line(fresh: Checkout) -> None:
    """`partial=false` is the whole run, of a name that looks like a number."""
    done = fresh.snakemake("--dry-run", "--config", "partial=false", "run=2024_05", "note=")
    assert done.returncode == 0, done.stdout
    assert "pretrain" in done.stdout and "results/2024_05/" in done.stdout


def test_mutated_configs_that_load_pass_a_real_dry_run(fresh: Checkout, tmp_path: Path) -> None:
    path, made = fuzz_configs.folder_with_configs(tmp_path), 0
    for seed in range(1000):
        path.write_bytes(fuzz_configs.mutate(random.Random(f"real {seed}"))[0])
        _, config = fuzz_configs.outcome(path)
        if config is None or len(config.worlds) > 20:
            continue
        done = fresh.snakemake("--dry-run", "--quiet", "all", config=("--configfile", str(path)))
        assert done.returncode == 0, (path.read_text(), done.stdout)
        made += 1
        if made == 3:
            return
