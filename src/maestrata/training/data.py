"""Batches of a run: images and masks of every step, each from a named stream, so that any step can be made alone."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from maestrata.geometry import patchify
from maestrata.masks import MaskPatches, draw_masks
from maestrata.random import stream
from maestrata.training.recipe import Recipe
from maestrata.worlds.base import World


class Batches:
    """Batches of one run, made on the CPU.

    Images are fresh at every step, from the stream ``("train", seed, step)`` of the world; with ``recipe.samples`` set they
    are that many, drawn once from ``("train", seed)`` and gone through in an order that is shuffled anew every epoch. Masks
    are always fresh.

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
        self._epochs: dict[int, np.ndarray] = {}
        self._set = None
        if recipe.samples is not None:
            images = world.sample(recipe.samples, stream="train", index=(seed,)).images
            self._set = patchify(images, world.token_pixels)

    def __call__(self, step: int) -> tuple[Tensor, Tensor, Tensor]:
        """Return tokens (b, n, v), visible_ids (b, k) and masked_ids (b, m) of a step."""
        if self._set is None:
            index = (self.seed, step)
            images = self.world.sample(self.recipe.batch, stream="train", index=index).images
            tokens = patchify(images, self.world.token_pixels)
        else:
            tokens = self._set[self._rows(step)]
        rng = stream(self.seed, "masks", self.world.seed, step)
        uniforms = rng.random((self.recipe.batch, self.patches.n_patches), dtype=np.float32)
        ids = draw_masks(self.patches, self.visible, uniforms)
        return torch.from_numpy(np.ascontiguousarray(tokens)), torch.from_numpy(ids[0]), torch.from_numpy(ids[1])

    def _rows(self, step: int) -> np.ndarray:
        """Rows of the finite training set that a step takes; a batch may reach into the next epoch."""
        n, batch = len(self._set or ()), self.recipe.batch
        place = np.arange(step * batch, (step + 1) * batch)
        epochs = {int(e): self._order(int(e), n) for e in np.unique(place // n)}
        self._epochs = epochs  # no more than the epochs of one batch are kept
        return np.array([epochs[p // n][p % n] for p in place])

    def _order(self, epoch: int, n: int) -> np.ndarray:
        if epoch in self._epochs:
            return self._epochs[epoch]
        return stream(self.seed, "shuffle", self.world.seed, epoch).permutation(n)
