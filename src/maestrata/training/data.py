"""Batches of a run: images and masks of every step, each from a named stream, so that any step can be made
alone.
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from maestrata.geometry import patchify
from maestrata.masks import MaskPatches, draw_masks
from maestrata.random import stream
from maestrata.training.recipe import Recipe
from maestrata.worlds.base import World


class Batches:
    """Batches of one run, made on the CPU.

    Images are fresh at every step, from the stream ``("train", seed, step)`` of the world. With
    ``recipe.samples`` set, the run has only the first that many of these, and goes through them in an order
    that is shuffled anew every epoch (stream ``("shuffle", world_seed, epoch)`` of the seed). Masks are
    always fresh, from ``("masks", world_seed, step)``.

    Parameters
    ----------
    world : World
    patches : MaskPatches
    visible : int
        Visible patches.
    seed : int
        Training seed.
    recipe : Recipe
    """

    def __init__(self, world: World, patches: MaskPatches, visible: int, seed: int, recipe: Recipe) -> None:
        self.world, self.patches, self.visible, self.seed, self.recipe = world, patches, visible, seed, recipe
        self._orders: dict[int, NDArray[np.int64]] = {}  # of the epochs that the last batch reached
        self._set: NDArray[np.float32] | None = None
        if recipe.samples is not None:
            parts = [self._fresh(i) for i in range(-(-recipe.samples // recipe.batch))]
            self._set = np.concatenate(parts)[: recipe.samples]

    def __call__(self, step: int) -> tuple[Tensor, Tensor, Tensor]:
        """Return tokens (b, n, v), visible_ids (b, k) and masked_ids (b, m) of a step."""
        tokens = self._fresh(step) if self._set is None else self._set[self.rows(step)]
        rng = stream(self.seed, "masks", self.world.seed, step)
        uniforms = rng.random((self.recipe.batch, self.patches.n_patches), dtype=np.float32)
        visible_ids, masked_ids = draw_masks(self.patches, self.visible, uniforms)
        return torch.from_numpy(tokens), torch.from_numpy(visible_ids), torch.from_numpy(masked_ids)

    def rows(self, step: int) -> NDArray[np.int64]:
        """Return which images of the finite training set a step takes, maybe of two epochs."""
        n, batch = self.recipe.samples or 0, self.recipe.batch
        epoch, place = np.divmod(np.arange(step * batch, (step + 1) * batch), n)
        self._orders = {int(e): self._order(int(e), n) for e in np.unique(epoch)}
        return np.stack([self._orders[int(e)][p] for e, p in zip(epoch, place, strict=True)])

    def _fresh(self, step: int) -> NDArray[np.float32]:
        images = self.world.sample(self.recipe.batch, stream="train", index=(self.seed, step)).images
        return np.ascontiguousarray(patchify(images, self.world.token_pixels), dtype=np.float32)

    def _order(self, epoch: int, n: int) -> NDArray[np.int64]:
        if epoch in self._orders:
            return self._orders[epoch]
        return stream(self.seed, "shuffle", self.world.seed, epoch).permutation(n)
