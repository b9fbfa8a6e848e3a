"""What a probe can be given of one encoder under one set of masks: vectors per image, or per node.

A view holds the training and the test images of a world, in that order: it pools all rows at once.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from maestrata.geometry import TokenGrid
from maestrata.masks import MaskPatches, evaluation_masks, visible_count
from maestrata.representation.pooling import node_means, place_tokens, pool, visible_under

Vectors = NDArray[np.float32]
Counts = tuple[int, int]  # training images, test images


@dataclass(frozen=True)
class EvalMasks:
    """Masks under which images are encoded for evaluation, the same for every model of a world.

    Attributes
    ----------
    label : str
        ``0`` (the whole image), ``0.5`` (one-token patches), or ``training`` (the cell's own masks).
    grid : TokenGrid
    visible_ids : ndarray (n, k) of int, or None
        Visible tokens of the training images, then of the test images; None: the whole image.
    """

    label: str
    grid: TokenGrid
    visible_ids: NDArray[np.int64] | None

    @classmethod
    def draw(
        cls,
        label: str,
        grid: TokenGrid,
        world_seed: int,
        counts: Counts,
        patches: MaskPatches,
        visible: int,
    ) -> EvalMasks:
        """Draw masks in `patches` with `visible` of them visible.

        `counts` are the numbers of training and of test images. The mask of a test image depends on no
        number of images, so that the exact posterior of the same images sees the same tokens.
        """
        splits = zip(counts, ("probe-train", "test"), strict=True)
        ids = [evaluation_masks(world_seed, patches, visible, n, split)[0] for n, split in splits]
        return cls(label, grid, np.concatenate(ids))

    def same_as(self, other: EvalMasks) -> bool:
        """Whether both show every image alike."""
        if self.visible_ids is None or other.visible_ids is None:
            return self.visible_ids is other.visible_ids
        return np.array_equal(self.visible_ids, other.visible_ids)

    def present(self, level: int, n: int) -> NDArray[np.bool_]:
        """Whether any token under each node is visible, in each of `n` images: (n, n_nodes)."""
        if self.visible_ids is None:
            return np.ones((n, self.grid.n_nodes(level)), bool)
        return visible_under(self.visible_ids, self.grid, level) > 0


def standard_masks(ratio: float, grid: TokenGrid, world_seed: int, counts: Counts) -> EvalMasks:
    """Masks of a common evaluation ratio: none for 0, else in one-token patches whatever the training's."""
    label = f"{ratio:g}"
    if ratio == 0:
        return EvalMasks(label, grid, None)
    patches = MaskPatches(grid)
    return EvalMasks.draw(label, grid, world_seed, counts, patches, visible_count(patches.n_patches, ratio))


class View(Protocol):
    """What probes read of one encoder, at one layer, under one set of masks."""

    @property
    def poolings(self) -> tuple[str, ...]:
        """Poolings that can be read."""
        ...

    @property
    def one_vector(self) -> bool:
        """Whether `vectors` is the same for all of them: it is then read once and filed under each."""
        ...

    def vectors(self, pooling: str) -> Vectors:
        """One vector an image (n, p), for any pooling but ``aligned``."""
        ...

    def nodes(self) -> Iterator[Vectors]:
        """Yield, level by level from 0, the ``aligned`` features of each node (n, n_nodes, p).

        Rows of a wholly masked node are not to be read.
        """
        ...


@dataclass
class TokenView:
    """View of tokens: those of an encoder's layer, or raw pixel tokens.

    Attributes
    ----------
    tokens : ndarray (n, 1 + k, width), or (n, k, width) without [CLS]
    masks : EvalMasks
    poolings : tuple of str
    has_cls : bool
    one_vector : bool
        See `View`: tokens pooled in two ways are two vectors.
    """

    tokens: Vectors
    masks: EvalMasks
    poolings: tuple[str, ...]
    has_cls: bool = True
    one_vector: bool = False

    def vectors(self, pooling: str) -> Vectors:
        """Pooled tokens (n, p)."""
        return pool(self.tokens, self.masks.visible_ids, pooling, self.masks.grid, has_cls=self.has_cls)

    def nodes(self) -> Iterator[Vectors]:
        """Mean of the visible tokens under each node."""
        patches = self.tokens[:, 1:] if self.has_cls else self.tokens
        placed = place_tokens(patches, self.masks.visible_ids, self.masks.grid.n_tokens)
        return node_means(placed, self.masks.visible_ids, self.masks.grid)


@dataclass
class VectorView:
    """View of what has one vector an image for each pooling, and nothing for a node.

    Attributes
    ----------
    by_pooling : dict of str to ndarray (n, p)
    one_vector : bool
        See `View`.
    """

    by_pooling: dict[str, Vectors]
    one_vector: bool = False

    @property
    def poolings(self) -> tuple[str, ...]:
        """Poolings that there are."""
        return tuple(self.by_pooling)

    def vectors(self, pooling: str) -> Vectors:
        """One vector an image (n, p)."""
        return self.by_pooling[pooling]

    def nodes(self) -> Iterator[Vectors]:
        """Yield nothing: ``aligned`` is not among the poolings."""
        yield from ()


class Encoder(Protocol):
    """What views are made of: the trained model, or a control."""

    name: str

    def views(self, masks: EvalMasks) -> Iterator[tuple[int, View]]:
        """Yield (layer, view) under the masks given; what has no layers yields one view, at the last."""
        ...
