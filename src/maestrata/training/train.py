"""Train one masked autoencoder: batches, gradients, optimiser, checkpoint, in one loop."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from maestrata.errors import TrainingError
from maestrata.masks import MaskPatches
from maestrata.model.mae import MAE, MAEConfig
from maestrata.random import integer_seed
from maestrata.training.by_hand import StepByHand
from maestrata.training.checkpoint import Checkpoint
from maestrata.training.data import Batches
from maestrata.training.optimiser import Optimiser
from maestrata.training.products import fast_float32
from maestrata.training.progress import Progress
from maestrata.training.recipe import Recipe, learning_rate
from maestrata.worlds.base import World

CHECK_EVERY = 50  # steps between two looks at whether the loss is finite


@dataclass(frozen=True)
class TrainedRun:
    """A trained model, with the loss and the learning rate of every step."""

    model: MAE
    losses: NDArray[np.float32]
    learning_rates: NDArray[np.float64]


def train(
    world: World,
    patches: MaskPatches,
    visible: int,
    seed: int,
    cfg: MAEConfig,
    recipe: Recipe,
    device: str = "cpu",
    checkpoint: Checkpoint | None = None,
    name: str = "pretrain",
) -> TrainedRun:
    """Train one cell.

    Parameters
    ----------
    world : World
    patches : MaskPatches
    visible : int
        Visible patches.
    seed : int
        Training seed: initial weights, masks, and which of the world's training images are seen.
    cfg : MAEConfig
    recipe : Recipe
    device : str
        ``cpu`` (float32) or ``cuda`` (bfloat16 autocast).
    checkpoint : Checkpoint, optional
        Taken up if it fits, kept up to date, removed by the caller once the results are safe.
    name : str
        Names the run in progress and errors.

    Returns
    -------
    TrainedRun
        On one kind of machine equal arguments give equal bits, whether or not the run was interrupted.

    Raises
    ------
    TrainingError
        If the loss stops being finite; the step is named. If a checkpoint cannot be written.
    """
    model = MAE(cfg).initialise(torch.Generator().manual_seed(integer_seed(seed, "init"))).to(device)
    batches = Batches(world, patches, visible, seed, recipe)
    optimiser = Optimiser(model, recipe)
    gradients = gradient_step(model, optimiser, recipe.batch, visible * patches.size)
    losses = torch.zeros(
        recipe.steps, device=device
    )  # read now and then, not at every step: reading waits for the device
    first = _resume(checkpoint, optimiser, losses)
    rates = np.array([learning_rate(recipe, step) for step in range(recipe.steps)])
    with reproducible(device), Progress(name, recipe.steps, recipe.batch, first) as progress:
        for step in range(first, recipe.steps):
            tokens, visible_ids, masked_ids = (t.to(device, non_blocking=True) for t in batches(step))
            losses[step] = gradients(tokens, visible_ids, masked_ids)
            optimiser.step(float(rates[step]))
            done = step + 1
            if done % CHECK_EVERY == 0 or done == recipe.steps:
                _check_finite(losses[:done], name, recipe)
            if progress.due(done):
                progress.show(done, float(losses[step]))
            if checkpoint is not None and done < recipe.steps and checkpoint.due(done):
                _check_finite(losses[:done], name, recipe)
                checkpoint.write(done, {**optimiser.state(), "losses": losses[:done]})
    return TrainedRun(model, losses.cpu().numpy(), rates)


@contextmanager
def reproducible(device: str) -> Iterator[None]:
    """Make equal runs give equal bits, at the best speed that leaves: one thread; deterministic kernels on a
    GPU.
    """
    threads, strict = torch.get_num_threads(), torch.are_deterministic_algorithms_enabled()
    torch.set_num_threads(1)
    try:
        if device == "cpu":
            with fast_float32():
                yield
        else:
            os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
            torch.use_deterministic_algorithms(True)
            yield
    finally:
        torch.use_deterministic_algorithms(strict)
        torch.set_num_threads(threads)


def gradient_step(model: MAE, optimiser: Optimiser, batch: int, visible_tokens: int) -> Callable[..., Tensor]:
    """Return the fastest function (tokens, visible_ids, masked_ids) -> loss that adds up gradients.

    On the CPU that is `StepByHand` where it knows the model; elsewhere autograd, under bfloat16 autocast on a
    GPU.
    """
    if next(model.parameters()).device.type == "cpu" and StepByHand.supports(model):
        return StepByHand(model, optimiser.grads, batch, visible_tokens)
    return autograd_step(model)


def autograd_step(model: MAE) -> Callable[..., Tensor]:
    """Return the same function by autograd, under bfloat16 autocast where the model is not on the CPU."""
    device = next(model.parameters()).device.type

    def step(tokens: Tensor, visible_ids: Tensor, masked_ids: Tensor) -> Tensor:
        with torch.autocast(device, torch.bfloat16, enabled=device != "cpu"):
            loss = model.loss(tokens, visible_ids, masked_ids)
        loss.backward()
        return loss.detach()

    return step


def _resume(checkpoint: Checkpoint | None, optimiser: Optimiser, losses: Tensor) -> int:
    found = checkpoint.read() if checkpoint is not None else None
    if found is None:
        return 0
    step, tensors = found
    optimiser.restore(tensors)
    losses[:step] = tensors["losses"]
    return step


def _check_finite(losses: Tensor, name: str, recipe: Recipe) -> None:
    bad = (~torch.isfinite(losses)).nonzero()
    if len(bad):
        raise TrainingError(
            f"{name}: the loss is {float(losses[bad[0, 0]])} at step {int(bad[0, 0])} of {recipe.steps}; "
            f"lower lr={recipe.lr} (training.lr), or look at the world's images"
        )
