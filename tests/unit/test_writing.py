"""A file appears whole or not at all."""

from __future__ import annotations

from pathlib import Path

import pytest

from maestrata.errors import MaestrataError
from maestrata.writing import whole, write_text


def test_a_text_stands_where_it_was_asked_for_and_nothing_beside_it(tmp_path: Path) -> None:
    write_text(tmp_path / "made" / "table.md", "a\nβ\n")
    assert (tmp_path / "made" / "table.md").read_bytes() == "a\nβ\n".encode()
    assert [path.name for path in (tmp_path / "made").iterdir()] == ["table.md"]


def test_after_an_error_the_old_file_stands(tmp_path: Path) -> None:
    path = tmp_path / "table.md"
    write_text(path, "old")
    with pytest.raises(ZeroDivisionError), whole(path) as temporary:
        temporary.write_text("half", encoding="utf-8")
        raise ZeroDivisionError
    assert path.read_text(encoding="utf-8") == "old" and list(tmp_path.iterdir()) == [path]


def test_what_cannot_be_written_is_told_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("", encoding="utf-8")
    with pytest.raises(MaestrataError, match=r"table\.md: cannot be written: "):
        write_text(tmp_path / "file" / "table.md", "text")
