"""The bar of a run: on a terminal, and as a line now and then in a log."""

from __future__ import annotations

import logging
import multiprocessing
import sys
import time
from types import TracebackType

from tqdm import tqdm

log = logging.getLogger(__name__)

SHARES = 10  # lines in the log of a run


class ProgressBar:
    """Shows rate, loss and time left; a context manager.

    Parameters
    ----------
    name : str
    steps, done : int
        Steps in all, and those done before.
    batch : int
        Images in a step.
    """

    def __init__(self, name: str, steps: int, batch: int, done: int = 0) -> None:
        self.name, self.steps, self.batch, self.first = name, steps, batch, done
        self._started = time.monotonic()
        self._next = done + max(1, steps // SHARES)
        self._bar = None
        # several processes would write over each other's bars
        if sys.stderr.isatty() and multiprocessing.parent_process() is None:
            self._bar = tqdm(
                total=steps * batch, initial=done * batch, unit="image", desc=name, unit_scale=True
            )

    def __enter__(self) -> ProgressBar:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._bar is not None:
            self._bar.close()

    def due(self, step: int) -> bool:
        """Whether something is to be shown after `step` steps (so that the loss is looked up only then)."""
        if self._bar is not None:
            return step % 20 == 0 or step == self.steps
        return step >= self._next or step == self.steps

    def show(self, step: int, loss: float) -> None:
        """Show where the run is after `step` steps."""
        if self._bar is not None:
            self._bar.set_postfix(loss=f"{loss:.4f}", refresh=False)
            self._bar.update(step * self.batch - self._bar.n)
            return
        self._next = step + max(1, self.steps // SHARES)
        took = time.monotonic() - self._started
        rate = (step - self.first) * self.batch / max(took, 1e-9)
        left = (self.steps - step) * self.batch / max(rate, 1e-9)
        log.info(
            "%s: step %d/%d, loss %.4f, %.0f images/s, %.0f s left",
            self.name,
            step,
            self.steps,
            loss,
            rate,
            left,
        )
