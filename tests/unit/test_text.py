"""What users write is shown literally."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import docutils.core
import pytest

from maestrata.text import in_markdown, in_rst, one_line, width, with_glyphs, wrap

SRC = str(Path(__file__).parents[2] / "src")
NOTES = [
    "-draft",
    "$$ budget $x$",
    "{run} {{x}} %s %(a)d",
    "quotes ' and \" and \\ and \\$",
    "*not* _evidence_ `x` <b> & |",
    "試験 läuft",
    "# 1. a: b\n- c",
]


@pytest.mark.parametrize("note", NOTES)
def test_a_line_is_one_line_of_the_same_words(note: str) -> None:
    assert one_line(note).split() == note.split()
    assert "\n" not in one_line(note)


def test_control_characters_and_halves_of_pairs_do_not_stay() -> None:
    assert one_line("a\x00b\x1b[31m\ud800c") == "a b [31m?c"


@pytest.mark.parametrize("note", NOTES)
def test_the_report_shows_a_note_literally(note: str) -> None:
    html = docutils.core.publish_parts(f"Run ({in_rst(note)}).", writer="html5")["body"]
    shown = html.replace("&lt;", "<").replace("&gt;", ">").replace("&quot;", '"').replace("&amp;", "&")
    assert shown.strip() == f"<p>Run ({one_line(note)}).</p>"


@pytest.mark.parametrize("note", NOTES)
def test_markdown_escapes_every_mark(note: str) -> None:
    text = in_markdown(note)
    assert text.replace("\\\\", "\0").replace("\\", "").replace("\0", "\\") == one_line(note)
    for mark in "*_`<|$#{[":
        assert f"\\{mark}" in text or mark not in note


def test_wide_characters_count_twice() -> None:
    assert width("試験 a") == 6.0
    assert wrap("試験試験", 4) == ["試験", "試験"]


def test_what_belongs_together_is_broken_only_where_it_must() -> None:
    assert wrap("a title [some\u00a0note]", 12) == ["a title", "[some\u00a0note]"]
    assert wrap("a title [one\u00a0two\u00a0three]", 12) == ["a title [one", "two three]"]


def test_glyphs_that_a_font_lacks_are_told() -> None:
    assert with_glyphs("試 x", {ord("x"), ord(" ")}) == "U+8A66 x"


def test_an_encoding_that_lacks_a_character_is_no_crash() -> None:
    code = "from maestrata.text import any_encoding; any_encoding(); print('\\u8a66')"
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={"PYTHONIOENCODING": "ascii", "PYTHONPATH": SRC},
        capture_output=True,
    )
    assert done.stdout.strip() == b"\\u8a66"
