"""Fingerprint of the code that a step runs: equal exactly when a rerun could not change the step's output.

Snakemake sees a rule's command and parameters, not the library behind ``python -m maestrata.steps.pretrain``.
A rule therefore takes ``params: code=fingerprint("maestrata.steps.pretrain", plugins=[...])``: a hash over
the syntax trees of the step's own module and of every first-party module that it imports, directly or not.

- Found by reading, never by running: all forms of ``import``, in functions too, and the ``__init__`` of every
  package on the way, since Python runs those first. Scripts and style sheets beside it count with it.
- Not found: what is imported by a name made at run time (a world, a probe). Those are handed in as `plugins`,
  and as `files` where they lie outside the package (`maestrata.modules.use`).
- File times and the folder of the checkout do not count, nor what `maestrata.run.source` leaves out.

The result is the same on every Python that parses the code to the same tree. Standard library only.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from functools import cache
from os import PathLike
from pathlib import Path

from maestrata.errors import FingerprintError, one_of
from maestrata.run.source import Source, read_source

__all__ = ["clear_cache", "closure", "fingerprint"]

DIGITS = 16


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
    sources = [(path.stem, read_source(path, path.stem, str(path))) for path in files]
    imported = (_first_party(source, name, frozenset({first}), where) for name, source in sources)
    starts = frozenset(plugins).union(*map(frozenset, imported))
    digest = _fingerprint(step_module, starts, where)
    outside = sorted(f"{name} {source.digest}" for name, source in sources)
    return hashlib.sha256("\n".join([digest, *outside]).encode()).hexdigest()[:DIGITS] if files else digest


def clear_cache() -> None:
    """Forget what was read, so that edits made since count (a process that edits code needs this: a test)."""
    for cached in (_fingerprint, closure, _reached, _read, _find):
        cached.cache_clear()


def _root(root: str | PathLike[str] | None) -> Path:
    return Path(root if root is not None else Path(__file__).parent.parent.parent).absolute()


@cache
def _fingerprint(step_module: str, plugins: frozenset[str], root: Path) -> str:
    lines = (f"{name} {_read(name, root).digest}" for name in closure(step_module, plugins, root))
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()[:DIGITS]


@cache
def closure(step_module: str, plugins: frozenset[str], root: Path) -> tuple[str, ...]:
    """Names of the first-party modules that decide the fingerprint, sorted."""
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


def _first_party(source: Source, name: str, packages: frozenset[str], root: Path) -> Iterator[str]:
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
def _read(name: str, root: Path) -> Source:
    """Parse a module and keep what matters of it; the tree itself is let go."""
    path = _find(name, root)
    return read_source(root / path, name, path) if path else Source("", (), frozenset())
