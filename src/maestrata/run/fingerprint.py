"""Fingerprint of the code that a step runs: equal exactly when a rerun could not change the step's output.

Snakemake sees a rule's command and parameters, not the library behind ``python -m maestrata.steps.pretrain``.
A rule therefore takes ``params: code=fingerprint("maestrata.steps.pretrain", plugins=[...])``: a hash over
the syntax trees of the step's own module and of every first-party module that it imports, directly or not.

- Found by reading, never by running: all forms of ``import``, in functions too, and the ``__init__`` of every
  package on the way, since Python runs those first. Scripts and style sheets beside it count with it.
- Not found: what is imported by a name made at run time (a world, a probe). Those are handed in as `plugins`,
  and as `files` where they lie outside the package (`maestrata.modules.use`).
- Comments, docstrings, layout, file times and the folder of the checkout do not count; nor does what is there
  for type checkers (``if TYPE_CHECKING:``) or for users of a package (``__version__``, ``__all__`` and the
  lazy exports ``_EXPORTS``, ``__getattr__``, ``__dir__`` of an ``__init__``; first-party code imports from
  the module that defines a thing, and a name that only such an export offers is an error here).

The result is the same on every Python that parses the code to the same tree. Standard library only.
"""

from __future__ import annotations

import ast
import hashlib
from collections.abc import Iterator, Sequence
from functools import cache
from os import PathLike
from pathlib import Path
from typing import NamedTuple

from maestrata.errors import FingerprintError, one_of

__all__ = ["clear_cache", "closure", "fingerprint"]

DIGITS = 16
_PAGE = (".css", ".html", ".js")
_FOR_USERS = frozenset({"__all__", "__version__", "_EXPORTS", "__getattr__", "__dir__"})
_HAS_DOCSTRING = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
_DEFINES = (ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)


class _Import(NamedTuple):
    """One imported name: a module, or ``name`` from a module (None: the module itself)."""

    module: str
    name: str | None
    line: int


class _Source(NamedTuple):
    """What a module's text says: its digest, its imports, and the names that it binds at the top."""

    digest: str
    imports: tuple[_Import, ...]
    binds: frozenset[str]


def fingerprint(
    step_module: str,
    plugins: Sequence[str] = (),
    root: str | PathLike[str] | None = None,
    files: Sequence[Path] = (),
) -> str:
    """Hash the code that a step runs.

    Parameters
    ----------
    step_module : str
        Module of the step, such as ``"maestrata.steps.pretrain"``.
    plugins : sequence of str
        Modules that the step finds by a name at run time, such as ``"maestrata.worlds.grammar_tree"``;
        order and repetition do not matter.
    root : path, optional
        Folder that holds the top-level packages; by default the one that this package was imported from.
        First-party is what lies in the packages of the step and its plugins, whatever else stands there.
    files : sequence of Path
        Files outside the packages that the step finds by a name too. Of what they import, first-party modules
        count; other files beside them do not.

    Returns
    -------
    str
        16 hexadecimal digits.

    Raises
    ------
    FingerprintError
        If a module does not exist under `root` or does not parse, or a name is imported that its module
        does not define.

    Notes
    -----
    Computed once per process and set of arguments; files edited later do not count (see `clear_cache`).
    """
    where, first = _root(root), step_module.partition(".")[0]
    sources = [(path.stem, _parsed(path, path.stem, str(path))) for path in files]
    imported = (_first_party(source, name, frozenset({first}), where) for name, source in sources)
    starts = frozenset(plugins).union(*map(frozenset, imported))
    digest = _fingerprint(step_module, starts, where)
    outside = sorted(f"{name} {source.digest}" for name, source in sources)
    return hashlib.sha256("\n".join([digest, *outside]).encode()).hexdigest()[:DIGITS] if files else digest


def closure(
    step_module: str, plugins: Sequence[str] = (), root: str | PathLike[str] | None = None
) -> tuple[str, ...]:
    """Names of the first-party modules that decide the fingerprint, sorted; arguments as in `fingerprint`."""
    return _closure(step_module, frozenset(plugins), _root(root))


def clear_cache() -> None:
    """Forget what was read, so that edits made since count (a process that edits code needs this: a test)."""
    for cached in (_fingerprint, _closure, _reached, _read, _find):
        cached.cache_clear()


def _root(root: str | PathLike[str] | None) -> Path:
    return Path(root if root is not None else Path(__file__).parent.parent.parent).absolute()


@cache
def _fingerprint(step_module: str, plugins: frozenset[str], root: Path) -> str:
    lines = (f"{name} {_read(name, root).digest}" for name in _closure(step_module, plugins, root))
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()[:DIGITS]


@cache
def _closure(step_module: str, plugins: frozenset[str], root: Path) -> tuple[str, ...]:
    starts = (step_module, *sorted(plugins))
    packages = frozenset(name.partition(".")[0] for name in starts)
    modules: set[str] = set()
    for name in starts:
        if not _find(name, root):
            raise FingerprintError(f"module {one_of(name, _beside(name, root))} (under {root})")
        modules |= _reached(name, packages, root)
    return tuple(sorted(modules))


@cache
def _reached(start: str, packages: frozenset[str], root: Path) -> frozenset[str]:
    """Modules of `packages` that importing `start` runs, itself and the packages above it included."""
    seen: set[str] = set()
    queue = [start]
    while queue:
        name = queue.pop()
        if name in seen:
            continue
        seen.add(name)
        if "." in name:
            queue.append(name.rpartition(".")[0])
        queue.extend(_imported(name, packages, root))
    return frozenset(name for name in seen if _find(name, root))


def _imported(name: str, packages: frozenset[str], root: Path) -> Iterator[str]:
    """First-party modules that a module's own text imports."""
    return _first_party(_read(name, root), name, packages, root)


def _first_party(source: _Source, name: str, packages: frozenset[str], root: Path) -> Iterator[str]:
    for module, member, line in source.imports:
        if module.partition(".")[0] not in packages:
            continue  # the standard library, or another distribution
        where = f"imported in {name}, line {line}"
        if _find(module, root) is None:
            raise FingerprintError(f"module {one_of(module, _beside(module, root))} ({where})")
        yield module
        if member is None or member == "*":
            continue
        if _find(f"{module}.{member}", root) is not None:
            yield f"{module}.{member}"
        elif member not in _read(module, root).binds:
            raise FingerprintError(
                f"{member!r} is not defined in {module} ({where}): import it from the module that defines it "
                "(the lazy exports of a package are for users, and cannot be followed)"
            )


@cache
def _find(name: str, root: Path) -> str | None:
    """Path of a module's source under `root`; empty for a folder without ``__init__``, None for nothing."""
    if not all(part.isidentifier() for part in name.split(".")):
        return None
    folder = name.replace(".", "/")
    for path in (f"{folder}/__init__.py", f"{folder}.py"):
        if (root / path).is_file():
            return path
    return "" if next((root / folder).glob("**/*.py"), None) else None


def _beside(name: str, root: Path) -> list[str]:
    """Return the modules that stand where a module should have been, for an error message."""
    above = name.rpartition(".")[0]
    folder = root / above.replace(".", "/")
    stems = {p.stem for p in folder.glob("*.py")} | {p.parent.name for p in folder.glob("*/__init__.py")}
    return [f"{above}.{stem}".lstrip(".") for stem in stems - {"__init__"}]


@cache
def _read(name: str, root: Path) -> _Source:
    """Parse a module and keep what matters of it; the tree itself is let go."""
    path = _find(name, root)
    return _parsed(root / path, name, path) if path else _Source("", (), frozenset())


def _parsed(file: Path, name: str, path: str) -> _Source:
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
    return _Source(
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
        for field, value in ast.iter_fields(node):
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


def _imports(tree: ast.AST, name: str, package: str) -> Iterator[_Import]:
    """All imports of a tree, wherever they stand, with relative ones made absolute."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield _Import(alias.name, None, node.lineno)
        elif isinstance(node, ast.ImportFrom):
            module = node.module or ""
            if node.level:
                above = package.split(".")[: len(package.split(".")) - node.level + 1]
                if not package or not above:
                    raise FingerprintError(f"import from above the top package ({name}, line {node.lineno})")
                module = ".".join([*above, *([module] if module else [])])
            for alias in node.names:
                yield _Import(module, alias.name, node.lineno)
        elif not _for_checkers(node):
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
