"""Executing notebooks, and the published one."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import nbformat
import pytest

import notebook

PUBLISHED = Path(__file__).parents[3] / "docs" / "reading-the-results.ipynb"


def made(folder: Path, *sources: str) -> Path:
    cells = [
        {
            "cell_type": "code",
            "id": f"cell-{number}",
            "metadata": {},
            "execution_count": None,
            "outputs": [],
            "source": [source],
        }
        for number, source in enumerate(sources)
    ]
    text = {"cell_type": "markdown", "id": "words", "metadata": {}, "source": ["# words"]}
    path = folder / "made.ipynb"
    content = {"cells": [text, *cells], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}
    path.write_text(json.dumps(content))
    return path


def outputs(path: Path) -> list[Any]:
    return [cell["outputs"] for cell in json.loads(path.read_text())["cells"] if cell["cell_type"] == "code"]


def is_picture(output: Any) -> bool:
    return "image/png" in output.get("data", {})


def test_what_is_printed_shown_and_drawn(tmp_path: Path) -> None:
    path = made(
        tmp_path,
        "x = 20\nprint('one')",
        "x + 1",
        "import matplotlib.pyplot as plt\nplt.figure()\nplt.plot([1, 2]);",
        "from matplotlib.figure import Figure\nfigure = Figure()\nfigure.subplots()\nfigure",
    )
    assert notebook.main([str(path)]) == 0
    printed, shown, pyplot, figure = outputs(path)
    assert printed == [{"output_type": "stream", "name": "stdout", "text": ["one\n"]}]
    assert shown[0]["data"] == {"text/plain": ["21"]} and shown[0]["execution_count"] == 2
    for (drawn,) in (pyplot, figure):
        assert drawn["data"]["image/png"].startswith("iVBOR")


def test_cells_run_in_the_folder_of_the_notebook(tmp_path: Path) -> None:
    (tmp_path / "there.txt").write_text("found")
    path = made(tmp_path, "open('there.txt').read()")
    notebook.main([str(path)])
    assert outputs(path)[0][0]["data"]["text/plain"] == ["'found'"]


def test_a_cell_that_fails_is_named_and_nothing_is_written(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = made(tmp_path, "x = 1", "x / 0")
    before = path.read_bytes()
    with pytest.raises(SystemExit, match="cell 2 failed: ZeroDivisionError"):
        notebook.main([str(path)])
    assert path.read_bytes() == before


def test_check_writes_nothing(tmp_path: Path) -> None:
    path = made(tmp_path, "1")
    before = path.read_bytes()
    assert notebook.main([str(path), "--check"]) == 0 and path.read_bytes() == before
    assert notebook.main([str(tmp_path / "none.ipynb")]) == 2


def test_the_published_notebook_is_executed_and_its_numbers_are_those_of_its_cubes() -> None:
    kept = nbformat.read(PUBLISHED, as_version=4)
    again = notebook.execute(PUBLISHED)
    for old, new in zip(kept["cells"], again["cells"], strict=True):
        if old["cell_type"] != "code":
            continue
        assert old["execution_count"], "a cell was never executed: python scripts/notebook.py"
        # joined: into how many pieces a kernel cuts what it prints depends on how busy the machine is
        texts = [
            "".join(o.get("text") or o["data"]["text/plain"] for o in cell["outputs"] if not is_picture(o))
            for cell in (old, new)
        ]
        assert texts[0] == texts[1]
