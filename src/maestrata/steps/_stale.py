"""Where the files of a sweep are, and which of them are to be made."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from maestrata.cells import Cell
from maestrata.steps._made import differences, values_of
from maestrata.training.recipe import PlannedCell, plainest
from maestrata.training.stacks import Sweep


def folder_of(sweep: Sweep, cell: Cell) -> Path:
    """Where the files of a cell are."""
    return sweep.root / "cells" / cell.stem


def controls_path(sweep: Sweep, cell: Cell) -> Path:
    """Where the controls of a cell are."""
    return sweep.root / "controls" / cell.world / f"w{cell.world_seed}" / f"s{cell.seed}.nc"


def null_path(sweep: Sweep, cell: Cell) -> Path:
    """Where the weights of `null_trained` are, until it is scored."""
    return controls_path(sweep, cell).with_suffix(".safetensors")


class Stale:
    """Which files are not there, or would be made otherwise now: a value, a seed or the code changed."""

    def __init__(self, sweep: Sweep) -> None:
        self._sweep = sweep

    def weights(self, planned: PlannedCell) -> bool:
        """Whether a cell is to be trained."""
        return self._is(folder_of(self._sweep, planned.cell) / "weights.safetensors", planned, "pretrain")

    def scores(self, planned: PlannedCell) -> bool:
        """Whether a cell that is trained is to be scored."""
        folder = folder_of(self._sweep, planned.cell)
        path, weights = folder / "scores.nc", folder / "weights.safetensors"
        older = path.is_file() and path.stat().st_mtime_ns < weights.stat().st_mtime_ns
        return older or self._is(path, planned, "regress")

    def controls(self) -> list[PlannedCell]:
        """One cell for each file of controls that is to be made."""
        sharing: dict[Path, list[PlannedCell]] = {}
        for planned in self._sweep.cells:
            sharing.setdefault(controls_path(self._sweep, planned.cell), []).append(planned)
        each = ((path, self._plainest(cells)) for path, cells in sharing.items())
        return [planned for path, planned in each if self._is(path, planned, "controls")]

    def _plainest(self, cells: Sequence[PlannedCell]) -> PlannedCell:
        return plainest(cells, self._sweep.world(cells[0].cell).grid.n_tokens)

    def _is(self, path: Path, planned: PlannedCell, rule: str) -> bool:
        code = self._sweep.code[planned.cell.world]
        codes = [code[rule], *([code["stack"]] if rule == "pretrain" else [])]
        why = differences(path, values_of(self._sweep, planned, rule), codes)
        if why is not None and path.is_file():
            print(f"{path} is made again: {why}", flush=True)
        return why is not None
