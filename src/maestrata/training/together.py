"""Train several stacks at once on one GPU: each on a stream of its own, in turns of a few steps.

A step of small models is some hundred short kernels, and each of them fills a part of the GPU. Steps of
different stacks do not wait for each other, so their kernels run side by side.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext
from typing import Generic, NamedTuple, TypeVar

import torch

from maestrata.training.stacked import StackedTrainer, StackResult

TURN = 16
"""Steps of one stack that are sent to the GPU before the next stack has its turn."""

Name = TypeVar("Name")


class Trained(NamedTuple, Generic[Name]):
    """A stack that has ended: its name, its members, and the seconds from its start to its end."""

    name: Name
    result: StackResult
    seconds: float


def train_together(
    stacks: Iterator[tuple[Name, Callable[[], StackedTrainer]]], at_once: int, device: torch.device
) -> Iterator[Trained[Name]]:
    """Train stacks, some at a time, and yield each as it ends.

    What a stack learns does not depend on those beside it.

    Parameters
    ----------
    stacks : iterator of (name, maker of a StackedTrainer)
        Asked for the next one when there is room for it.
    at_once : int
        Stacks that train at the same time.
    device : torch.device
        On a CPU they take turns in one thread, and nothing is gained.

    Yields
    ------
    Trained
    """
    # few streams, used again: the memory of one is not given to another
    free = [torch.cuda.Stream(device) if device.type == "cuda" else None for _ in range(at_once)]
    running: list[_Running[Name]] = []
    while True:
        while free and (following := next(stacks, None)) is not None:
            running.append(_Running(*following, free.pop()))
        if not running:
            return
        for one in list(running):
            if one.ends_in(TURN):
                running.remove(one)
                free.append(one.stream)
                yield one.trained()


class _Running(Generic[Name]):
    """A stack that trains, on its stream."""

    def __init__(
        self, name: Name, make: Callable[[], StackedTrainer], stream: torch.cuda.Stream | None
    ) -> None:
        self.name, self.stream, self.started = name, stream, time.monotonic()
        with self._current():
            self.trainer = make()
            self.steps = self.trainer.steps()

    def _current(self) -> AbstractContextManager[object]:
        return nullcontext() if self.stream is None else torch.cuda.stream(self.stream)

    def ends_in(self, steps: int) -> bool:
        """Send that many steps to the device, or as many as there are left; whether there are no more."""
        with self._current():
            return any(next(self.steps, None) is None for _ in range(steps))

    def trained(self) -> Trained[Name]:
        """Wait for the steps that were sent, and return what they made."""
        with self._current():
            result = self.trainer.result()
            if self.stream is not None:
                self.stream.synchronize()
        return Trained(self.name, result, time.monotonic() - self.started)
