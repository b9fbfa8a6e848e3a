"""Comparing what files say made them with the code at hand."""

from __future__ import annotations

import json
import struct
from pathlib import Path

import netCDF4
import pytest
from matplotlib.figure import Figure

from maestrata.run.verify import recorded


def cube(path: Path, **attrs: str) -> Path:
    with netCDF4.Dataset(path, "w") as file:
        file.setncatts(attrs)
    return path


def weights(path: Path, metadata: dict[str, str]) -> Path:
    header = json.dumps({"__metadata__": {"maestrata": json.dumps(metadata)}}).encode()
    path.write_bytes(struct.pack("<Q", len(header)) + header)
    return path


def test_fingerprints_are_read_from_cubes_and_weights(tmp_path: Path) -> None:
    assert recorded(cube(tmp_path / "a.nc", fingerprint="abc")) == "abc"
    assert recorded(cube(tmp_path / "b.nc")) is None
    assert recorded(weights(tmp_path / "a.safetensors", {"fingerprint": "abc"})) == "abc"
    assert recorded(weights(tmp_path / "b.safetensors", {})) is None


def test_fingerprints_are_read_from_figures(tmp_path: Path) -> None:
    figure = Figure()
    for suffix, key in ((".png", "fingerprint"), (".pdf", "Keywords")):
        figure.savefig(tmp_path / f"a{suffix}", metadata={key: "abc123"})
        figure.savefig(tmp_path / f"b{suffix}")
        assert recorded(tmp_path / f"a{suffix}") == "abc123"
        assert recorded(tmp_path / f"b{suffix}") is None


def test_fingerprints_are_read_from_tables(tmp_path: Path) -> None:
    path = tmp_path / "verdicts.md"
    path.write_text("| claim |\n\nfingerprint: 0123456789abcdef\n")
    assert recorded(path) == "0123456789abcdef"
    path.write_text("| claim |\n")
    assert recorded(path) is None


def test_a_truncated_file_is_no_crash(tmp_path: Path) -> None:
    path = weights(tmp_path / "a.safetensors", {"fingerprint": "abc"})
    path.write_bytes(path.read_bytes()[:5])
    with pytest.raises(struct.error):
        recorded(path)
