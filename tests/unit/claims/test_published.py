"""Claims that read a run give every number of the published verdicts again (claim 1 reads none)."""

from __future__ import annotations

from dataclasses import replace

import pytest
from same_verdicts import main

from maestrata.claims import registry

READ = [name for name in registry.available() if registry.load(name).NEEDS]


@pytest.mark.parametrize("run", ["evening", "full"])
def test_published_verdicts(run, capsys):
    assert main(["--runs", run, "--claims", *READ]) == 0, capsys.readouterr().out
    assert "All numbers are equal" in capsys.readouterr().out


def test_what_differs_is_told(monkeypatch, capsys):
    claim = registry.load("c06_masking_ratio")
    moved = replace(claim.SECONDARY[1], threshold=0.001)
    monkeypatch.setattr(claim, "SECONDARY", (moved, *claim.SECONDARY[2:]))
    assert main(["--runs", "full", "--claims", "c06_masking_ratio"]) == 1
    told = capsys.readouterr().out
    assert "| no: 2 differ |" in told
    assert "claim 6: tests of one side only: level below the root: peak over .1" in told
    assert "threshold of 'level below the root: peak over .9': 0.001 where 0.0 was published" in told
