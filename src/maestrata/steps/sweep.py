"""Train and evaluate a whole sweep on one machine, stack by stack: a GPU, and no workflow engine.

    maestrata plan config/full.yaml > plan.json                     # where the config's libraries are
    python -m maestrata.steps.sweep --plan plan.json --minutes 9    # at the GPU; again until it says done

Cells that differ in world seed and seed alone train as one stacked model. On a GPU some stacks train side by
side, and worker processes score those that are finished with the same probes as the workflow; on a CPU the
worker processes do both, a stack each. Each cell's files stand where the workflow puts them, so that
`snakemake` afterwards only collects them. A call does whole stacks, begins none that would outlast
``--minutes``, and skips the cells that are done: call it again to go on.

Every file records the values, seeds and code that it was made with. One that the plan would make otherwise
now, since a value or the code changed, is made again, and said so.
"""

from __future__ import annotations

import json
import multiprocessing
import os
import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor
from concurrent.futures import wait as wait_for
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import NamedTuple

import torch

from maestrata.errors import TrainingError
from maestrata.masks import MaskPatches
from maestrata.model.mae import MAE, MAEConfig
from maestrata.regression.cell import score_cell, score_controls
from maestrata.steps._evaluation import write_scores
from maestrata.steps._machine import find_device
from maestrata.steps._made import about, evaluation_of
from maestrata.steps._run import Parser, run
from maestrata.steps._stale import Stale, controls_path, folder_of, null_path
from maestrata.steps._time_left import TimeLeft
from maestrata.steps._trained import write_run
from maestrata.steps.regress import write_reconstructions
from maestrata.training.loop import reproducible
from maestrata.training.recipe import PlannedCell
from maestrata.training.stacked import StackedTrainer, StackResult
from maestrata.training.stacks import Sweep, group, split, stack_limit
from maestrata.training.together import train_together
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


def train(sweep: Sweep, stack: Stack, name: str) -> float:
    """Train a stack on the CPU, write it, and return the seconds that it took; a worker's task."""
    started = time.monotonic()
    with reproducible("cpu"):
        save(sweep, stack, stack.trainer(sweep, torch.device("cpu")).run(), name)
    return time.monotonic() - started


def main(argv: Sequence[str] | None = None) -> None:
    """Carry out a plan, as far as the time given allows."""
    parser = Parser(__doc__)
    parser.add_argument("--plan", type=Path, required=True, help="JSON, as `maestrata plan CONFIG` writes it")
    parser.add_argument(
        "--minutes", type=float, default=float("inf"), help="begin no stack that would end later"
    )
    parser.add_argument(
        "--stack",
        type=int,
        default=None,
        help="members in a stack (default: the plan's, or what memory holds)",
    )
    parser.add_argument(
        "--workers",
        type=int,
        default=None,
        help="processes that score, and on a CPU train (default: one a core, one less beside a GPU)",
    )
    parser.add_argument(
        "--at-once",
        type=int,
        default=None,
        help="stacks that train side by side (default: 6 on a GPU, else one a worker)",
    )
    parser.add_argument("--device", default="auto", help="where models are trained: cpu, cuda or auto")
    parser.add_argument(
        "--score-on", default="cpu", help="where the evaluation encodes images: cpu, cuda or auto"
    )
    args = parser.parse_args(argv)

    # read when CUDA starts: later it is ignored, and sums may be taken in another order from run to run
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    started = time.monotonic()
    device, score_on = torch.device(find_device(args.device)), find_device(args.score_on)
    for flag in ("stack", "at_once", "workers"):
        if (count := getattr(args, flag)) is not None and count < 1:
            raise TrainingError(f"--{flag.replace('_', '-')}: {count} must be at least 1")
    sweep = Sweep.read(args.plan)
    on_gpu = device.type == "cuda"
    name = torch.cuda.get_device_name(device) if on_gpu else "cpu"
    workers = args.workers or max(1, (os.cpu_count() or 1) - on_gpu)
    at_once = args.at_once or (6 if on_gpu else workers)
    left, trained, time_left = 0, 0, TimeLeft(args.minutes, at_once)
    tasks: list[Future[None]] = []
    stale = Stale(sweep)
    with _pool(workers) as pool:

        def submit(stack: Stack) -> None:
            for one in stack.cells:
                if stack.null or stale.scores(one):
                    task = score_shared if stack.null else score
                    tasks.append(pool.submit(task, sweep, one, score_on, name))

        every = list(stacks(sweep, stale, args.stack or sweep.stack, device, at_once if on_gpu else 1))
        models = sum(len(stack.cells) for stack in every)

        def to_train() -> Iterator[Stack]:
            nonlocal left
            for stack in every:
                # each cell is asked, so that each is told
                if not stack.null and not [one for one in stack.cells if stale.weights(one)]:
                    submit(stack)
                elif not time_left.enough_for(stack.images):
                    left += len(stack.cells)
                else:
                    yield stack

        if on_gpu:
            finished = _train_here(sweep, to_train(), at_once, device, name)
        else:
            finished = _train_apart(pool, sweep, to_train(), at_once, name)
        for stack, seconds in finished:
            time_left.ended(stack.images, seconds)
            trained += len(stack.cells)
            rate = stack.images / seconds
            print(f"{stack}: {seconds:.1f} s, {rate:,.0f} images/s; {trained} of {models} models", flush=True)
            submit(stack)
            for begun in tasks:  # a score that fails is told now, not after hours of training
                if begun.done():
                    begun.result()
        training = time.monotonic() - started
        wait(tasks)
    summary = {
        "cells": len(sweep.cells),
        "trained_now": trained,
        "seconds": time.monotonic() - started,
        "seconds_of_training": training,
        "device": name,
    }
    print(json.dumps(summary, allow_nan=False), flush=True)
    print(f"{left} models not done: call again to go on" if left else "done", flush=True)


@contextmanager
def _pool(workers: int) -> Iterator[ProcessPoolExecutor]:
    """Yield worker processes; an error ends them, where the pool would wait for all that it was given."""
    # fresh interpreters: a forked one cannot use the GPU
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(workers, context, initializer=_end_with_parent) as pool:
        try:
            yield pool
        except BaseException:
            running = multiprocessing.active_children()
            pool.shutdown(wait=False, cancel_futures=True)
            for worker in running:
                worker.terminate()
            raise


def _end_with_parent() -> None:
    """Let a worker end where the process that it works for is gone: killed, it can't tell its workers."""
    parent = multiprocessing.parent_process()
    assert parent is not None

    def wait_for_the_end() -> None:
        parent.join()
        os._exit(1)

    threading.Thread(target=wait_for_the_end, daemon=True).start()


def _train_here(
    sweep: Sweep, stacks: Iterator[Stack], at_once: int, device: torch.device, name: str
) -> Iterator[tuple[Stack, float]]:
    """Train stacks side by side on the GPU, write each, and yield it with the seconds that it took."""
    makers = ((stack, partial(stack.trainer, sweep, device)) for stack in stacks)
    for stack, result, seconds in train_together(makers, at_once, device):
        save(sweep, stack, result, name)
        yield stack, seconds


def _train_apart(
    pool: ProcessPoolExecutor, sweep: Sweep, stacks: Iterator[Stack], at_once: int, name: str
) -> Iterator[tuple[Stack, float]]:
    """Train stacks in the processes of a pool, and yield each with the seconds that it took."""
    running: dict[Future[float], Stack] = {}
    while True:
        # few in the queue at a time: what is finished is scored before the next one trains
        while len(running) < at_once and (stack := next(stacks, None)) is not None:
            running[pool.submit(train, sweep, stack, name)] = stack
        if not running:
            return
        for done in wait_for(running, return_when=FIRST_COMPLETED).done:
            yield running.pop(done), done.result()


def stacks(
    sweep: Sweep, stale: Stale, most: int | None, device: torch.device, at_once: int
) -> Iterator[Stack]:
    """Yield the stacks of a sweep, of at most `most` members (None: what memory holds), controls first."""
    groups = [(cells, True) for cells in group(stale.controls())]
    groups += [(cells, False) for cells in group(sweep.cells)]
    for planned, null in groups:
        first, recipe = planned[0].cell, planned[0].training
        world = sweep.world(first)
        patches, cfg = MaskPatches.parse(first.patch, world.grid), MAEConfig.of(world, sweep.model)
        limit = most or max(1, stack_limit(cfg, patches, first.visible, recipe.batch, device) // at_once)
        yield from (Stack(members, null) for members in split(planned, limit))


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


def wait(tasks: Sequence[Future[None]]) -> None:
    """Wait for the evaluation, saying how far it is."""
    for i, task in enumerate(tasks):
        task.result()
        if (i + 1) % max(1, len(tasks) // 10) == 0:
            print(f"scored {i + 1}/{len(tasks)}", flush=True)


if __name__ == "__main__":
    run(main)
