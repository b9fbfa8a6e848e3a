"""Training for experiments: any module, any loss, the optimiser and the schedule of the sweep.

No checkpoints: these runs last well under a minute, and a job that is killed begins anew. Equal arguments
give equal bits on one kind of machine.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from maestrata.errors import TrainingError
from maestrata.masks import MaskPatches
from maestrata.model.mae import MAE
from maestrata.training.data import Batches
from maestrata.training.optimiser import Optimiser
from maestrata.training.progress import Progress
from maestrata.training.recipe import Recipe, learning_rate
from maestrata.training.train import gradient_step, reproducible
from maestrata.worlds.base import World

__all__ = ["MaskSource", "fit", "fit_mae", "fixed_masks", "mae_batches", "with_images"]

_CHECK_EVERY = 50  # steps between two looks at whether the loss is finite

Batch = tuple[Tensor, ...]
MaskSource = Callable[[int], tuple[NDArray[np.int64], NDArray[np.int64]]]
"""Step -> visible ids (b, k) and masked ids (b, m), each ascending."""


def fit(
    model: nn.Module,
    batches: Callable[[int], Batch],
    loss: Callable[..., Tensor],
    recipe: Recipe,
    name: str,
) -> NDArray[np.float32]:
    """Train a module in place, by autograd.

    Parameters
    ----------
    model : torch.nn.Module
        Its float32 parameters are trained, all of them.
    batches : callable
        Step -> what `loss` takes.
    loss : callable
        (*batch) -> scalar with a gradient.
    recipe : Recipe
    name : str
        Names the run in its progress and errors.

    Returns
    -------
    ndarray of float32 (steps,)
        Loss of every step.

    Raises
    ------
    TrainingError
        If the loss stops being finite.
    """

    def gradients(*batch: Tensor) -> Tensor:
        value = loss(*batch)
        value.backward()
        return value.detach()

    # the optimiser asks a masked autoencoder for its named parameters alone, which every module has
    return _loop(Optimiser(model, recipe), gradients, batches, recipe, name)  # type: ignore[arg-type]


def fit_mae(
    model: MAE, batches: Callable[[int], Batch], visible_tokens: int, recipe: Recipe, name: str
) -> NDArray[np.float32]:
    """Train a masked autoencoder in place, at the speed of the sweep.

    Parameters
    ----------
    model : MAE
    batches : callable
        Step -> tokens (b, n, v), visible ids (b, k), masked ids (b, n - k): see `mae_batches`.
    visible_tokens : int
        k, the same at every step.
    recipe : Recipe
    name : str

    Returns
    -------
    ndarray of float32 (steps,)
    """
    optimiser = Optimiser(model, recipe)
    return _loop(
        optimiser, gradient_step(model, optimiser, recipe.batch, visible_tokens), batches, recipe, name
    )


def mae_batches(
    world: World,
    seed: int,
    recipe: Recipe,
    patches: MaskPatches,
    visible: int,
    masks: MaskSource | None = None,
) -> Callable[[int], Batch]:
    """Return the batches of the sweep's own training: the same images and, unless `masks` is given, masks.

    Parameters
    ----------
    world : World
    seed : int
        Training seed.
    recipe : Recipe
    patches : MaskPatches
    visible : int
        Visible patches.
    masks : callable, optional
        In place of masks drawn at random.
    """
    drawn = Batches(world, patches, visible, seed, recipe)

    def batch(step: int) -> Batch:
        tokens, visible_ids, masked_ids = drawn(step)
        if masks is None:
            return tokens, visible_ids, masked_ids
        own_visible, own_masked = masks(step)
        return tokens, torch.from_numpy(own_visible), torch.from_numpy(own_masked)

    return batch


def fixed_masks(masked: NDArray[np.bool_], batch: int) -> MaskSource:
    """Return the source of one mask, the same for every image: masked (n_tokens,), True where masked."""
    hidden = np.broadcast_to(np.flatnonzero(masked), (batch, int(masked.sum()))).copy()
    seen = np.broadcast_to(np.flatnonzero(~masked), (batch, int((~masked).sum()))).copy()
    return lambda step: (seen, hidden)


def with_images(recipe: Recipe, images: int, **changes: Any) -> Recipe:
    """Return the recipe with another number of images (and other changes)."""
    return replace(recipe, images=images, **changes)


def _loop(
    optimiser: Optimiser,
    gradients: Callable[..., Tensor],
    batches: Callable[[int], Batch],
    recipe: Recipe,
    name: str,
) -> NDArray[np.float32]:
    losses = np.full(recipe.steps, np.nan, np.float32)
    with reproducible("cpu"), Progress(name, recipe.steps, recipe.batch, 0) as progress:
        for step in range(recipe.steps):
            losses[step] = float(gradients(*batches(step)))
            optimiser.step(learning_rate(recipe, step))
            done = step + 1
            if (done % _CHECK_EVERY == 0 or done == recipe.steps) and not np.isfinite(losses[:done]).all():
                bad = int(np.flatnonzero(~np.isfinite(losses[:done]))[0])
                raise TrainingError(
                    f"{name}: the loss is {losses[bad]} at step {bad} of {recipe.steps}; lower lr={recipe.lr}"
                )
            if progress.due(done):
                progress.show(done, float(losses[step]))
    return losses
