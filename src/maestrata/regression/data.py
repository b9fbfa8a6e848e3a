"""What probes are fitted to and scored on: the images of a world, their targets, and the masks on them.

It depends on the world alone, so that it is the same for all its models and controls.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from maestrata.errors import ProbeError
from maestrata.geometry import TokenGrid
from maestrata.masks import MaskPatches, evaluation_masks, visible_count
from maestrata.representation.pooling import visible_under
from maestrata.resampling import bootstrap_weights
from maestrata.scoring import MIN_TEST, Scorer, TargetTable
from maestrata.worlds.base import World

MIN_TRAIN = 100
"""With fewer training images in which a node is visible, it gets no score."""

Counts = tuple[int, int]  # training images, test images
Vectors = NDArray[np.float32]
Features = Vectors | Iterator[Vectors]
"""Of the training, then the test images: (n, p); by node one array a level, (n, nodes, p), under ``tokens``
(n, nodes, tokens, p), in which the rows of a wholly masked node mean nothing."""
Labelled = Iterator[tuple[int, str, Features]]
"""(layer, pooling, features)."""


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
        cls, label: str, grid: TokenGrid, world_seed: int, counts: Counts, patches: MaskPatches, visible: int
    ) -> EvalMasks:
        """Draw masks in `patches` with `visible` of them visible.

        `counts` are the numbers of training and of test images. The mask of a test image depends on no
        number of images, so that the exact posterior of the same images sees the same tokens.
        """
        splits = zip(counts, ("probe-train", "test"), strict=True)
        ids = [evaluation_masks(world_seed, patches, visible, n, split)[0] for n, split in splits]
        return cls(label, grid, np.concatenate(ids))

    @classmethod
    def common(cls, ratio: float, grid: TokenGrid, world_seed: int, counts: Counts) -> EvalMasks:
        """Return those of a common ratio: none for 0, else in one-token patches whatever the training's."""
        label = f"{ratio:g}"
        if ratio == 0:
            return cls(label, grid, None)
        patches = MaskPatches(grid)
        return cls.draw(label, grid, world_seed, counts, patches, visible_count(patches.n_patches, ratio))

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


Encode = Callable[[EvalMasks, Sequence[str]], Labelled]
"""Masks, poolings that are wanted -> features of each layer and pooling that the encoder has. What has no
layers stands at the last one; an array that serves two poolings is yielded twice, and scored once."""


@dataclass(frozen=True)
class ProbeData:
    """The images of a world on which every encoder is scored.

    Attributes
    ----------
    world : World
    images : ndarray (probe_train + test, channel, y, x)
        Of the streams ``probe-train``, then ``test``.
    train, test : TargetTable
    scorer : Scorer
        Of predictions of the targets of all test images.
    """

    world: World
    images: NDArray[np.float32]
    train: TargetTable
    test: TargetTable
    scorer: Scorer

    @classmethod
    def draw(
        cls, world: World, probe_train: int, test: int, replicates: int, kinds: Sequence[str] | None = None
    ) -> ProbeData:
        """Draw images, targets (of some of the world's `kinds`, or all) and bootstrap weights.

        Raises
        ------
        ProbeError
            If there are too few images for any score.
        """
        for key, n, least in (("probe_train", probe_train, MIN_TRAIN), ("test", test, MIN_TEST)):
            if n < least:
                raise ProbeError(f"{key}={n} must be at least {least}: no probe is scored on fewer images")
        images = np.empty((probe_train + test, *world.image_shape), np.float32)
        tables = []
        for stream, rows in (("probe-train", slice(probe_train)), ("test", slice(probe_train, None))):
            sample = world.sample(len(images[rows]), stream=stream)
            images[rows] = sample.images
            targets = [t for t in world.targets(sample) if t.kind in (kinds or world.kinds)]
            tables.append(TargetTable.of(targets, None if world.latent else len(sample.images)))
            del sample, targets  # noise of all pixels: much, and not needed any more
        fitted, scored = tables
        scorer = Scorer(scored, bootstrap_weights(world.seed, test, replicates))
        return cls(world, images, fitted, scored, scorer)

    @property
    def n_train(self) -> int:
        """Number of training images."""
        return len(self.train.values)

    @property
    def counts(self) -> Counts:
        """Numbers of training and of test images."""
        return self.n_train, len(self.test.values)

    def common_masks(self, ratio: float) -> EvalMasks:
        """Return the masks of a common ratio."""
        return EvalMasks.common(ratio, self.world.grid, self.world.seed, self.counts)

    def masks(self, label: str, patches: MaskPatches, visible: int) -> EvalMasks:
        """Draw masks in `patches` with `visible` of them visible."""
        return EvalMasks.draw(label, self.world.grid, self.world.seed, self.counts, patches, visible)

    def scorer_under(self, masks: EvalMasks) -> Scorer:
        """Return the scorer to which an image counts for the nodes alone of which it shows something."""
        if masks.visible_ids is None:
            return self.scorer
        n, start = len(self.images), self.n_train
        present = {level: masks.present(level, n)[start:] for level in self.test.levels}
        return Scorer(self.test, self.scorer.weights, present)
