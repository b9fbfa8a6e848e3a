"""Controls that are trained like the masked autoencoder, on the same images, but to another end.

================ =============================================================================================
``null_trained`` the same network, recipe, images and masks, but every image is to predict the masked tokens
                 of the next image: what training does to the weights where there is nothing to learn
``autoencoder``  the same network at r = 0: every token visible, the loss on all of them
``supervised``   the same encoder, its tokens of the last layer averaged, and a linear head on them that
                 predicts all latents of all levels
================ =============================================================================================

All start from the weights that the masked autoencoder starts from, see the images that it sees (the first
ones, where they are trained on fewer), and follow its recipe.

The loss of ``supervised`` is one minus the R2 that a probe is scored by: the mean over levels of the mean
squared error of standardised latents (one-hot symbols), so that no level counts more for having more nodes.
It bounds nothing: another network, or more images, may do better.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

from maestrata.masks import MaskPatches
from maestrata.model.mae import MAE, MAEConfig
from maestrata.standardise import Standard
from maestrata.training.data import Batches, as_tokens, initial_model, training_images
from maestrata.training.loop import Batch, fit
from maestrata.training.recipe import Recipe
from maestrata.worlds.base import World
from maestrata.worlds.maps import one_hot

MOMENTS = 8192
"""Images from which the moments of the latents are taken that standardise them."""

_DECODER = ("mask_token", "decoder_embed", "decoder_blocks", "decoder_norm", "head")


class Supervised(MAE):
    """The encoder of a masked autoencoder with a linear head on its mean-pooled tokens, and no decoder.

    Parameters
    ----------
    start : MAE
        Whose encoder it starts from.
    weight : Tensor (c,)
        Of each column that the head predicts, in the loss. The head starts at zero.
    """

    weight: Tensor

    def __init__(self, start: MAE, weight: Tensor) -> None:
        super().__init__(start.cfg)
        self.load_state_dict(start.state_dict())
        for name in _DECODER:
            delattr(self, name)
        with torch.random.fork_rng(devices=()):  # PyTorch draws weights of its own, unused here
            self.readout = nn.Linear(start.cfg.width, len(weight))
        nn.init.zeros_(self.readout.weight)
        nn.init.zeros_(self.readout.bias)
        self.register_buffer("weight", weight, persistent=False)

    def predict(self, tokens: Tensor) -> Tensor:
        """Predict the columns (b, c) from whole images (b, n, v)."""
        return self.readout(self.encode(tokens, None)[:, 1:].mean(1))

    def column_loss(self, tokens: Tensor, columns: Tensor) -> Tensor:
        """Squared error of standardised columns (b, c), weighted, averaged over images: a scalar."""
        return (F.mse_loss(self.predict(tokens), columns, reduction="none") * self.weight).sum(1).mean()


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


def train_autoencoder(
    world: World, cfg: MAEConfig, seed: int, recipe: Recipe, device: str = "cpu"
) -> tuple[MAE, NDArray[np.float32]]:
    """Train the plain autoencoder.

    Parameters
    ----------
    world : World
    cfg : MAEConfig
        Sizes of the masked autoencoder that it is compared with.
    seed : int
        Training seed: its initial weights and its images.
    recipe : Recipe
        Its images are fresh at every step, as without `samples`.
    device : str
        ``cpu`` or ``cuda``.

    Returns
    -------
    model : MAE
    losses : ndarray (steps,)

    Raises
    ------
    TrainingError
        If the loss stops being finite.
    """
    model = initial_model(cfg, seed, world.seed)

    def batch(step: int) -> Batch:
        images = training_images(world, seed, recipe, step).images
        return (torch.from_numpy(as_tokens(world, images)),)

    def loss(tokens: Tensor) -> Tensor:
        return autoencoder_loss(model, tokens)

    return model, fit(model, batch, loss, recipe, f"autoencoder {world.name} w{world.seed} s{seed}", device)


def train_supervised(
    world: World, cfg: MAEConfig, seed: int, recipe: Recipe, device: str = "cpu"
) -> tuple[Supervised, NDArray[np.float32]]:
    """Train the supervised encoder; arguments, results and errors as of `train_autoencoder`."""
    moments = min(MOMENTS, world.images or MOMENTS)
    latents = world.sample(moments, stream="train", index=(seed,)).latents
    standard = Standard.of(latent_columns(world, latents))
    varies = np.isfinite(standard.std)
    model = Supervised(
        initial_model(cfg, seed, world.seed), torch.from_numpy(level_weights(world, latents, varies))
    )

    def batch(step: int) -> Batch:
        sample = training_images(world, seed, recipe, step)
        columns = standard.apply(latent_columns(world, sample.latents)).astype(np.float32)
        return torch.from_numpy(as_tokens(world, sample.images)), torch.from_numpy(columns)

    name = f"supervised {world.name} w{world.seed} s{seed}"
    return model, fit(model, batch, model.column_loss, recipe, name, device)


def train_null(
    world: World,
    patches: MaskPatches,
    visible: int,
    cfg: MAEConfig,
    seed: int,
    recipe: Recipe,
    device: str = "cpu",
) -> tuple[MAE, NDArray[np.float32]]:
    """Train as `maestrata.training.train.train` does, with targets rolled over the batch.

    Each image is to predict the next image's tokens at its own masked positions. They are independent of what
    it shows, so that the best prediction is the mean of the position. Arguments are those of `train`.

    Returns
    -------
    model : MAE
    losses : ndarray (steps,)

    Raises
    ------
    TrainingError
        If the loss stops being finite.
    """
    model = initial_model(cfg, seed, world.seed)
    batches = Batches(world, patches, visible, seed, recipe)

    def loss(tokens: Tensor, visible_ids: Tensor, masked_ids: Tensor) -> Tensor:
        target = model.targets(tokens.roll(-1, 0), masked_ids)
        return F.mse_loss(model(tokens, visible_ids, masked_ids), target)

    name = f"null_trained {world.name} w{world.seed} s{seed}"
    return model, fit(model, batches, loss, recipe, name, device)


def latent_columns(world: World, latents: dict[int, Any]) -> NDArray[np.float32]:
    """Latents of all levels side by side, level 1 first, symbols one-hot: (n, columns)."""
    parts = []
    for level, values in sorted(latents.items()):
        if world.discrete:
            values = one_hot(values[..., 0], world.n_symbols[level])
        parts.append(np.asarray(values, np.float32).reshape(len(values), -1))
    return np.concatenate(parts, axis=1)


def level_weights(world: World, latents: dict[int, Any], varies: NDArray[np.bool_]) -> NDArray[np.float32]:
    """Weight of each of `latent_columns` (c,): 1/L a level, shared equally by its columns that vary."""
    sizes = [v.shape[1] * world.n_symbols.get(level, v.shape[2]) for level, v in sorted(latents.items())]
    level = np.repeat(np.arange(len(sizes)), sizes)
    share = np.bincount(level, varies)[level] * len(sizes)
    return np.where(varies, 1 / np.maximum(share, 1), 0.0).astype(np.float32)
