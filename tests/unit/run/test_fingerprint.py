"""The fingerprint changes when the code that a step runs changes, and at nothing else."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from maestrata.errors import FingerprintError, MaestrataError
from maestrata.run import fingerprint as fingerprints
from maestrata.run.fingerprint import clear_cache, fingerprint

FILES = {
    "lab/__init__.py": """
        '''Lab.'''
        from typing import TYPE_CHECKING
        if TYPE_CHECKING:
            from lab.extra import surplus
        __version__ = "1.0"
        __all__ = ["surplus"]
        _EXPORTS = {"surplus": "lab.extra"}
        def __getattr__(name):
            raise AttributeError(name)
    """,
    "lab/extra.py": "surplus = 1",
    "lab/core.py": """
        '''Core.'''
        import json

        SCALE = 2.0

        def double(x):
            '''Twice x.'''
            return SCALE * x  # exactly
    """,
    "lab/deep.py": "from lab import core\n\ndef quadruple(x):\n    return core.double(core.double(x))",
    "lab/lazy.py": "VALUE = 3",
    "lab/other.py": "UNRELATED = 4",
    "lab/worlds/__init__.py": "import importlib\n\ndef make(name):\n    return importlib.import_module(name)",
    "lab/worlds/base.py": "class World:\n    '''A world.'''\n    size = 1",
    "lab/worlds/flat.py": "from lab.worlds.base import World\n\nclass Flat(World):\n    size = 2",
    "lab/worlds/round.py": "from .base import World\nfrom . import base\n\nclass Round(World):\n    size = 3",
    "lab/worlds/page.js": "function draw() {}",
    "lab/steps/__init__.py": "",
    "lab/steps/train.py": """
        import lab.deep as deep
        from lab.worlds import make

        def main():
            '''Train.'''
            from lab.lazy import VALUE
            return deep.quadruple(VALUE)
    """,
    "lab/steps/draw.py": "from lab.core import double",
}
TRAIN = ("lab", "lab.core", "lab.deep", "lab.lazy", "lab.steps", "lab.steps.train", "lab.worlds")


@pytest.fixture(autouse=True)
def _fresh() -> Iterator[None]:
    clear_cache()
    yield
    clear_cache()


@pytest.fixture
def lab(tmp_path: Path) -> Path:
    for name, text in FILES.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        indent = "\n        "
        path.write_text(text.replace(indent, "\n").strip() + "\n")
    return tmp_path


def closure(step: str, plugins: Sequence[str] = (), root: Path | None = None) -> tuple[str, ...]:
    return fingerprints.closure(step, frozenset(plugins), fingerprints._root(root))


def train(root: Path, *plugins: str) -> str:
    clear_cache()
    return fingerprint("lab.steps.train", plugins, root)


def edit(root: Path, name: str, old: str, new: str) -> None:
    path = root / name
    text = path.read_text()
    assert old in text, "the edit must change something"
    path.write_text(text.replace(old, new))


def test_closure_holds_what_an_import_would_run_and_no_more(lab: Path) -> None:
    assert closure("lab.steps.train", root=lab) == TRAIN
    assert closure("lab.steps.draw", root=lab) == ("lab", "lab.core", "lab.steps", "lab.steps.draw")


def test_closure_is_what_python_really_imports(lab: Path) -> None:
    code = (
        "import sys, lab.steps.train as step; step.main()\n"
        "print(*sorted(m for m in sys.modules if m.split('.')[0] == 'lab'))"
    )
    seen = subprocess.run([sys.executable, "-c", code], cwd=lab, capture_output=True, text=True, check=True)
    assert tuple(seen.stdout.split()) == closure("lab.steps.train", root=lab)


@pytest.mark.parametrize(
    "name, old, new",
    [
        pytest.param("lab/steps/train.py", "VALUE)", "VALUE + 1)", id="the step"),
        pytest.param("lab/deep.py", "core.double(core.double(x))", "core.double(x)", id="an imported module"),
        pytest.param("lab/core.py", "SCALE = 2.0", "SCALE = 2.5", id="a transitive import"),
        pytest.param("lab/core.py", "SCALE = 2.0", "SCALE = 2", id="a float made an int"),
        pytest.param("lab/lazy.py", "3", "4", id="an import inside a function"),
        pytest.param("lab/worlds/__init__.py", "return importlib", "return 1 and importlib", id="a package"),
        pytest.param("lab/__init__.py", "__version__", "LIMIT = 5\n__version__", id="the top package"),
        pytest.param("lab/core.py", "import json", "import json\nfrom lab import other", id="a new import"),
        pytest.param("lab/core.py", "SCALE * x", "'''twice''' and SCALE * x", id="a string that is code"),
        pytest.param("lab/worlds/page.js", "draw", "drawn", id="a script beside a package"),
    ],
)
def test_edits_that_can_change_the_result_change_the_fingerprint(
    lab: Path, name: str, old: str, new: str
) -> None:
    before = train(lab)
    edit(lab, name, old, new)
    assert train(lab) != before


@pytest.mark.parametrize(
    "name, old, new",
    [
        pytest.param("lab/core.py", "# exactly", "# as every year", id="a comment"),
        pytest.param("lab/core.py", "Twice x.", "Two times x.", id="a docstring of a function"),
        pytest.param("lab/core.py", "'''Core.'''", "", id="a docstring of a module, removed"),
        pytest.param("lab/core.py", "SCALE * x", "(SCALE\n            * x)", id="layout"),
        pytest.param("lab/core.py", "\n", "\r\n", id="line ends"),
        pytest.param("lab/other.py", "4", "5", id="a module that is not imported"),
        pytest.param("lab/worlds/flat.py", "2", "5", id="a world that is not this cell's"),
        pytest.param("lab/extra.py", "1", "5", id="an import for type checkers"),
        pytest.param("lab/__init__.py", "1.0", "2.0", id="the version"),
        pytest.param("lab/__init__.py", '{"surplus": "lab.extra"}', "{}", id="lazy exports for users"),
        pytest.param("lab/__init__.py", "    from lab.extra", "    from lab.other", id="their types"),
    ],
)
def test_edits_that_cannot_change_the_result_leave_the_fingerprint(
    lab: Path, name: str, old: str, new: str
) -> None:
    before = train(lab)
    edit(lab, name, old, new)
    assert train(lab) == before


def test_new_import_brings_the_new_module_in(lab: Path) -> None:
    edit(lab, "lab/core.py", "import json", "import json\nfrom lab import other")
    before = train(lab)
    assert "lab.other" in closure("lab.steps.train", root=lab)
    edit(lab, "lab/other.py", "4", "5")
    assert train(lab) != before


def test_touched_file_leaves_the_fingerprint(lab: Path) -> None:
    before = train(lab)
    os.utime(lab / "lab/core.py", (1, 1))
    assert train(lab) == before


def test_edit_that_keeps_time_and_size_changes_the_fingerprint(lab: Path) -> None:
    before, path = train(lab), lab / "lab/core.py"
    stat = path.stat()
    edit(lab, "lab/core.py", "2.0", "3.0")
    os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    assert (path.stat().st_mtime_ns, path.stat().st_size) == (stat.st_mtime_ns, stat.st_size)
    assert train(lab) != before


def test_moved_checkout_leaves_the_fingerprint(lab: Path, tmp_path: Path) -> None:
    before = train(lab)
    moved = tmp_path / "elsewhere" / "deeper"
    shutil.copytree(lab / "lab", moved / "lab")
    assert train(moved) == before


def test_renamed_module_changes_the_fingerprint(lab: Path) -> None:
    before = train(lab)
    (lab / "lab/lazy.py").rename(lab / "lab/late.py")
    edit(lab, "lab/steps/train.py", "lab.lazy", "lab.late")
    assert train(lab) != before


def test_plugins_join_their_own_closure(lab: Path) -> None:
    flat, round_ = train(lab, "lab.worlds.flat"), train(lab, "lab.worlds.round")
    assert len({train(lab), flat, round_}) == 3
    assert set(closure("lab.steps.train", ["lab.worlds.round"], lab)) == {
        *TRAIN,
        "lab.worlds.base",
        "lab.worlds.round",
    }
    edit(lab, "lab/worlds/flat.py", "2", "5")
    assert train(lab, "lab.worlds.flat") != flat
    assert train(lab, "lab.worlds.round") == round_
    edit(lab, "lab/worlds/base.py", "1", "5")
    assert train(lab, "lab.worlds.round") != round_


def test_order_and_repetition_of_plugins_do_not_matter(lab: Path) -> None:
    flat, round_ = "lab.worlds.flat", "lab.worlds.round"
    assert train(lab, flat, round_) == train(lab, round_, flat, round_)


def test_each_file_is_read_once_per_process(lab: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    read, real = [], Path.read_bytes
    monkeypatch.setattr(Path, "read_bytes", lambda self: read.append(self) or real(self))
    clear_cache()
    for _ in range(3):
        fingerprint("lab.steps.train", ["lab.worlds.flat"], lab)
        fingerprint("lab.steps.train", ["lab.worlds.round"], lab)
        fingerprint("lab.steps.draw", (), lab)
    assert len(read) == len(set(read)) > len(TRAIN)


def test_other_distributions_in_the_same_folder_are_not_first_party(lab: Path) -> None:
    """As in site-packages: what lies beside the package is somebody else's."""
    (lab / "json").mkdir()
    (lab / "json/__init__.py").write_text("1")
    assert closure("lab.steps.train", root=lab) == TRAIN


@pytest.mark.parametrize(
    "text, message",
    [
        ("import lab.nowhere", r"'lab\.nowhere' must be one of: .*lab\.core.*lab\.core, line 1"),
        ("\nfrom lab.lazy import NOTHING", r"'NOTHING' is not defined in lab\.lazy .*line 2"),
        ("from lab import surplus", r"'surplus' is not defined in lab .*module that defines it"),
        ("from ... import lab", r"above the top package \(lab\.core, line 1\)"),
        ("def broken(:", r"lab/core\.py cannot be parsed: .*line 1"),
    ],
)
def test_code_that_cannot_be_followed_is_one_clear_error(lab: Path, text: str, message: str) -> None:
    (lab / "lab/core.py").write_text(text)
    with pytest.raises(FingerprintError, match=message):
        fingerprint("lab.steps.train", root=lab)


@pytest.mark.parametrize("step, plugins", [("lab.steps.nap", []), ("lab.steps.train", ["lab.worlds.cube"])])
def test_unknown_module_names_what_there_is(lab: Path, step: str, plugins: list[str]) -> None:
    known = r"must be one of: (lab\.steps\.draw|lab\.worlds\.base), "
    with pytest.raises(MaestrataError, match=known) as caught:
        fingerprint(step, plugins, lab)
    assert (plugins or [step])[0] in str(caught.value)


@pytest.mark.parametrize("name", ["../lab/core", "lab/core", "", "lab..core", "lab.core "])
def test_what_is_not_a_module_name_is_refused(lab: Path, name: str) -> None:
    with pytest.raises(FingerprintError, match="must be one of"):
        fingerprint(name, root=lab)


def test_the_library_itself_can_be_fingerprinted() -> None:
    """By default the packages that this process runs, whose own errors module is in every closure."""
    modules = closure("maestrata.run.fingerprint")
    below = ("maestrata.errors", "maestrata.modules")  # of the package itself
    own = ("maestrata.run.fingerprint", "maestrata.run.source")
    assert modules == ("maestrata", *below, "maestrata.run", *own)
    assert len(fingerprint("maestrata.run.fingerprint")) == 16
