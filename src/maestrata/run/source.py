"""What of a module's text decides what it does: its syntax tree, its imports, the names that it binds.

Comments, docstrings and layout do not count; nor does what is there for type checkers (``if TYPE_CHECKING:``)
or for users of a package (``__version__``, ``__all__`` and the lazy exports ``_EXPORTS``, ``__getattr__``,
``__dir__`` of an ``__init__``; first-party code imports from the module that defines a thing).
"""

from __future__ import annotations

import ast
import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from maestrata.errors import FingerprintError

_PAGE = (".css", ".html", ".js")
_FOR_USERS = frozenset({"__all__", "__version__", "_EXPORTS", "__getattr__", "__dir__"})
_HAS_DOCSTRING = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
_STATEMENTS = (ast.stmt, ast.ExceptHandler, ast.match_case)  # no expression holds an import
_DEFINES = (ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)


class Import(NamedTuple):
    """One imported name: a module, or ``name`` from a module (None: the module itself)."""

    module: str
    name: str | None
    line: int


class Source(NamedTuple):
    """What a module's text says: its digest, its imports, and the names that it binds at the top."""

    digest: str
    imports: tuple[Import, ...]
    binds: frozenset[str]


def read_source(file: Path, name: str, path: str) -> Source:
    """Read a module.

    Parameters
    ----------
    file : Path
    name : str
        Of the module: what relative imports are from.
    path : str
        Names the file in errors.

    Raises
    ------
    FingerprintError
        If it does not parse.
    """
    try:
        tree = ast.parse(file.read_bytes(), filename=path)
    except (SyntaxError, ValueError) as error:
        raise FingerprintError(f"{path} cannot be parsed: {error}") from None
    is_package = path.endswith("__init__.py")
    package = name if is_package else name.rpartition(".")[0]
    if is_package:
        tree.body = [node for node in tree.body if not _binds(node) or not _binds(node) <= _FOR_USERS]
    parts: list[str] = []
    _dump(tree, parts)
    if is_package:
        beside = sorted(p for p in file.parent.iterdir() if p.suffix in _PAGE)
        parts += [f"{p.name} {p.read_text(encoding='utf-8')}" for p in beside]
    return Source(
        hashlib.sha256("".join(parts).encode("utf-8", "surrogatepass")).hexdigest(),
        tuple(_imports(tree, name, package)),
        frozenset().union(*(_binds(node) for node in _top_level(tree))),
    )


def _dump(node: object, parts: list[str]) -> None:
    """Write a tree as text: `ast.dump` without docstrings, blocks for type checkers and empty fields.

    Empty fields are left out because newer versions of Python add some.
    """
    if isinstance(node, ast.Constant):
        # !a, since what repr() prints as it is depends on the Unicode tables of the Python at hand
        parts.append(f"{type(node.value).__name__}:{node.value!a}")
    elif isinstance(node, ast.AST):
        parts.append(f"{type(node).__name__}(")
        for field in node._fields:
            value: Any = getattr(node, field, None)
            if field == "body" and isinstance(node, _HAS_DOCSTRING):
                value = value[ast.get_docstring(node, clean=False) is not None :]
            if value is not None and value != []:
                parts.append(f"{field}=")
                _dump(value, parts)
                parts.append(",")
        parts.append(")")
    elif isinstance(node, list):
        parts.append("[")
        for item in node:
            if not _for_checkers(item):
                _dump(item, parts)
                parts.append(",")
        parts.append("]")
    else:
        parts.append(repr(node))


def _imports(tree: ast.AST, name: str, package: str) -> Iterator[Import]:
    """All imports of a tree, wherever they stand, with relative ones made absolute."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield Import(alias.name, None, node.lineno)
        elif isinstance(node, ast.ImportFrom):
            module = node.module or ""
            if node.level:
                above = package.split(".")[: len(package.split(".")) - node.level + 1]
                if not package or not above:
                    raise FingerprintError(f"import from above the top package ({name}, line {node.lineno})")
                module = ".".join([*above, *([module] if module else [])])
            for alias in node.names:
                yield Import(module, alias.name, node.lineno)
        elif isinstance(node, _STATEMENTS) and not _for_checkers(node):
            yield from _imports(node, name, package)


def _for_checkers(node: object) -> bool:
    """Tell whether a node is an ``if TYPE_CHECKING:`` without an else, which never runs."""
    if not isinstance(node, ast.If) or node.orelse:
        return False
    test = node.test
    return (isinstance(test, ast.Name) and test.id == "TYPE_CHECKING") or (
        isinstance(test, ast.Attribute) and test.attr == "TYPE_CHECKING"
    )


def _top_level(tree: ast.AST) -> Iterator[ast.AST]:
    """Statements of a module's own scope, those inside ``if``, ``try``, ``with`` and loops included."""
    for node in ast.iter_child_nodes(tree):
        if _for_checkers(node):
            continue
        yield node
        if isinstance(node, ast.stmt | ast.ExceptHandler) and not isinstance(node, _DEFINES):
            yield from _top_level(node)


def _binds(node: ast.AST) -> frozenset[str]:
    """Names that one statement binds."""
    if isinstance(node, _DEFINES):
        return frozenset({node.name})
    if isinstance(node, ast.Import | ast.ImportFrom):
        return frozenset((alias.asname or alias.name).partition(".")[0] for alias in node.names)
    if isinstance(node, ast.Assign | ast.AnnAssign | ast.AugAssign | ast.For | ast.With):
        names = (n for n in ast.walk(node) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store))
        return frozenset(n.id for n in names)
    return frozenset()
