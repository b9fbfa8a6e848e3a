"""Claims that read a run give every number of the published verdicts again (claim 1 reads none)."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import same_verdicts

from maestrata.claims import registry
from maestrata.cubes.io import build, write_cube
from maestrata.steps import claims as step

READ = [name for name in registry.available() if registry.load(name).NEEDS]


@pytest.mark.parametrize("run", same_verdicts.published())
def test_published_verdicts(run, capsys):
    assert same_verdicts.main(["--runs", run, "--claims", *READ]) == 0, capsys.readouterr().out
    assert "All numbers are equal" in capsys.readouterr().out


@pytest.fixture
def one_run(tmp_path, monkeypatch):
    """A published run: an experiment, and the verdicts on it."""
    arms = [f"{patch}/{loss}" for patch in ("1x1", "2x2") for loss in ("standard", "no_border", "no_random")]
    shape = (1, 12, 1, len(arms), 1, 2)
    value = np.random.default_rng(0).normal(0.5, 0.02, shape)
    axes = {"world": ["symbols_between"], "world_seed": range(12), "seed": [0], "arm": arms}
    axes |= {"quantity": ["r2"], "level": [1, 2]}
    data = dict.fromkeys(("value", "low", "high"), value) | {
        "n": np.ones(shape),
        "setting": np.ones(len(arms)),
    }
    folder = tmp_path / "made" / "experiments"
    folder.mkdir(parents=True)
    write_cube(build("experiments", axes, data, {"experiment": "border"}), folder / "border.nc")
    verdicts = folder.parent / "verdicts.nc"
    step.main(["--claims", "c16_b_root", "--cubes", str(folder / "border.nc"), "--output", str(verdicts)])
    monkeypatch.setattr(same_verdicts, "REFERENCE", tmp_path)


@pytest.mark.usefixtures("one_run")
def test_what_differs_is_told(monkeypatch, capsys):
    assert same_verdicts.published() == ["made"]
    assert same_verdicts.main([]) == 0
    assert (
        "| made | 16b root | A loss without the border serves the root | 4 | 48 |" in capsys.readouterr().out
    )
    claim = registry.load("c16_b_root")
    moved = replace(claim.SECONDARY[1], threshold=0.001)
    monkeypatch.setattr(claim, "SECONDARY", (moved,))
    assert same_verdicts.main(["--runs", "made"]) == 1
    told = capsys.readouterr().out
    assert "| no: 2 differ |" in told
    assert (
        "claim 16b root: tests of one side only: root: border left out minus standard loss, patches" in told
    )
    assert "0.001 where 0.0 was published" in told
