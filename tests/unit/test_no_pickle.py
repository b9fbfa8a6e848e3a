"""Nothing that is loaded can run code: no pickle, by any of its names, anywhere in the package."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

SOURCES = sorted((Path(__file__).parents[2] / "src").rglob("*.py"))
MODULES = {"pickle", "cPickle", "_pickle", "dill", "cloudpickle", "joblib", "shelve", "marshal"}
CALLS = {"torch.load", "torch.save", "torch.jit.load", "numpy.load", "np.load", "eval", "exec"}
NAMES = {"read_pickle", "to_pickle", "allow_pickle", "load_pickle", "unsafe_load", "full_load"}


def is_refused(keyword: ast.keyword) -> bool:
    """Whether a call says `allow_pickle=False`: NumPy then refuses what holds a pickle."""
    return keyword.arg == "allow_pickle" and ast.unparse(keyword.value) == "False"


def forbidden(tree: ast.AST) -> list[str]:
    names = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names if alias.name.partition(".")[0] in MODULES]
        elif isinstance(node, ast.ImportFrom):
            names += [node.module] if node.module and node.module.partition(".")[0] in MODULES else []
            names += [f"{node.module}.{a.name}" for a in node.names if f"{node.module}.{a.name}" in CALLS]
        elif isinstance(node, ast.Call) and ast.unparse(node.func) in CALLS:
            names += [] if any(map(is_refused, node.keywords)) else [ast.unparse(node.func)]
        elif isinstance(node, ast.Attribute) and node.attr in NAMES:
            names.append(node.attr)
        elif isinstance(node, ast.keyword) and node.arg in NAMES and not is_refused(node):
            names.append(node.arg)
    return names


@pytest.mark.parametrize(
    "text",
    [
        "import pickle",
        "from torch import load",
        "x = torch.load(path)",
        "np.load(f, allow_pickle=True)",
        "np.load(f)",
    ],
)
def test_what_is_looked_for_is_found(text: str) -> None:
    assert forbidden(ast.parse(text))


def test_no_pickle_is_loaded_or_written() -> None:
    assert SOURCES
    by_file = {str(path): forbidden(ast.parse(path.read_bytes())) for path in SOURCES}
    assert {path: names for path, names in by_file.items() if names} == {}
