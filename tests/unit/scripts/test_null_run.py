"""The end-to-end null says what is supported on nothing; made-up cubes stand for its run."""

from __future__ import annotations

from pathlib import Path

import null_run
import numpy as np
import pytest

from maestrata.claims.rule import MIN_WORLDS
from maestrata.config.grid import build_cells
from maestrata.config.load import load_config
from maestrata.cubes.io import build, write_cube

ARMS = ("standard", "no_border", "no_random")


def made(folder: Path, gain: float, progress: float, label: str = "nothing") -> Path:
    """Write a run with one experiment, in which a loss gains so much at the root."""
    shape = (1, 12, 1, len(ARMS), 2, 3)
    value = np.full(shape, np.nan)
    noise = np.random.default_rng(0).normal(0, 0.01, (12, len(ARMS), 2))
    value[0, :, 0, :, 0, 1:] = 0.5 + noise
    value[0, :, 0, 1, 0, 2] += gain
    value[0, :, 0, :, 1, 0] = progress
    axes = {"world": [label], "world_seed": range(100, 112), "seed": [0]}
    axes |= {"arm": [f"2x1/{arm}" for arm in ARMS], "quantity": ["r2", "progress"], "level": [0, 1, 2]}
    data = dict.fromkeys(("value", "low", "high"), value) | {
        "n": np.ones(shape),
        "setting": np.ones(len(ARMS)),
    }
    path = folder / "cubes" / "experiments" / "border.nc"
    path.parent.mkdir(parents=True)
    write_cube(build("experiments", axes, data, {"experiment": "border"}), path)
    return folder


@pytest.mark.parametrize(
    ("gain", "progress", "status", "told"),
    [
        (
            0.0,
            0.0,
            0,
            "loss without the border serves the root | not run | inconclusive | 0.00 |",
        ),
        # a gain of models that learnt nothing: the gate holds it back, and the statistics alone would not
        (0.1, 0.0, 1, "Supported on nothing: 16b root (without the gate), 16b tilt (without the gate)."),
        (0.1, 0.9, 1, "Supported on nothing: 16b root, 16b tilt, 16b root (without the gate)"),
    ],
)
def test_what_is_supported_on_nothing_is_told(tmp_path, capsys, gain, progress, status, told):
    assert null_run.main([str(made(tmp_path, gain, progress))]) == status
    assert told in capsys.readouterr().out


def test_a_run_of_several_worlds_is_refused(tmp_path, capsys):
    made(tmp_path, 0.0, 0.0)
    other = made(tmp_path / "other", 0.0, 0.0, "grammar")
    (other / "cubes/experiments/border.nc").rename(tmp_path / "cubes" / "more.nc")
    with pytest.raises(SystemExit):
        null_run.main([str(tmp_path)])
    assert "hold 2 kinds of worlds; allowed: one" in capsys.readouterr().err


def test_its_config_has_one_kind_of_world_and_enough_of_them():
    config = load_config(Path(__file__).parents[3] / "config" / "null.yaml")
    cells = [planned.cell for planned in build_cells(config)]
    assert {cell.world for cell in cells} == {"nothing"} == set(config.claims.worlds.values())
    assert len({cell.world_seed for cell in cells}) >= MIN_WORLDS
    settings = config.worlds["nothing"].settings
    assert settings["symbols"] == settings["productions"]
