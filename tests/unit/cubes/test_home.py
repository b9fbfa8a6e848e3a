"""A path that begins with ``~`` is in the home folder."""

from __future__ import annotations

from pathlib import Path

import pytest

from maestrata.cubes.io import build, open_cube, write_cube
from maestrata.errors import CubeError


def test_a_cube_in_the_home_folder_is_opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    data = {"loss": [3.0, 2.0], "learning_rate": [0.1, 0], "images_seen": [256, 512]}
    write_cube(
        build("history", {"step": [1, 2]}, data), tmp_path / "history.nc", provenance={"config": "..."}
    )
    assert open_cube("~/history.nc").loss.values.tolist() == [3.0, 2.0]
    with pytest.raises(CubeError, match=rf"{tmp_path}/no.nc: no such file"):
        open_cube("~/no.nc")
