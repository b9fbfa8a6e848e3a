"""Wheels of straw, to install and collect in place of real ones."""

from __future__ import annotations

import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest


@pytest.fixture
def make_wheel() -> Callable[..., Path]:
    """Return a function that writes a wheel: folder, name, version, *requires, tag=, files=."""
    return _make_wheel


def _make_wheel(
    folder: Path,
    name: str,
    version: str,
    *requires: str,
    tag: str = "py3-none-any",
    files: dict[str, str] | None = None,
) -> Path:
    folder.mkdir(exist_ok=True)
    path, info = folder / f"{name}-{version}-{tag}.whl", f"{name}-{version}.dist-info"
    metadata = ["Metadata-Version: 2.1", f"Name: {name}", f"Version: {version}"]
    metadata += [f"Requires-Dist: {need}" for need in requires]
    with zipfile.ZipFile(path, "w") as archive:
        for inside, text in (files or {f"{name}.py": ""}).items():
            archive.writestr(inside, text)
        archive.writestr(f"{info}/METADATA", "\n".join(metadata) + "\n")
        archive.writestr(f"{info}/WHEEL", f"Wheel-Version: 1.0\nTag: {tag}\n")
        archive.writestr(f"{info}/RECORD", "")
    return path
