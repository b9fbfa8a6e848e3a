"""The pages: lines that can be read, and names and paths that exist."""

from __future__ import annotations

import re
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[3]
WIDTH = 120
READMES = [ROOT / name for name in ("README.md", "CHANGELOG.md", "CONTRIBUTING.md")]
READMES += [ROOT / name / "README.md" for name in ("benchmarks", "results", "reference")]
PAGES = [*READMES, *sorted((ROOT / "docs").rglob("*.md"))]
EXAMPLES = (
    "coarse_pixels",
    "c90_token_noise",
    "my_figure",
    "neighbours",
    "token_noise",
    "turning",
    "turning_tree",
)
EXAMPLES += ("NAME",)
"""Stems of files that docs/extending.md adds."""

every_page = pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))


def named(text: str) -> Any:
    """Return what a dotted name stands for."""
    parts = text.split(".")
    for n in range(len(parts), 0, -1):
        try:
            value = import_module(".".join(parts[:n]))
        except ModuleNotFoundError:
            continue
        for part in parts[n:]:
            value = getattr(value, part)
        return value
    raise AttributeError(text)


@every_page
def test_lines_are_short(page: Path) -> None:
    lines = page.read_text(encoding="utf-8").splitlines()
    assert not [f"{page.name}:{i}" for i, line in enumerate(lines, 1) if len(line) > WIDTH]


@every_page
def test_dotted_names_exist(page: Path) -> None:
    if page.name == "CHANGELOG.md":  # which also names what is gone
        return
    for name in re.findall(
        r"\bmaestrata(?:\.[a-z]\w*)+(?:\.[A-Z]\w*)?(?:\.[a-z]\w*)?", page.read_text("utf-8")
    ):
        if not set(name.split(".")) & {"cli", *EXAMPLES}:
            named(name)


@every_page
def test_paths_and_links_exist(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    for link in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", text):
        assert (page.parent / link).exists(), link
    there = r"(?:src|docs|rules|config|tests|benchmarks|scripts|profiles|workflow|reference)/[\w./-]+\.\w+"
    for path in re.findall(rf"(?<![\w/.-])({there})", re.sub(r"\]\([^)]*\)", "", text)):
        mine = Path(path).stem in (*EXAMPLES, "mine", "cNN_NAME")
        assert mine or (ROOT / path).exists() or (page.parent / path).exists(), path


def test_the_readme_is_short() -> None:
    assert len((ROOT / "README.md").read_text(encoding="utf-8").splitlines()) <= 100


def test_the_architecture_is_short_and_has_every_room() -> None:
    text = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    assert len(text.splitlines()) <= 80
    diagram = text.split("```")[1]
    package = ROOT / "src" / "maestrata"
    rooms = {
        path.stem for path in package.iterdir() if path.suffix == ".py" or (path / "__init__.py").is_file()
    }
    assert not {room for room in rooms - {"__init__", "__main__"} if not re.search(rf"\b{room}\b", diagram)}
