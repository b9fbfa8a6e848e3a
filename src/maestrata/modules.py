"""Modules that are found by name: worlds, their inference, probes, experiments, claims, figures, commands.

One file is one of them, and nothing else lists it. A package holds files that they share as well: what tells
a module of the kind apart is that it defines what `KINDS` says. The text of a module is read without
importing it, since figures (Matplotlib), experiments (torch) or claims (xarray) would slow every start.

Files outside the package (`use`) are modules of it too: of each kind whose name they define.
"""

from __future__ import annotations

import ast
import os
import pkgutil
import sys
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from importlib import import_module
from importlib.metadata import entry_points
from importlib.util import find_spec, module_from_spec, spec_from_file_location
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
    reason,
)

__all__ = ["KINDS", "Kind", "available", "constant", "cubes_of", "lazy", "load", "outside", "use"]

PLUGINS = "MAESTRATA_PLUGINS"
"""Environment variable that holds the files outside the package: jobs inherit it."""
ENTRY_POINTS = "maestrata_plugins"
"""Group of entry points by which an installed distribution names modules of its own."""


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


def use(paths: Iterable[str | Path]) -> None:
    """Take files outside the package as modules of it, here and in the programs that are started from here.

    Those that installed distributions name (`ENTRY_POINTS`) are taken with them.

    Raises
    ------
    ConfigError
        If a file cannot be read or is none of the kinds, or a module of its name is there already.
    """
    named = [spec.origin for one in entry_points(group=ENTRY_POINTS) if (spec := find_spec(one.module))]
    given = [os.path.abspath(path) for path in (*paths, *filter(None, named))]
    for i, text in enumerate(given):
        if os.pathsep in text:
            raise ConfigError(f"{text!r} must not hold {os.pathsep!r}, which parts paths").at("plugins", i)
    os.environ[PLUGINS] = os.pathsep.join(dict.fromkeys(given))
    for cached in (available, _defined, _definitions, _outside):
        cached.cache_clear()
    known: dict[tuple[str, str], Path] = {}
    for i, path in enumerate(map(Path, os.environ[PLUGINS].split(os.pathsep) if given else [])):
        kinds = [package for package in KINDS if KINDS[package].defines in _definitions(path)]
        if not kinds:
            defines = ", ".join(f"`{kind.defines}` ({kind.word})" for kind in KINDS.values())
            raise ConfigError(f"{path} must define one of: {defines}").at("plugins", i)
        for package in kinds:
            ours = any(Path(folder, path.name).is_file() for folder in _folders(package))
            if ours or (package, path.stem) in known:
                word = KINDS[package].word
                raise ConfigError(f"{path}: there is a {word} {path.stem!r} already").at("plugins", i)
            known[package, path.stem] = path


@lru_cache
def _outside() -> dict[tuple[str, str], Path]:
    """Files outside the package: (package, name) -> path."""
    paths = [Path(path) for path in os.environ.get(PLUGINS, "").split(os.pathsep) if path]
    return {(p, path.stem): path for path in paths for p in KINDS if KINDS[p].defines in _definitions(path)}


def outside(package: str, name: str) -> Path | None:
    """Return the file outside the package that a module is; None where it is one of the package."""
    return _outside().get((package, name))


@lru_cache
def available(package: str) -> tuple[str, ...]:
    """Return the names of the modules of a package that are of its kind, sorted."""
    names = [info.name for info in pkgutil.iter_modules(_folders(package))]
    own = [
        name
        for name in names
        if not name.startswith("_") and KINDS[package].defines in _defined(package, name)
    ]
    return tuple(sorted([*own, *(name for of, name in _outside() if of == package)]))


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
    path = outside(package, name)
    there = any(Path(folder, f"{name}.py").is_file() for folder in _folders(package))
    # all names are looked for, which takes a while, only where this is none of them
    public = name.isidentifier() and not name.startswith("_")
    if not (path or (there and public and kind.defines in _defined(package, name))):
        hint = f" ({_where(package, name)} defines no `{kind.defines}`)" if there else ""
        raise kind.error(f"{kind.word} {one_of(name, available(package))}{hint}")
    module = import_module(f"maestrata.{package}.{name}") if path is None else _imported(kind, name, path)
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
    return str(outside(package, name) or f"maestrata/{package.replace('.', '/')}/{name}.py")


def _imported(kind: Kind, name: str, path: Path) -> ModuleType:
    """Import a file outside the package, once."""
    known = f"maestrata_plugins.{path.parent.name}.{name}"
    if getattr(sys.modules.get(known), "__file__", None) != str(path):
        spec = spec_from_file_location(known, path)
        assert spec is not None and spec.loader is not None  # of a file that has been read
        module = sys.modules[known] = module_from_spec(spec)
        try:
            spec.loader.exec_module(module)
        except Exception as error:
            del sys.modules[known]
            raise kind.error(f"{path} cannot be imported: {type(error).__name__}: {error}") from error
    return sys.modules[known]


@lru_cache
def _defined(package: str, name: str) -> dict[str, Any]:
    """Return what a module defines; see `_definitions`."""
    if (path := outside(package, name)) is None:
        path = next(path for folder in _folders(package) if (path := Path(folder, f"{name}.py")).is_file())
    return _definitions(path)


@lru_cache
def _definitions(path: Path) -> dict[str, Any]:
    """Return what a file defines: constants with their values, functions and classes with themselves.

    Raises
    ------
    ConfigError
        If it cannot be read as Python.
    """
    try:
        top = ast.parse(path.read_text(encoding="utf-8")).body
    except (OSError, SyntaxError, ValueError) as error:
        raise ConfigError(f"{path} cannot be read as Python: {reason(error)}") from None
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
