"""The pictures of the docs: those that the pages show, drawn by one script from published cubes."""

from __future__ import annotations

import re
import runpy
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
SCRIPT = ROOT / "scripts" / "images.py"
RUNS = ("digits", "mnist", "composites", "composites_again")


def test_all_pictures_that_pages_show_are_drawn_by_a_script() -> None:
    pages = [ROOT / "README.md", *(ROOT / "docs").glob("*.md")]
    shown = {name for page in pages for name in re.findall(r"images/(\w+)\.png", page.read_text("utf-8"))}
    idea = {"idea"} if (ROOT / "scripts" / "idea.py").is_file() else set()
    published = runpy.run_path(str(ROOT / "scripts" / "published_images.py"))["FIGURES"]
    of_runs = {f"{run}_{figure}" for run in RUNS for figure in published}
    assert shown <= {*runpy.run_path(str(SCRIPT))["PICTURES"], *idea, *of_runs}


def test_one_picture(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", [str(SCRIPT), "noise_invariance", "--output", str(tmp_path)])
    runpy.run_path(str(SCRIPT), run_name="__main__")
    assert [path.name for path in tmp_path.iterdir()] == ["noise_invariance.png"]
    assert (tmp_path / "noise_invariance.png").stat().st_size > 20_000
