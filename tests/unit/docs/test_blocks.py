"""Every command and every YAML or Python block of README and docs, pasted (scripts/paste.py)."""

from __future__ import annotations

import importlib.util
import re
import shlex
from itertools import pairwise
from pathlib import Path

import pytest

import paste
from maestrata.cli import _parser

ROOT = Path(__file__).parents[3]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]
BLOCKS = {page: paste.blocks(page) for page in PAGES}

every_page = pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))


@pytest.mark.parametrize(
    "page", [page for page in PAGES if BLOCKS[page]], ids=lambda page: str(page.relative_to(ROOT))
)
def test_what_a_page_says_runs(page: Path, tmp_path: Path) -> None:
    done = paste.paste(page, tmp_path / "maestrata")
    assert done.returncode == 0, done.stdout[-8000:]


@every_page
def test_blocks_say_what_they_are(page: Path) -> None:
    for block in BLOCKS[page]:
        assert block.language in paste.LANGUAGES, block.where
        if block.marker:
            assert paste.MARKER.fullmatch(block.marker), f"{block.where}: {block.marker}"
            assert block.marked("needs") in (None, *paste.NEEDS), f"{block.where}: {block.marker}"


@every_page
def test_nothing_is_indented_to_be_code(page: Path) -> None:
    """Such a block has no language, so nothing would run it."""
    lines = re.sub(r"^ *```.*?^ *```", "", page.read_text("utf-8"), flags=re.M | re.S).splitlines()
    assert not [after for before, after in pairwise(lines) if not before and after[:4] == " " * 4]


def commands(page: Path) -> list[str]:
    """All commands: of blocks, and those that stand in a sentence."""
    spans = re.findall(r"`((?:make|maestrata|snakemake|python) [^`]+)`", page.read_text("utf-8"))
    said = [span for span in spans if not re.search(r"[…*]|NAME|\.\.\.", span)]
    return said + [c for block in BLOCKS[page] if block.language in ("sh", "console") for c in block.commands]


@every_page
def test_programs_exist(page: Path) -> None:
    targets = re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.M)
    (actions,) = (action for action in _parser()._actions if action.dest == "command")
    for command in commands(page):
        program, *given = shlex.split(command)
        match program:
            case "make":
                named = [word for word in given if re.fullmatch("[a-z-]+", word)]
                assert named and set(named) <= set(targets), command
            case "maestrata":
                assert given[0] in {*(actions.choices or ()), "--help", "--version"}, command
            case "python" if given[0] == "-m":
                assert importlib.util.find_spec(given[1]), command
            case "python" if given[0].endswith(".py"):
                assert (ROOT / given[0]).is_file(), command


@pytest.mark.parametrize(
    ("block", "told"),
    [
        ("```python\n1 / 0\n```\n", "page.md:1: division by zero"),
        ("```sh\nfalse\n```\n", "page.md:1: exit status 1"),
        ("```sh\nfalse | true\n```\n", "page.md:1: exit status 1"),
        ("```console\n$ echo one\ntwo\n```\n", "page.md:1: echo one"),
        (
            "```yaml\nextends: config.yaml\nworlds: {x: {kind: grammar_tree, symbols: 8}}\n```\n",
            "unknown key",
        ),
        ("<!-- planned -->\n```sh\nls\n```\n", "page.md:2: 'ls' cannot be planned"),
        ("<!-- planned -->\n```sh\nmake nothing\n```\n", "page.md:2: exit status 2"),
        ("<!-- file: src/maestrata/errors.py -->\n```diff\n-no such line\n```\n", "does not hold once"),
        ("```json\n{\n```\n", "page.md:1: Expecting"),
    ],
)
def test_a_block_that_fails_is_told(block: str, told: str, tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(block)
    done = paste.paste(page, tmp_path / "maestrata", root=tmp_path)
    assert done.returncode == 1 and told in done.stdout, done.stdout


def test_blocks_of_a_page_share_folder_and_session(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(
        "```python\nnumber = open('given.json').read()\n```\n- in a list\n\n  <!-- file: given.json -->\n"
        "  ```json\n  5\n  ```\n<!-- not run: needs hours -->\n```sh\nfalse\n```\n"
        "```sh\necho done > said.txt\n```\n```python\nassert number == '5\\n' and open('said.txt')\n```\n"
    )
    done = paste.paste(page, tmp_path / "maestrata", root=tmp_path)
    assert done.returncode == 0, done.stdout
