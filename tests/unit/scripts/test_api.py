"""The reference of what one imports, built from the docstrings."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from types import ModuleType

import pytest

import api


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("api")
    api.write(folder)
    return folder


@pytest.mark.parametrize("name", api.PACKAGES)
def test_every_export_is_there_and_told(name: str, pages: Path) -> None:
    text = (pages / f"{name.replace('.', '/')}.html").read_text(encoding="utf-8")
    package = import_module(name)
    assert package.__all__
    for export in package.__all__:
        if isinstance(getattr(package, export), ModuleType):
            assert (pages / name.replace(".", "/") / f"{export}.html").is_file()
            continue
        section = text.partition(f'<section id="{export}">')[2].partition("</section>")[0]
        assert section, export
        if callable(getattr(package, export)):
            assert '<div class="docstring">' in section, export


def test_sections_of_a_docstring_are_headings(pages: Path) -> None:
    text = (pages / "maestrata.html").read_text(encoding="utf-8")
    assert 'id="parameters"' in text and "----------" not in text
