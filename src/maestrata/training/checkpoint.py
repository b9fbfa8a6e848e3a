"""Checkpoints: what a run needs to go on with the same bits after it was killed.

A checkpoint stands beside the outputs and is no output: the workflow engine deletes the outputs of a job that
failed. It is keyed by everything that the run depends on, so that another config or other code never takes it
up, and it is removed when the run is done. The file is written whole or not at all, and holds no pickle.

Its first line is JSON: the key, the step, and the SHA-256 of the rest, which is safetensors.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import Tensor

from maestrata.errors import TrainingError
from maestrata.machine import processor
from maestrata.writing import whole

log = logging.getLogger(__name__)


def run_key(depends_on: Mapping[str, Any]) -> str:
    """Return the key of a run: a digest of all plain values that it depends on, and of the machine kind.

    Another kind of processor rounds differently: a run that moves there starts anew, rather than end with
    bits that no run on one machine has.
    """
    text = json.dumps([depends_on, processor()], sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()


class Checkpoint:
    """Checkpoint of one run.

    Parameters
    ----------
    path : path-like
    key : str
        See `run_key`.
    seconds : float
        Time between two checkpoints.
    steps : int, optional
        Steps between two checkpoints instead, whatever time they take.
    """

    def __init__(
        self, path: str | os.PathLike[str], key: str, seconds: float = 30.0, steps: int | None = None
    ) -> None:
        self.path, self.key, self.seconds, self.steps = Path(path), key, seconds, steps
        # always one name: what a job that is killed while writing leaves is overwritten by the next
        self._temporary = self.path.with_name(f".{self.path.name}.tmp")
        self._last = time.monotonic()

    def due(self, step: int) -> bool:
        """Whether a checkpoint is to be written after `step` steps."""
        if self.steps is not None:
            return step % self.steps == 0
        return time.monotonic() - self._last >= self.seconds

    def write(self, step: int, tensors: Mapping[str, Tensor]) -> None:
        """Write the state after `step` steps.

        Raises
        ------
        TrainingError
            If it cannot be written, as on a full disk; nothing half-written stays.
        """
        body = save({name: t.detach().cpu().contiguous() for name, t in tensors.items()})
        about = {"key": self.key, "step": step, "digest": hashlib.sha256(body).hexdigest()}
        with (
            whole(self.path, "checkpoint", TrainingError, self._temporary) as temporary,
            open(temporary, "wb") as file,
        ):
            file.write(json.dumps(about).encode() + b"\n")
            file.write(body)
        self._last = time.monotonic()

    def read(self) -> tuple[int, dict[str, Tensor]] | None:
        """Return the step and state to go on from; None where nothing fits (why is logged)."""
        try:
            head, _, body = self.path.read_bytes().partition(b"\n")
        except FileNotFoundError:
            return None
        except OSError as error:
            raise TrainingError(f"checkpoint {self.path} cannot be read: {error.strerror or error}") from None
        try:
            about = json.loads(head)
            if about["digest"] != hashlib.sha256(body).hexdigest():
                raise ValueError("its digest is wrong")
            tensors = load(body)
        except (ValueError, KeyError, TypeError, SafetensorError) as error:
            log.warning(
                "checkpoint %s is truncated or damaged and is discarded (%s): starting anew", self.path, error
            )
            self.remove()
            return None
        if about["key"] != self.key:
            log.warning(
                "checkpoint %s is of another config, code or machine and is discarded: starting anew",
                self.path,
            )
            self.remove()
            return None
        log.info("going on from step %d of checkpoint %s", about["step"], self.path)
        return int(about["step"]), tensors

    def remove(self) -> None:
        """Remove the checkpoint, and what a kill while writing may have left."""
        for path in (self.path, self._temporary):
            path.unlink(missing_ok=True)
