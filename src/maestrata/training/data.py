"""What a run draws: its initial weights, its images and its masks.

Each comes from a named stream (`maestrata.random`), so that any step can be made alone.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from maestrata.geometry import patchify
from maestrata.masks import MaskPatches, draw_masks
from maestrata.model.mae import MAE, MAEConfig
from maestrata.random import integer_seed, stream
from maestrata.training.recipe import Recipe
from maestrata.worlds.base import Sample, World

MaskSource = Callable[[int], tuple[NDArray[np.int64], NDArray[np.int64]]]
"""Step -> visible ids (b, k) and masked ids (b, m), each ascending."""


def initial_model(cfg: MAEConfig, seed: int, world_seed: int) -> MAE:
    """Return the untrained model that training starts from, of the seed's stream ``("init", world_seed)``.

    Each world has a start of its own, so that worlds are independent of each other.
    """
    return MAE(cfg).initialise(torch.Generator().manual_seed(integer_seed(seed, "init", world_seed)))


def training_images(world: World, seed: int, recipe: Recipe, step: int) -> Sample:
    """Draw the fresh images of a step, of the world's stream ``("train", seed, step)``."""
    return world.sample(recipe.batch, stream="train", index=(seed, step))


def mask_uniforms(world: World, seed: int, step: int, shape: tuple[int, int]) -> NDArray[np.float32]:
    """Draw the uniforms (b, N) that the masks of a step are made of, of ``("masks", world_seed, step)``."""
    return stream(seed, "masks", world.seed, step).random(shape, dtype=np.float32)


def as_tokens(world: World, images: NDArray[np.floating]) -> NDArray[np.float32]:
    """Cut images (n, channel, y, x) into tokens (n, n_tokens, v), in one piece."""
    return np.ascontiguousarray(patchify(images, world.token_pixels), dtype=np.float32)


class Batches:
    """Batches of one run of a masked autoencoder, made on the CPU.

    Images are fresh at every step (`training_images`). With ``recipe.samples`` set, the run has only the
    first that many of these, and goes through them in an order that is shuffled anew every epoch (stream
    ``("shuffle", world_seed, epoch)`` of the seed). Masks are always fresh, from ``("masks", world_seed,
    step)``.

    Parameters
    ----------
    world : World
    patches : MaskPatches
    visible : int
        Visible patches.
    seed : int
        Training seed.
    recipe : Recipe
    masks : callable, optional
        In place of masks drawn at random: see `fixed_masks`.
    """

    def __init__(
        self,
        world: World,
        patches: MaskPatches,
        visible: int,
        seed: int,
        recipe: Recipe,
        masks: MaskSource | None = None,
    ) -> None:
        self.world, self.patches, self.visible, self.seed, self.recipe = world, patches, visible, seed, recipe
        self._masks = masks or self._drawn_masks
        self._orders: dict[int, NDArray[np.int64]] = {}  # of the epochs that the last batch reached
        self._set: NDArray[np.float32] | None = None
        if recipe.samples is not None:
            parts = [self._fresh(i) for i in range(-(-recipe.samples // recipe.batch))]
            self._set = np.concatenate(parts)[: recipe.samples]

    def __call__(self, step: int) -> tuple[Tensor, Tensor, Tensor]:
        """Return tokens (b, n, v), visible_ids (b, k) and masked_ids (b, m) of a step."""
        tokens = self._fresh(step) if self._set is None else self._set[self.rows(step)]
        visible_ids, masked_ids = self._masks(step)
        return torch.from_numpy(tokens), torch.from_numpy(visible_ids), torch.from_numpy(masked_ids)

    def rows(self, step: int) -> NDArray[np.int64]:
        """Return which images of the finite training set a step takes, maybe of two epochs."""
        n, batch = self.recipe.samples or 0, self.recipe.batch
        epoch, place = np.divmod(np.arange(step * batch, (step + 1) * batch), n)
        self._orders = {int(e): self._order(int(e), n) for e in np.unique(epoch)}
        return np.stack([self._orders[int(e)][p] for e, p in zip(epoch, place, strict=True)])

    def _fresh(self, step: int) -> NDArray[np.float32]:
        return as_tokens(self.world, training_images(self.world, self.seed, self.recipe, step).images)

    def _drawn_masks(self, step: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        uniforms = mask_uniforms(self.world, self.seed, step, (self.recipe.batch, self.patches.n_patches))
        return draw_masks(self.patches, self.visible, uniforms)

    def _order(self, epoch: int, n: int) -> NDArray[np.int64]:
        if epoch in self._orders:
            return self._orders[epoch]
        return stream(self.seed, "shuffle", self.world.seed, epoch).permutation(n)


def fixed_masks(masked: NDArray[np.bool_], batch: int) -> MaskSource:
    """Return the source of one mask, the same for every image: masked (n_tokens,), True where masked."""
    hidden = np.broadcast_to(np.flatnonzero(masked), (batch, int(masked.sum()))).copy()
    seen = np.broadcast_to(np.flatnonzero(~masked), (batch, int((~masked).sum()))).copy()
    return lambda step: (seen, hidden)
