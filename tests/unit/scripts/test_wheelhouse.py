"""Collecting wheels for a machine without a network: what it has already, and whose needs count."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from packaging.requirements import Requirement

import wheelhouse


@pytest.mark.parametrize(
    "text",
    [
        "torch==2.11.0+cu130\nPyYAML==6.0\nnumpy\n-e git+x#egg=own\nlocal @ file:///x\n",
        "Package Version\n------- -------\ntorch   2.11.0+cu130\nPyYAML  6.0\nnumpy\nlocal\n",
        "torch==2.11.0+cu130,PyYAML==6.0 numpy, local",
    ],
    ids=["pip freeze", "pip list", "names"],
)
def test_list_of_what_the_target_has(text: str, tmp_path: Path) -> None:
    if "\n" in text:
        (tmp_path / "list.txt").write_text(text)
        text = str(tmp_path / "list.txt")
    expected = {"torch": "2.11.0+cu130", "pyyaml": "6.0", "numpy": "", "local": ""}
    assert wheelhouse.read_skip(text) == expected


def test_list_that_is_not_there_is_an_error() -> None:
    with pytest.raises(wheelhouse.WheelhouseError, match=r"there\.txt is neither a file nor a list"):
        wheelhouse.read_skip("there.txt")


Capture = pytest.CaptureFixture[str]
INDEX = {
    ("alpha", "1.0"): (
        "beta>=2; python_version >= '3.12'",
        "old>=3; python_version < '3.12'",
        "more>=1; extra == 'reports'",
        "rare; extra == 'x'",
    ),
    ("more", "1.0"): (),
    ("beta", "2.0"): ("free>=1",),
    ("free", "1"): (),
    ("extra", "1.0"): (),
    ("torch", "2.13.0"): ("free", "nvidia-thing==1"),
    ("nvidia_thing", "1"): (),
}


@pytest.fixture
def index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, make_wheel: Callable[..., Path]) -> Path:
    """A lock of three packages; fetching makes the wheel instead of asking an index."""

    def fetch(wanted: list[str], folder: Path, version: tuple[int, int]) -> None:
        for need in map(Requirement, wanted):
            name = need.name.replace("-", "_")
            number = next(v for n, v in INDEX if n == name and need.specifier.contains(v))
            make_wheel(folder, name, number, *INDEX[name, number])

    monkeypatch.setattr(wheelhouse, "fetch", fetch)
    monkeypatch.setattr(wheelhouse, "ROOT", tmp_path)
    (tmp_path / "requirements.lock").write_text("alpha==1.0\nextra==1.0\nbeta==2.0\ntorch==2.13.0\n")
    (tmp_path / "pyproject.toml").write_text('[project]\ndependencies = ["alpha[reports]", "torch>=2.9"]\n')
    folder = tmp_path / "wheelhouse"
    folder.mkdir()
    return folder


def names(folder: Path) -> set[str]:
    return {path.name.split("-")[0] for path in folder.iterdir()}


def test_holds_the_lock_and_what_it_needs_on_the_target(index: Path) -> None:
    wheelhouse.collect(index, (3, 12), {})
    assert names(index) == {"alpha", "beta", "extra", "torch", "free", "more", "nvidia_thing"}


def test_leaves_out_what_the_target_has(index: Path) -> None:
    wheelhouse.collect(index, (3, 12), {"torch": "2.11.0+cu130", "beta": "", "free": "1"})
    assert names(index) == {"alpha", "extra", "more"}


def test_takes_what_the_target_has_too_old(index: Path, capsys: Capture) -> None:
    wheelhouse.collect(index, (3, 12), {"torch": "2.11.0", "beta": "1.9"})
    assert names(index) == {"alpha", "beta", "extra", "free", "more"}
    assert "beta 1.9 of the target does not do, beta>=2" in capsys.readouterr().out


def test_never_replaces_a_torch(index: Path) -> None:
    message = r"torch 2\.8\.0 of the target does not do, torch>=2\.9 is needed"
    with pytest.raises(wheelhouse.WheelhouseError, match=message):
        wheelhouse.collect(index, (3, 12), {"torch": "2.8.0"})


def test_drops_the_leavings_of_an_earlier_one(index: Path, make_wheel: Callable[..., Path]) -> None:
    """Wheels of another version or Python would be taken; other people's wheels are not ours to delete."""
    old = make_wheel(index, "alpha", "0.9")
    foreign = make_wheel(index, "extra", "1.0", tag="cp311-cp311-any")
    other = make_wheel(index, "mine", "1.0")
    wheelhouse.collect(index, (3, 12), {"torch": ""})
    assert not old.exists() and not foreign.exists() and other.exists()
