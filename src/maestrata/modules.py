"""What modules found by name say of themselves, read without importing them.

Importing figures (Matplotlib), experiments (torch) or claims (xarray) would slow every start.
"""

from __future__ import annotations

import ast
import pkgutil
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal

from maestrata.errors import ConfigError

__all__ = ["Package", "constant", "cubes_of", "modules"]

Package = Literal["figures", "experiments", "claims"]
_ROOT = Path(__file__).parent


@lru_cache
def modules(package: Package, defines: str) -> tuple[str, ...]:
    """List the modules of a package that define a constant, sorted: those that are found by name."""
    found = (m.name for m in pkgutil.iter_modules([str(_ROOT / package)]) if not m.name.startswith("_"))
    return tuple(sorted(name for name in found if defines in _constants(package, name)))


def constant(package: Package, name: str, key: str, default: Any = None) -> Any:
    """Return a constant of a module, such as a figure's ``TITLE``.

    Raises
    ------
    ConfigError
        If it is not a plain constant.
    """
    node = _constants(package, name).get(key)
    if node is None:
        return default
    try:
        return ast.literal_eval(node)
    except ValueError:
        where = f"maestrata/{package}/{name}.py, line {node.lineno}"
        raise ConfigError(f"{key} must be a plain constant ({where})") from None


def cubes_of(package: Package, name: str, *constants: str) -> list[str]:
    """List the cubes that a figure or a claim names in `constants` (``NEEDS``, ``USES``)."""
    return list(dict.fromkeys(cube for key in constants for cube in constant(package, name, key, ())))


@lru_cache
def _constants(package: str, name: str) -> dict[str, ast.expr]:
    """Return what a module assigns to names at its top level."""
    path = _ROOT / package / f"{name}.py"
    found: dict[str, ast.expr] = {}
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.Assign):
            found |= {t.id: node.value for t in node.targets if isinstance(t, ast.Name)}
        elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name) and node.value:
            found[node.target.id] = node.value
    return found
