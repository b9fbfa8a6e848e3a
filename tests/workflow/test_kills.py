"""A run that was killed ends as one that was left alone: benchmarks/kills.py with three kills."""

from __future__ import annotations

import importlib.util
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from maestrata.random import stream

if TYPE_CHECKING:
    from conftest import Checkout

SCRIPT = Path(__file__).parents[2] / "benchmarks" / "kills.py"
SMOKE = ("--cores", "2", "--configfile", "config/smoke.yaml")


def load() -> Any:
    """Import the script, which is no part of a package."""
    spec = importlib.util.spec_from_file_location("kills", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["kills"] = module  # dataclasses look it up
    spec.loader.exec_module(module)
    return module


def test_three_kills_change_no_byte(finished: Checkout, checkout: Checkout) -> None:
    """A cell of a finished run is made again, and Snakemake, a job and both are killed meanwhile."""
    kills = load()
    shutil.rmtree(checkout.folder / "results/smoke/cells/grammar")
    run = kills.Run(checkout.folder, SMOKE, seconds=0.2)
    random = stream(0, "shuffle")
    killed = [run.kill(victim, float(random.uniform(0, 3)), random) for victim in ("snakemake", "job", "all")]
    assert all(killed), run.log.read_text()
    assert "snakemake" in killed[0].killed
    assert "snakemake" not in killed[1].killed
    run.finish()
    kinds = (".nc", ".safetensors", ".pdf", ".png")
    one, other = finished.results(*kinds), checkout.results(*kinds)
    assert one.keys() == other.keys()
    assert [path for path in one if one[path] != other[path]] == []
    assert not list(checkout.folder.rglob("checkpoint.bin"))
    # what happened is told
    text = kills.table(
        killed, [{"kills": 3, "files": len(one), "different": [], "temporary files left": 0}], {}
    )
    assert text.count("\n| 1 |") == 2
    assert "3 kills with SIGKILL (to all: 1, job: 1, snakemake: 1)" in text
