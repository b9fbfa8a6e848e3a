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
import signal
import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor
from concurrent.futures import wait as wait_for
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import torch

from maestrata.errors import TrainingError
from maestrata.steps._machine import find_device
from maestrata.steps._run import Parser, run
from maestrata.steps._stack import Stack, save, score, score_shared, stacks, train
from maestrata.steps._stale import Stale
from maestrata.steps._time_left import TimeLeft
from maestrata.training.stacks import Sweep
from maestrata.training.together import train_together


def main(argv: Sequence[str] | None = None) -> None:
    """Carry out a plan, as far as the time given allows."""
    args = _arguments().parse_args(argv)
    # read when CUDA starts: later it is ignored, and sums may be taken in another order from run to run
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    started = time.monotonic()
    device, score_on = torch.device(find_device(args.device)), find_device(args.score_on)
    for flag in ("stack", "at_once", "workers"):
        if (count := getattr(args, flag)) is not None and count < 1:
            raise TrainingError(f"--{flag.replace('_', '-')}: {count} must be at least 1")
    sweep = Sweep.read(args.plan)
    stale, on_gpu = Stale(sweep), device.type == "cuda"
    name = torch.cuda.get_device_name(device) if on_gpu else "cpu"
    workers = args.workers or max(1, (os.cpu_count() or 1) - on_gpu)
    at_once = args.at_once or (6 if on_gpu else workers)
    most = args.stack or (sweep.stack if on_gpu else None)
    every = list(stacks(sweep, stale, most, device, at_once if on_gpu else 1))
    models, trained, time_left = sum(len(stack.cells) for stack in every), 0, TimeLeft(args.minutes, at_once)
    with _pool(workers) as pool:
        scores = _Scores(pool, sweep, stale, score_on, name)
        queue = _Queue(every, stale, scores, time_left)
        if on_gpu:
            finished = _train_here(sweep, iter(queue), at_once, device, name)
        else:
            finished = _train_apart(pool, sweep, iter(queue), at_once, name)
        for stack, seconds in finished:
            time_left.ended(stack.images, seconds)
            trained += len(stack.cells)
            rate = stack.images / seconds
            print(f"{stack}: {seconds:.1f} s, {rate:,.0f} images/s; {trained} of {models} models", flush=True)
            scores.submit(stack)
            scores.raise_errors()
        training = time.monotonic() - started
        scores.wait()
    summary = {
        "cells": len(sweep.cells),
        "trained_now": trained,
        "seconds": time.monotonic() - started,
        "seconds_of_training": training,
        "device": name,
    }
    print(json.dumps(summary, allow_nan=False), flush=True)
    print(f"{queue.left} models not done: call again to go on" if queue.left else "done", flush=True)


def _arguments() -> Parser:
    parser = Parser(__doc__)
    parser.add_argument("--plan", type=Path, required=True, help="JSON, as `maestrata plan CONFIG` writes it")
    parser.add_argument(
        "--minutes", type=float, default=float("inf"), help="begin no stack that would end later"
    )
    parser.add_argument(
        "--stack",
        type=int,
        default=None,
        help="members in a stack (default: the plan's, or what memory holds; on a CPU 1 to 8)",
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
    return parser


class _Scores:
    """What worker processes score: the models of stacks that are trained."""

    def __init__(self, pool: ProcessPoolExecutor, sweep: Sweep, stale: Stale, device: str, name: str) -> None:
        self._pool, self._sweep, self._stale, self._of = pool, sweep, stale, (device, name)
        self._tasks: list[Future[None]] = []

    def submit(self, stack: Stack) -> None:
        """Score those of a stack whose scores are not there, or are of other values or code."""
        for one in stack.cells:
            if stack.null or self._stale.scores(one):
                task = score_shared if stack.null else score
                self._tasks.append(self._pool.submit(task, self._sweep, one, *self._of))

    def raise_errors(self) -> None:
        """Raise the error of a score that failed: now, not after hours of training."""
        for task in self._tasks:
            if task.done():
                task.result()

    def wait(self) -> None:
        """Wait for all of them, saying how far they are."""
        for i, task in enumerate(self._tasks):
            task.result()
            if (i + 1) % max(1, len(self._tasks) // 10) == 0:
                print(f"scored {i + 1}/{len(self._tasks)}", flush=True)


class _Queue:
    """The stacks that are to be trained; those that are trained already are handed on for their scores.

    Attributes
    ----------
    left : int
        Models for which the time does not suffice.
    """

    def __init__(self, every: Sequence[Stack], stale: Stale, scores: _Scores, time_left: TimeLeft) -> None:
        self._every, self._stale, self._scores, self._time_left = every, stale, scores, time_left
        self.left = 0

    def __iter__(self) -> Iterator[Stack]:
        for stack in self._every:
            # each cell is asked, so that each is told
            if not stack.null and not [one for one in stack.cells if self._stale.weights(one)]:
                self._scores.submit(stack)
            elif not self._time_left.enough_for(stack.images):
                self.left += len(stack.cells)
            else:
                yield stack


@contextmanager
def _pool(workers: int) -> Iterator[ProcessPoolExecutor]:
    """Yield worker processes; an error ends them, where the pool would wait for all that it was given."""
    # fresh interpreters: a forked one cannot use the GPU
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(workers, context, initializer=_end_with_parent) as pool:
        try:
            _start_all(pool, workers)
            yield pool
        except BaseException as error:
            running = multiprocessing.active_children()
            pool.shutdown(wait=False, cancel_futures=True)
            for worker in running:
                worker.terminate()
            if isinstance(error, BrokenProcessPool):
                raise TrainingError(
                    f"one of the {workers} processes that train and score was killed, as a rule for want of "
                    "memory; finished files stay: begin again with fewer (--workers; make reproduce CORES=1)"
                ) from error
            raise


def _start_all(pool: ProcessPoolExecutor, workers: int) -> None:
    """Start every worker now, deaf to Ctrl-C: a terminal sends it to all, and each would print where it was.

    A blocked signal stays blocked in a process that is started meanwhile; this one gets it afterwards.
    """
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        for _ in range(workers):
            pool.submit(int)
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


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


if __name__ == "__main__":
    run(main)
