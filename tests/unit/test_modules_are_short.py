"""Modules that can be read at one sitting."""

from pathlib import Path

PACKAGE = Path(__file__).parents[2] / "src" / "maestrata"
LONGEST = 300


def test_no_module_is_longer_than_300_lines() -> None:
    lines = {path: len(path.read_text(encoding="utf-8").splitlines()) for path in PACKAGE.rglob("*.py")}
    assert len(lines) > 200
    assert not {str(path.relative_to(PACKAGE)): n for path, n in lines.items() if n > LONGEST}
