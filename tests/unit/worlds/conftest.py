"""Worlds to test: every one that is available, and the example of docs/extending.md."""

from __future__ import annotations

import re
import sys
from functools import cache
from pathlib import Path

import pytest

from maestrata import modules, worlds

DOCS = Path(__file__).parents[3] / "docs" / "extending.md"
EXAMPLE = "turning_tree"


@pytest.fixture(scope="module")
def make(tmp_path_factory):
    """Make a world, once for all tests of a module; knows the example of the docs too."""
    folder = tmp_path_factory.mktemp("worlds")
    source = re.search(r"```python\n(\"\"\".*?)```", DOCS.read_text(), re.S)[1]
    (folder / f"{EXAMPLE}.py").write_text(source)
    worlds.__path__.append(str(folder))
    modules.available.cache_clear()
    yield cache(worlds.make)
    worlds.__path__.remove(str(folder))
    modules.available.cache_clear()
    sys.modules.pop(f"{worlds.__name__}.{EXAMPLE}", None)
