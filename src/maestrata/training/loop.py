"""The training loop: every model that is trained on its own goes through `fit`, whatever it learns."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from maestrata.errors import TrainingError
from maestrata.training.bar import ProgressBar
from maestrata.training.checkpoint import Checkpoint
from maestrata.training.optimiser import Optimiser
from maestrata.training.recipe import Recipe, learning_rate

CHECK_EVERY = 50  # steps between two looks at whether the loss is finite

Batch = tuple[Tensor, ...]


def fit(
    model: nn.Module,
    batches: Callable[[int], Batch],
    loss: Callable[..., Tensor],
    recipe: Recipe,
    name: str,
    device: str = "cpu",
    checkpoint: Checkpoint | None = None,
) -> NDArray[np.float32]:
    """Train a model in place.

    Parameters
    ----------
    model : torch.nn.Module
        All its parameters are trained, in float32. It is moved to `device`.
    batches : callable
        Step -> tensors on the CPU that `loss` takes, such as `maestrata.training.data.Batches`.
    loss : callable
        (*batch) -> scalar with a gradient, such as ``model.loss``.
    recipe : Recipe
    name : str
        Names the run in its progress and in errors.
    device : str
        ``cpu`` or ``cuda``; matrix products are as `Recipe.in_bfloat16` has it, by autocast.
    checkpoint : Checkpoint, optional
        Taken up if it fits, kept up to date, removed by the caller once the results are safe.

    Returns
    -------
    ndarray of float32 (steps,)
        Loss of every step. On one kind of machine equal arguments give equal bits, here and in the model,
        whether or not the run was interrupted.

    Raises
    ------
    TrainingError
        If the loss stops being finite; the step is named. If a checkpoint cannot be written.
    """
    kind = torch.device(device).type
    optimiser = Optimiser(model.to(device), recipe)
    # on the device, and read now and then: reading at every step would wait for it
    losses = torch.zeros(recipe.steps, device=device)
    first = _resume(checkpoint, optimiser, losses)
    with reproducible(device), ProgressBar(name, recipe.steps, recipe.batch, first) as progress:
        for step in range(first, recipe.steps):
            batch = [part.to(device, non_blocking=True) for part in batches(step)]
            with torch.autocast(kind, torch.bfloat16, enabled=recipe.in_bfloat16(kind)):
                value = loss(*batch)
            value.backward()
            losses[step] = value.detach()
            optimiser.step(learning_rate(recipe, step))
            done = step + 1
            saved = checkpoint if checkpoint and done < recipe.steps and checkpoint.due(done) else None
            if saved or done % CHECK_EVERY == 0 or done == recipe.steps:
                check_finite(losses[:done], name, recipe)
            if progress.due(done):
                progress.show(done, float(losses[step]))
            if saved:
                saved.write(done, {**optimiser.state(), "losses": losses[:done]})
    return losses.cpu().numpy()


@contextmanager
def reproducible(device: str) -> Iterator[None]:
    """Make equal runs give equal bits: one thread everywhere, and on a GPU deterministic kernels."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        with nullcontext() if device == "cpu" else _deterministic():
            yield
    finally:
        torch.set_num_threads(threads)


@contextmanager
def _deterministic() -> Iterator[None]:
    """Take deterministic kernels of the GPU; on a CPU, asking for them would only import the compiler."""
    strict = torch.are_deterministic_algorithms_enabled()
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    torch.use_deterministic_algorithms(True)
    try:
        yield
    finally:
        torch.use_deterministic_algorithms(strict)


def check_finite(losses: Tensor, name: str, recipe: Recipe) -> None:
    """Raise TrainingError, with the step, if one of the losses (steps so far,) of a run is not finite."""
    bad = (~torch.isfinite(losses)).nonzero()
    if len(bad):
        step = int(bad[0, 0])
        raise TrainingError(
            f"{name}: the loss is {float(losses[step])} at step {step} of {recipe.steps}; "
            f"lower lr={recipe.lr} (training.lr), or look at the world's images"
        )


def _resume(checkpoint: Checkpoint | None, optimiser: Optimiser, losses: Tensor) -> int:
    """Take up a checkpoint, and return the step to go on from."""
    kept = checkpoint.read() if checkpoint is not None else None
    if kept is None:
        return 0
    step, tensors = kept
    optimiser.restore(tensors)
    losses[:step] = tensors["losses"]
    return step
