"""Stacks of a sweep: how cells are put together, trained, written and scored."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import NamedTuple

import torch

from maestrata.masks import MaskPatches
from maestrata.model.mae import MAE, MAEConfig
from maestrata.regression.cell import score_cell, score_controls
from maestrata.steps._evaluation import write_scores
from maestrata.steps._made import about, evaluation_of
from maestrata.steps._stale import Stale, controls_path, folder_of, null_path
from maestrata.steps._trained import write_run
from maestrata.steps.regress import write_reconstructions
from maestrata.training.loop import reproducible
from maestrata.training.recipe import PlannedCell
from maestrata.training.stacked import StackedTrainer, StackResult
from maestrata.training.stacks import Sweep, group, split, stack_limit
from maestrata.training.weights import load_mae, save_weights


class Stack(NamedTuple):
    """Cells that train as one model, or the control `null_trained` with their recipe and masks."""

    cells: list[PlannedCell]
    null: bool

    @property
    def images(self) -> int:
        """Images that its members see."""
        return len(self.cells) * self.cells[0].training.images

    def trainer(self, sweep: Sweep, device: torch.device) -> StackedTrainer:
        """Return what trains it."""
        cells, recipe = [one.cell for one in self.cells], self.cells[0].training
        worlds = [sweep.world(cell) for cell in cells]
        patches = MaskPatches.parse(cells[0].patch, worlds[0].grid)
        cfg, seeds = MAEConfig.of(worlds[0], sweep.model), [cell.seed for cell in cells]
        return StackedTrainer(worlds, seeds, patches, cells[0].visible, cfg, recipe, device, null=self.null)

    def __str__(self) -> str:
        more = f" and {len(self.cells) - 1} more" if len(self.cells) > 1 else ""
        return f"{'null_trained ' * self.null}{self.cells[0].cell.stem}{more}"


def stacks(
    sweep: Sweep, stale: Stale, most: int | None, device: torch.device, at_once: int
) -> Iterator[Stack]:
    """Yield the stacks of a sweep, of at most `most` members (None: `stack_limit`), controls first."""
    groups = [(cells, True) for cells in group(stale.controls())]
    groups += [(cells, False) for cells in group(sweep.cells)]
    for planned, null in groups:
        first, recipe = planned[0].cell, planned[0].training
        world = sweep.world(first)
        patches, cfg = MaskPatches.parse(first.patch, world.grid), MAEConfig.of(world, sweep.model)
        limit = most or max(1, stack_limit(cfg, patches, first.visible, recipe.batch, device) // at_once)
        yield from (Stack(members, null) for members in split(planned, limit))


def train(sweep: Sweep, stack: Stack, name: str) -> float:
    """Train a stack on the CPU, write it, and return the seconds that it took; a worker's task."""
    started = time.monotonic()
    with reproducible("cpu"):
        save(sweep, stack, stack.trainer(sweep, torch.device("cpu")).run(), name)
    return time.monotonic() - started


def save(sweep: Sweep, stack: Stack, result: StackResult, device: str) -> None:
    """Write the weights of every member of a stack, and the history of a cell."""
    model = MAE(MAEConfig.of(sweep.world(stack.cells[0].cell), sweep.model))
    weights = {name: tensor.cpu() for name, tensor in result.weights.items()}
    for k, one in enumerate(stack.cells):
        model.load_state_dict({name: tensor[k] for name, tensor in weights.items()})
        if stack.null:
            save_weights(model, null_path(sweep, one.cell), about(sweep, one, "controls", device))
            continue
        folder = folder_of(sweep, one.cell)
        files = (folder / "weights.safetensors", folder / "history.nc")
        write_run(model, result.losses[:, k], one.training, *files, about(sweep, one, "pretrain", device))


def score(sweep: Sweep, planned: PlannedCell, device: str, name: str) -> None:
    """Score a trained cell; a worker's task."""
    torch.set_num_threads(1)
    cell = planned.cell
    folder, said = folder_of(sweep, cell), about(sweep, planned, "regress", name)
    world = sweep.world(cell)
    patches = MaskPatches.parse(cell.patch, world.grid)
    model = load_mae(folder / "weights.safetensors")
    book = score_cell(model, world, patches, cell.visible, cell.seed, evaluation_of(sweep, cell), device)
    write_reconstructions(model, world, patches, cell.visible, folder / "reconstructions.nc", said)
    write_scores(book, folder / "scores.nc", said)


def score_shared(sweep: Sweep, planned: PlannedCell, device: str, name: str) -> None:
    """Score the controls of a (world, world seed, seed), given by its plainest cell; a worker's task."""
    torch.set_num_threads(1)
    cell = planned.cell
    world = sweep.world(cell)
    cfg = MAEConfig.of(world, sweep.model)
    weights = null_path(sweep, cell)
    null = load_mae(weights)
    book = score_controls(cfg, world, cell.seed, evaluation_of(sweep, cell), device, null=null)
    write_scores(book, controls_path(sweep, cell), about(sweep, planned, "controls", name))
    weights.unlink()
