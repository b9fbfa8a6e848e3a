"""The note of a run in the titles of figures: literal, whole, on lines that fit."""

from __future__ import annotations

import warnings
from pathlib import Path

import pytest
from matplotlib.figure import Figure
from matplotlib.text import Text

from maestrata.figures.save import save
from maestrata.figures.style import Style

NOTES = [
    "-draft",
    "$$ budget",
    "costs $5 of $x$",
    "half $",
    r"\\alpha \\$ {a} 100 % \"quoted\" 'twice' # & _ ^",
    "two\nlines\tand a tab",
    "läuft ✓",
]


def titled(note: str, title: str) -> tuple[Figure, Text]:
    style = Style(note)
    with style.context():
        figure, _ = style.figure(1, 2)
        style.frame(figure, title)
        figure.draw_without_rendering()
    text = figure._suptitle  # type: ignore[attr-defined]
    return figure, text


@pytest.mark.parametrize("title", ["A title", "A gain of $R^2$"])
@pytest.mark.parametrize("note", NOTES)
def test_a_note_is_shown_literally(note: str, title: str, tmp_path: Path) -> None:
    figure, text = titled(note, title)
    shown, is_math = text._preprocess_math(text.get_text())  # type: ignore[attr-defined]
    literal = " ".join(note.split())
    if is_math:  # then what is no formula of the title's own is escaped
        assert title.count("$")
        shown = shown.replace(r"\$", "$")
    assert " ".join(shown.split()) == f"{title} [{literal}]"
    for ending in ("pdf", "png"):
        save(figure, tmp_path / f"a.{ending}", Style(note))


def test_a_long_note_is_wrapped_and_stays_on_the_page() -> None:
    for note in ("a very long note " * 12, "x" * 300, "試験" * 40):
        figure, text = titled(note, "A title")
        box, page = text.get_window_extent(), figure.bbox
        assert box.x0 >= page.x0 and box.x1 <= page.x1
        assert text.get_text().count("\n") >= 2


def test_a_short_note_stays_on_one_line() -> None:
    _, text = titled("smoke: not evidence", "A title that leaves no room for all of the note on the line")
    assert text.get_text().splitlines()[1] == "[smoke: not evidence]"


def test_what_the_font_lacks_is_told_by_its_code_point() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # Matplotlib warns where a glyph is missing
        _, text = titled("試験 a", "A title")
    assert text.get_text() == "A title [U+8A66 U+9A13 a]"
    assert Style("試験 試 a").lacking == "試験"
    assert Style("läuft ✓").lacking == ""
