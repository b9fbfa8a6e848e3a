"""Controls that are trained like the masked autoencoder, on the same images, but to another end.

=============== ==============================================================================================
``autoencoder`` the same network at r = 0: every token visible, the loss on all of them
``supervised``  the same encoder, its tokens of the last layer averaged, and a linear head on them that
                predicts all latents of all levels
=============== ==============================================================================================

Both start from the weights that the masked autoencoder starts from, see the images that it sees (the first
ones, where they are trained on fewer), and follow its recipe.

The loss of ``supervised`` is one minus the R2 that a probe is scored by: the mean over levels of the mean
squared error of standardised latents (one-hot symbols), so that no level counts more for having more nodes.
It bounds nothing: another network, or more images, may do better.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

from maestrata.errors import TrainingError
from maestrata.geometry import patchify
from maestrata.model.mae import MAE, MAEConfig
from maestrata.regression.encoders import initial_model
from maestrata.regression.standardise import Standard
from maestrata.regression.trained_by_hand import AutoencoderStep, SupervisedStep
from maestrata.training.optimiser import Optimiser
from maestrata.training.progress import Progress
from maestrata.training.recipe import Recipe, learning_rate
from maestrata.training.train import reproducible
from maestrata.worlds.base import Sample, World

NAMES = ("autoencoder", "supervised")
MOMENTS = 8192
"""Images from which the moments of the latents are taken that standardise them."""

_DECODER = ("mask_token", "decoder_embed", "decoder_blocks", "decoder_norm", "head")

Batch = tuple[Tensor, ...]
Step = Callable[..., Tensor]
"""Adds up the gradients of one batch and returns its loss."""


class Supervised(MAE):
    """The encoder of a masked autoencoder with a linear head on its mean-pooled tokens, and no decoder.

    Parameters
    ----------
    start : MAE
        Whose encoder it starts from.
    outputs : int
        Columns that the head predicts; it starts at zero.
    """

    def __init__(self, start: MAE, outputs: int) -> None:
        super().__init__(start.cfg)
        self.load_state_dict(start.state_dict())
        for name in _DECODER:
            delattr(self, name)
        with torch.random.fork_rng(devices=()):  # PyTorch draws weights of its own, unused here
            self.readout = nn.Linear(start.cfg.width, outputs)
        nn.init.zeros_(self.readout.weight)
        nn.init.zeros_(self.readout.bias)

    def predict(self, tokens: Tensor) -> Tensor:
        """Predict the columns (b, outputs) from whole images (b, n, v)."""
        return self.readout(self.encode(tokens, None)[:, 1:].mean(1))


def reconstruct_all(model: MAE, tokens: Tensor) -> Tensor:
    """Pass whole images through encoder and decoder with nothing masked: (b, n, v) -> (b, n, v)."""
    y = model.decoder_embed(model.encode(tokens, None)) + model.decoder_positions  # (b, 1 + n, e)
    for block in model.decoder_blocks:
        y = block(y)
    return model.head(model.decoder_norm(y[:, 1:]))


def autoencoder_loss(model: MAE, tokens: Tensor) -> Tensor:
    """Mean squared error over all tokens' values, a scalar; targets as of the masked autoencoder."""
    every = torch.arange(model.cfg.n_tokens, device=tokens.device).expand(len(tokens), -1)
    return F.mse_loss(reconstruct_all(model, tokens), model.targets(tokens, every))


def supervised_loss(model: Supervised, tokens: Tensor, columns: Tensor, weight: Tensor) -> Tensor:
    """Squared error of standardised columns (b, c), weighted by `weight` (c,), averaged over images."""
    return (F.mse_loss(model.predict(tokens), columns, reduction="none") * weight).sum(1).mean()


def train_autoencoder(
    world: World, cfg: MAEConfig, seed: int, recipe: Recipe, device: str = "cpu"
) -> tuple[MAE, NDArray[np.float32]]:
    """Train the plain autoencoder.

    Parameters
    ----------
    world : World
    cfg : MAEConfig
    seed : int
        Training seed: initial weights, and which of the world's training images are seen.
    recipe : Recipe
        Images are fresh at every step, as without `samples`.
    device : str
        ``cpu`` (float32) or ``cuda`` (bfloat16 autocast).

    Returns
    -------
    model : MAE
    losses : ndarray (steps,)

    Raises
    ------
    TrainingError
        If the loss stops being finite.
    """
    model = initial_model(cfg, seed).to(device)
    optimiser = Optimiser(model, recipe)
    step: Step = (
        AutoencoderStep(model, optimiser.grads, recipe.batch)
        if _written_out(device)
        else _by_autograd(lambda tokens: autoencoder_loss(model, tokens), device)
    )

    def batch(i: int) -> Batch:
        return (_tokens(world, _sample(world, recipe, seed, i)),)

    name = f"autoencoder {world.name} w{world.seed} s{seed}"
    return model, _fit(step, batch, optimiser, device, name)


def train_supervised(
    world: World, cfg: MAEConfig, seed: int, recipe: Recipe, device: str = "cpu"
) -> tuple[Supervised, NDArray[np.float32]]:
    """Train the supervised encoder; arguments, results and errors as of `train_autoencoder`."""
    latents = world.sample(MOMENTS, stream="train", index=(seed,)).latents
    moments = Standard.of(latent_columns(world, latents))
    weight = torch.from_numpy(level_weights(world, latents, np.isfinite(moments.std))).to(device)
    model = Supervised(initial_model(cfg, seed), len(weight)).to(device)
    optimiser = Optimiser(model, recipe)
    step: Step = (
        SupervisedStep(model, optimiser.grads, recipe.batch, weight)
        if _written_out(device)
        else _by_autograd(lambda tokens, columns: supervised_loss(model, tokens, columns, weight), device)
    )

    def batch(i: int) -> Batch:
        sample = _sample(world, recipe, seed, i)
        columns = moments.apply(latent_columns(world, sample.latents)).astype(np.float32)
        return _tokens(world, sample), torch.from_numpy(columns)

    name = f"supervised {world.name} w{world.seed} s{seed}"
    return model, _fit(step, batch, optimiser, device, name)


def latent_columns(world: World, latents: dict[int, Any]) -> NDArray[np.float32]:
    """Latents of all levels side by side, level 1 first, symbols one-hot: (n, columns)."""
    parts = []
    for _, values in sorted(latents.items()):
        if world.n_symbols is not None:
            values = np.eye(world.n_symbols, dtype=np.float32)[values[..., 0]]
        parts.append(np.asarray(values, np.float32).reshape(len(values), -1))
    return np.concatenate(parts, axis=1)


def level_weights(world: World, latents: dict[int, Any], varies: NDArray[np.bool_]) -> NDArray[np.float32]:
    """Weight of each of `latent_columns` (c,): 1/L a level, shared equally by its columns that vary."""
    sizes = [values.shape[1] * (world.n_symbols or values.shape[2]) for _, values in sorted(latents.items())]
    level = np.repeat(np.arange(len(sizes)), sizes)
    share = np.bincount(level, varies)[level] * len(sizes)
    return np.where(varies, 1 / np.maximum(share, 1), 0.0).astype(np.float32)


def _sample(world: World, recipe: Recipe, seed: int, step: int) -> Sample:
    """Images of a step: those that a masked autoencoder of this seed sees at it."""
    return world.sample(recipe.batch, stream="train", index=(seed, step))


def _tokens(world: World, sample: Sample) -> Tensor:
    return torch.from_numpy(np.ascontiguousarray(patchify(sample.images, world.token_pixels), np.float32))


def _written_out(device: str) -> bool:
    """Whether a device has steps with gradients written out."""
    return torch.device(device).type == "cpu"


def _by_autograd(loss: Callable[..., Tensor], device: str) -> Step:
    """Return the step of a loss by autograd, under bfloat16 autocast where it is not on the CPU."""
    kind = torch.device(device).type

    def step(*arguments: Tensor) -> Tensor:
        with torch.autocast(kind, torch.bfloat16, enabled=kind != "cpu"):
            value = loss(*arguments)
        value.backward()
        return value.detach()

    return step


def _fit(
    step: Step,
    batch: Callable[[int], Batch],
    optimiser: Optimiser,
    device: str,
    name: str,
) -> NDArray[np.float32]:
    """Train in place, `step(*batch(i))` adding the gradients; returns the loss of every step."""
    recipe = optimiser.recipe
    losses = torch.zeros(recipe.steps, device=device)
    with reproducible(device), Progress(name, recipe.steps, recipe.batch) as progress:
        for i in range(recipe.steps):
            losses[i] = step(*(part.to(device, non_blocking=True) for part in batch(i)))
            optimiser.step(learning_rate(recipe, i))
            if progress.due(i + 1):
                progress.show(i + 1, float(losses[i]))
    found = losses.cpu().numpy()
    if not np.isfinite(found).all():
        raise TrainingError(
            f"{name}: the loss is {found[~np.isfinite(found)][0]} at step {np.argmin(np.isfinite(found))} "
            f"of {recipe.steps}; look at the world's images (evaluation.control_images)"
        )
    return found
