"""What steps do when the machine fails them: one clear line, nothing half-written, nothing finished lost."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from maestrata.errors import CubeError
from maestrata.steps import collect, worlds

SRC = Path(__file__).parents[3] / "src"
WORLD = ("--world-kind", "additive_tree", "--world-settings", '{"leaves": 4}')
CELL = (*WORLD, "--patch", "1x1", "--visible", "2", "--seed", "0")


def failed(module: str, *arguments: object) -> str:
    """Run a step that must fail, and return the line that says why."""
    env = os.environ | {"PYTHONPATH": str(SRC)}
    command = [sys.executable, "-m", f"maestrata.steps.{module}", *map(str, arguments)]
    done = subprocess.run(command, env=env, capture_output=True, text=True, timeout=300)
    assert done.returncode == 2, done.stderr
    assert "Traceback" not in done.stderr
    last = done.stderr.splitlines()[-1]
    assert last.startswith(f"maestrata {module}: error: ")
    return last


def mounted(folder: Path, options: str) -> Iterator[Path]:
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(folder)]
    try:
        mount = subprocess.run(command, capture_output=True, text=True)
    except FileNotFoundError:
        pytest.skip("there is no mount on this machine")
    if mount.returncode:
        pytest.skip(f"a small file system cannot be mounted here: {mount.stderr.strip()}")
    try:
        yield folder
    finally:
        subprocess.run(["umount", str(folder)], check=True)


@pytest.fixture
def full_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk with room for 16 kB."""
    yield from mounted(tmp_path / "full", "size=16k")


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk with room for a history of 30 kB, and not for the weights of 60 kB beside it."""
    yield from mounted(tmp_path / "small", "size=64k")


@pytest.fixture
def read_only(tmp_path: Path) -> Iterator[Path]:
    """A file system that nobody can write."""
    yield from mounted(tmp_path / "read_only", "ro,size=16k")


def test_a_full_disk_ends_a_cube_clearly(full_disk: Path) -> None:
    said = failed("worlds", *WORLD, "--output", full_disk / "w0.nc")
    assert f"{full_disk}/w0.nc: cannot be written" in said
    assert "0 MB free" in said
    assert list(full_disk.iterdir()) == []


def test_a_full_disk_ends_weights_clearly(small_disk: Path) -> None:
    training = ("--images", "32", "--batch", "32", "--width", "32", "--decoder-width", "32", "--heads", "1")
    files = ("--weights", small_disk / "weights.safetensors", "--history", small_disk / "history.nc")
    said = failed("pretrain", *CELL, *training, "--decoder-heads", "1", *files)
    assert f"weights cannot be written to {small_disk}/weights.safetensors: No space left" in said
    assert [path.name for path in small_disk.iterdir()] == ["history.nc"]


def test_a_read_only_folder_ends_a_step_clearly(read_only: Path) -> None:
    said = failed("worlds", *WORLD, "--output", read_only / "w0.nc")
    assert f"{read_only}/w0.nc: cannot be written" in said


def test_a_file_in_place_of_a_folder_ends_a_step_clearly(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(CubeError, match=r"file/w0\.nc: cannot be written"):
        worlds.main([*WORLD, "--output", str(tmp_path / "file" / "w0.nc")])


@pytest.fixture
def cube(tmp_path: Path) -> Path:
    path = tmp_path / "w0.nc"
    worlds.main([*WORLD, "--output", str(path)])
    return path


def test_a_truncated_part_leaves_the_cube_as_it_was(tmp_path: Path) -> None:
    part = tmp_path / "w0.nc"
    part.write_bytes(b"\x89HDF\r\n\x1a\n" + bytes(1000))
    old = tmp_path / "theory.nc"
    old.write_bytes(b"what was there")
    cell = {"world": "a", "world_seed": 0, "seed": 0, "patch": "1x1", "visible": 2, "mask_ratio": [0.5]}
    manifest = {"paths": {"theory": str(part)}, "cells": [cell | {"realised_ratio": 0.5, "images": 1}]}
    with pytest.raises(CubeError, match=r"w0\.nc: cannot be read as NetCDF-4 \(truncated"):
        collect.main(["--kind", "theory", "--manifest", json.dumps(manifest), "--output", str(old)])
    assert old.read_bytes() == b"what was there"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["theory.nc", "w0.nc"]


def test_a_truncated_cube_ends_a_figure_clearly(cube: Path) -> None:
    cube.write_bytes(cube.read_bytes()[:-2000])
    output = cube.with_name("world.png")
    said = failed("figure", "world", "--cubes", cube, "--output", output)
    assert f"{cube}: cannot be read" in said
    assert not output.exists()


def test_truncated_weights_end_a_reading_clearly(tmp_path: Path) -> None:
    weights = tmp_path / "weights.safetensors"
    weights.write_bytes((400).to_bytes(8, "little") + b'{"__metadata__": {}')
    outputs = ("--scores", tmp_path / "scores.nc", "--reconstructions", tmp_path / "reconstructions.nc")
    said = failed("regress", *CELL, "--weights", weights, *outputs)
    assert f"{weights} does not hold the weights of a model" in said
    assert [path.name for path in tmp_path.iterdir()] == ["weights.safetensors"]
