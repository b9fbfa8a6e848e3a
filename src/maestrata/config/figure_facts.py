"""What figures say of themselves, read without importing them: Matplotlib would slow every start."""

from __future__ import annotations

import ast
from functools import lru_cache
from pathlib import Path
from typing import Any

from maestrata.errors import FigureError

_FOLDER = Path(__file__).parent.parent / "figures"


@lru_cache
def figure_constant(figure: str, name: str, default: Any = None) -> Any:
    """Return a constant of a figure's module, such as its ``TITLE``.

    Raises
    ------
    FigureError
        If it is not a plain constant.
    """
    path = _FOLDER / f"{figure}.py"
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.Assign) and any(
            isinstance(t, ast.Name) and t.id == name for t in node.targets
        ):
            try:
                return ast.literal_eval(node.value)
            except ValueError:
                raise FigureError(f"{name} must be a plain constant ({path}, line {node.lineno})") from None
    return default


def kinds_of_figure(figure: str, *constants: str) -> list[str]:
    """List the kinds of cube that a figure names in `constants` (``NEEDS``, ``USES``)."""
    return list(dict.fromkeys(kind for name in constants for kind in figure_constant(figure, name, ())))
