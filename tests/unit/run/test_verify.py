"""Comparing what files say made them with the code at hand."""

from __future__ import annotations

import json
import struct
from pathlib import Path

import netCDF4
import numpy as np
import pytest
from matplotlib.figure import Figure

from maestrata.cubes.io import build, open_cube, write_cube
from maestrata.errors import CubeError, TrainingError
from maestrata.figures.save import save
from maestrata.figures.style import Style
from maestrata.model.mae import MAE, MAEConfig
from maestrata.run.record import damage, recorded
from maestrata.training.weights import load_mae, save_weights


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
    for suffix in (".png", ".pdf"):
        save(figure, tmp_path / f"a{suffix}", Style(), "abc123")
        save(figure, tmp_path / f"b{suffix}", Style())
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
    with pytest.raises(TrainingError, match="truncated"):
        recorded(path)
    assert "truncated" in (damage(path) or "")


def flipped(path: Path, at: int) -> Path:
    """Copy a file with one bit changed."""
    data = bytearray(path.read_bytes())
    data[at] ^= 1
    other = path.with_name(f"flipped{path.suffix}")
    other.write_bytes(data)
    return other


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A sound file of each kind that has a checksum."""
    folder = tmp_path_factory.mktemp("whole")
    data = {"loss": np.arange(64.0), "learning_rate": np.arange(64.0), "images_seen": np.arange(64)}
    said = {"config": "{}", "fingerprint": "0123456789abcdef"}
    write_cube(build("history", {"step": np.arange(64)}, data), folder / "a.nc", provenance=said)
    save_weights(MAE(MAEConfig(2, 2, 4, width=8, decoder_width=8)), folder / "a.safetensors", said)
    Figure().savefig(folder / "a.png", metadata={"fingerprint": "0123456789abcdef"})
    return {path.suffix: path for path in folder.iterdir()}


@pytest.mark.parametrize("suffix", [".nc", ".safetensors", ".png"])
def test_no_byte_that_matters_can_change_unnoticed(whole: dict[str, Path], suffix: str) -> None:
    path = whole[suffix]
    assert damage(path) is None
    places = np.random.default_rng(0).integers(path.stat().st_size, size=150).tolist()
    unnoticed = [at for at in places if damage(flipped(path, at)) is None]
    # white space in the JSON of weights is all that a bit can change for nothing
    assert not unnoticed or (suffix == ".safetensors" and len(unnoticed) < 3)


@pytest.mark.parametrize("suffix", [".nc", ".safetensors", ".png"])
def test_a_truncated_file_is_named(whole: dict[str, Path], suffix: str, tmp_path: Path) -> None:
    path = tmp_path / f"a{suffix}"
    path.write_bytes(whole[suffix].read_bytes()[: whole[suffix].stat().st_size * 2 // 3])
    assert (damage(path) or "").startswith("cannot be read")
    assert (damage(path, whole=False) or "").startswith("cannot be read")


def test_a_model_whose_weights_have_changed_is_not_loaded(whole: dict[str, Path]) -> None:
    path = whole[".safetensors"]
    assert load_mae(path)
    with pytest.raises(TrainingError, match="bytes have changed since it was written"):
        load_mae(flipped(path, path.stat().st_size - 5))


def test_a_cube_whose_bytes_have_changed_is_not_opened(whole: dict[str, Path]) -> None:
    path = whole[".nc"]
    for at in (-1, -40, -100, path.stat().st_size // 2):
        with pytest.raises(CubeError, match="bytes have changed since it was written"):
            open_cube(flipped(path, at))


def test_what_has_no_checksum_is_seen_to_be_complete(tmp_path: Path) -> None:
    Figure().savefig(tmp_path / "a.pdf")
    assert damage(tmp_path / "a.pdf") is None
    (tmp_path / "a.pdf").write_bytes((tmp_path / "a.pdf").read_bytes()[:-50])
    assert damage(tmp_path / "a.pdf") == "cannot be read (truncated, or not a PDF file)"
    (tmp_path / "a.md").write_bytes(b"\xff\xfe")
    assert damage(tmp_path / "a.md")


def test_published_cubes_which_have_no_seal_are_read() -> None:
    assert damage(Path(__file__).parents[3] / "reference/default/theory.nc") is None
