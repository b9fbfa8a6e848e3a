"""Modules that are found by name: worlds, their inference, probes, experiments, claims, figures, commands.

One file is one of them, and nothing else lists it. A package holds files that they share as well: what tells
a module of the kind apart is that it defines what `KINDS` says. The text of a module is read without
importing it, since figures (Matplotlib), experiments (torch) or claims (xarray) would slow every start.
"""

from __future__ import annotations

import ast
import pkgutil
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any

from maestrata.errors import (
    ClaimError,
    ConfigError,
    ExperimentError,
    FigureError,
    InferenceError,
    MaestrataError,
    ProbeError,
    WorldError,
    one_of,
)

__all__ = ["KINDS", "Kind", "available", "constant", "cubes_of", "lazy", "load"]


@dataclass(frozen=True)
class Kind:
    """What the modules of a package are.

    Attributes
    ----------
    word : str
        What one of them is called.
    defines : str
        Name that each of them defines, itself or in a class, and no other module of the package.
    error : type
        What `load` raises.
    """

    word: str
    defines: str
    error: type[MaestrataError]


KINDS: dict[str, Kind] = {
    "worlds": Kind("world", "name", WorldError),
    "inference": Kind("exact inference of world", "infer", InferenceError),
    "regression.probes": Kind("probe", "Probe", ProbeError),
    "experiments": Kind("experiment", "run", ExperimentError),
    "claims": Kind("claim", "NUMBER", ClaimError),
    "figures": Kind("figure", "draw", FigureError),
    "commands": Kind("command", "arguments", ConfigError),
}
"""Package -> kind of its modules."""


@lru_cache
def available(package: str) -> tuple[str, ...]:
    """Return the names of the modules of a package that are of its kind, sorted."""
    names = sorted(info.name for info in pkgutil.iter_modules(_folders(package)))
    return tuple(
        name
        for name in names
        if not name.startswith("_") and KINDS[package].defines in _defined(package, name)
    )


def load(package: str, name: str, needs: Iterable[str] = ()) -> ModuleType:
    """Import the module of that name.

    Parameters
    ----------
    package : str
        One of `KINDS`.
    name : str
        One of ``available(package)``.
    needs : iterable of str
        What the module must define.

    Raises
    ------
    MaestrataError
        Of the package's kind, if there is none of that name (the message lists those there are) or it lacks
        a definition.
    """
    kind = KINDS[package]
    if name not in available(package):
        there = any(Path(folder, f"{name}.py").is_file() for folder in _folders(package))
        hint = f" ({_where(package, name)} defines no `{kind.defines}`)" if there else ""
        raise kind.error(f"{kind.word} {one_of(name, available(package))}{hint}")
    module = import_module(f"maestrata.{package}.{name}")
    for attribute in needs:
        if not hasattr(module, attribute):
            raise kind.error(f"{kind.word} {name!r} ({_where(package, name)}) must define {attribute}")
    return module


def constant(package: str, name: str, key: str, default: Any = None) -> Any:
    """Return a constant of a module, such as a figure's ``TITLE``, without importing it.

    Raises
    ------
    ConfigError
        If it is not a plain constant.
    """
    node = _defined(package, name).get(key)
    if node is None:
        return default
    try:
        return ast.literal_eval(node)
    except ValueError:
        where = f"{_where(package, name)}, line {node.lineno}"
        raise ConfigError(f"{key} must be a plain constant ({where})") from None


def lazy(package: str, exports: Mapping[str, str]) -> Callable[[str], Any]:
    """Return a package's ``__getattr__``: each export is imported from its module when first used.

    Parameters
    ----------
    package : str
        Its ``__name__``.
    exports : mapping
        Name -> module that defines it.
    """

    def get(name: str) -> Any:
        if name in exports:
            return getattr(import_module(exports[name]), name)
        raise AttributeError(f"module {package!r} has no attribute {name!r}")

    return get


def cubes_of(package: str, name: str, *constants: str) -> list[str]:
    """List the cubes that a figure or a claim names in `constants` (``NEEDS``, ``USES``)."""
    return list(dict.fromkeys(cube for key in constants for cube in constant(package, name, key, ())))


def _folders(package: str) -> list[str]:
    return list(import_module(f"maestrata.{package}").__path__)  # its modules stay unread


def _where(package: str, name: str) -> str:
    return f"maestrata/{package.replace('.', '/')}/{name}.py"


@lru_cache
def _defined(package: str, name: str) -> dict[str, Any]:
    """Return what a module defines: constants with their values, functions and classes with themselves."""
    path = next(path for folder in _folders(package) if (path := Path(folder, f"{name}.py")).is_file())
    top = ast.parse(path.read_text(encoding="utf-8")).body
    inner = [node for part in top if isinstance(part, ast.ClassDef) for node in part.body]
    defined: dict[str, Any] = {}
    for node in (*inner, *top):  # a constant of the module goes before one of a class
        if isinstance(node, ast.Assign):
            defined |= {t.id: node.value for t in node.targets if isinstance(t, ast.Name)}
        elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name) and node.value:
            defined[node.target.id] = node.value
        elif node in top and isinstance(node, ast.FunctionDef | ast.ClassDef):
            defined[node.name] = node
    return defined
