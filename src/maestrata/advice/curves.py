"""Supply, demand and gain of every level of a tree, for every mask patch and ratio.

A node has two halves. Let tokens of one half be masked. What is visible of that half is their *closer
context*.

- *Demand*: how much more of the masked tokens is explained when the factor that the halves share is given, as
  the whole other half tells it, beside the closer context.
- *Gain*: how much more is explained when the other half shows just what is visible of it.
- *Supply*: gain over demand, the share of the factor's help that the visible part can give.

All three are shares of the variance of all masked tokens, and by level the gains add up to what is explained
in all. They are found by regressions along the tree, fitted to some images and measured on others: from the
leaves up, each block's variates from what is visible of its halves, and from there down to the masked tokens,
each time with products, as belief propagation would.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import cho_factor, cho_solve

from maestrata.advice.factors import Factors, with_products
from maestrata.geometry import TokenGrid
from maestrata.masks import MaskPatches, realised_ratio, visible_count
from maestrata.random import stream
from maestrata.theory.ensembles import MaskEnsemble, mask_ensemble
from maestrata.worlds.latent_tree import Tree

Floats = NDArray[np.float64]
Single = NDArray[np.float32]

LEAST_VISIBLE = 2  # patches
ENUMERATED = 80  # masks: where there are no more, all are taken
RIDGE = 1e-3  # of the mean variance of the features
KEPT = 1024  # estimates that are kept in memory, each of some hundred kB


@dataclass(frozen=True)
class MaskCell:
    """One way to mask: mask patches, how many of them are visible, and masks drawn so.

    Attributes
    ----------
    patches : MaskPatches
    visible : int
    masks : MaskEnsemble
        All of them where they are few.
    """

    patches: MaskPatches
    visible: int
    masks: MaskEnsemble = field(repr=False, compare=False)

    @property
    def ratio(self) -> float:
        """Share that is masked."""
        return realised_ratio(self.patches.n_patches, self.visible)


def mask_cells(
    grid: TokenGrid, ratios: tuple[float, ...], patches: Sequence[str] | None, n_masks: int, seed: int
) -> list[MaskCell]:
    """Return the ways to mask a grid: each block of the dyadic tree as a patch (or those named), each ratio.

    Two ratios that leave the same patches visible are one. Those that leave a single one are left out: such a
    model never puts two patches together, so that a whole image is unlike anything that it was trained on.
    """
    cells = {}
    blocks = (MaskPatches(grid, *grid.block_shape(level)) for level in range(grid.levels))
    for shape in blocks if patches is None else (MaskPatches.parse(label, grid) for label in patches):
        for ratio in ratios:
            visible = visible_count(shape.n_patches, ratio)
            if visible >= LEAST_VISIBLE:
                rng = stream(seed, "theory", shape.height, shape.width, visible)
                masks = mask_ensemble(shape, ratio, "fixed", n_masks, rng, ENUMERATED)
                cells[shape.label, visible] = MaskCell(shape, visible, masks)
    return list(cells.values())


class Curves:
    """What masks leave to be explained, and through which level.

    Parameters
    ----------
    tree : Tree
    factors : Factors
    pixels : list of float arrays (n, p)
        Of each token: what is to be predicted.
    fitted : int
        Images, the first ones, that regressions are fitted to.
    weights : float array (replicates, n - fitted)
        How often each replicate counts each of the other images.
    """

    def __init__(
        self, tree: Tree, factors: Factors, pixels: list[Floats], fitted: int, weights: NDArray[np.floating]
    ) -> None:
        self.tree, self._strength, self._fitted = tree, factors.strength, fitted
        self._variates = [part.astype(np.float32) for part in factors.variates]
        self._pixels = [part.astype(np.float32) for part in pixels]
        self._weights = weights.astype(np.float32)
        self._bits = [sum(1 << leaf for leaf in block.leaves) for block in tree.blocks]
        self._sibling: dict[int, int] = {}
        for _, block in tree.inner():
            assert block.halves is not None
            one, other = block.halves
            self._sibling |= {one: other, other: one}
        self._variance = [self._counted(np.square(part[fitted:]).sum(1)) for part in self._pixels]
        self._explained: dict[tuple[int, int, bool], Floats] = {}
        self._estimate = lru_cache(KEPT)(self._estimated)

    def of_mask(self, masked: NDArray[np.bool_]) -> tuple[Floats, Floats]:
        """Return demand and gain of a mask (tokens,), True where masked: each (levels, replicates)."""
        shown, total = self._shown(masked)
        demand, gain = (np.zeros((self.tree.levels, len(self._weights))) for _ in range(2))
        for place, block in self.tree.inner():
            at = block.level - 1
            gain[at] += self.explained(place, shown)
            for half in block.halves or ():
                gain[at] -= self.explained(half, shown)
                demand[at] += self.explained(half, shown, True) - self.explained(half, shown)
        return demand / total, gain / total

    def of_labels(self, masked: NDArray[np.bool_]) -> tuple[Floats, Floats]:
        """Return demand and gain of the labels, each (1, replicates): the root's sibling in the factors.

        Gain is demand times supply: how much of what all tokens tell of the labels the visible ones tell.
        """
        root = len(self.tree.blocks) - 1
        shown, total = self._shown(masked)
        demand = (self.explained(root, shown, True) - self.explained(root, shown)) / total
        seen, labels = self._estimate(root, shown), self._variates[root + 1]
        assert seen is not None
        told = [self._told(features, labels) for features in (seen, self._variates[root])]
        supply = np.clip(told[0] / np.maximum(told[1], 1e-9), 0, 1)
        return demand[None], (demand * supply)[None]

    def _shown(self, masked: NDArray[np.bool_]) -> tuple[int, Floats]:
        """Return a mask's visible tokens as bits, and the variance of the masked ones, (replicates,)."""
        total = np.sum([self._variance[token] for token in np.flatnonzero(masked)], 0)
        return sum(1 << int(token) for token in np.flatnonzero(~masked)), total

    def explained(self, place: int, shown: int, told: bool = False) -> Floats:
        """Variance of the masked tokens of a block that its visible ones explain, (replicates,).

        `told`: that they and the block's sibling explain, all of it.
        """
        here = shown & self._bits[place]
        if here == self._bits[place] or not (here or told):
            return np.zeros(len(self._weights))
        key = (place, here, told)
        if key not in self._explained:
            start = self._variates[self._other(place)] if told else None
            self._explained[key] = np.sum(list(self._down(place, here, start)), 0)
        return self._explained[key]

    def _other(self, place: int) -> int:
        return self._sibling.get(place, len(self.tree.blocks))

    def _down(self, place: int, shown: int, context: Single | None) -> list[Floats]:
        """What is explained of each masked token below a block, from what is shown of it and its context."""
        halves = self.tree.blocks[place].halves
        if halves is None:
            return [] if context is None else [self._told(context, self._pixels[place])]
        out: list[Floats] = []
        for half in halves:
            here = shown & self._bits[half]
            if here == self._bits[half]:
                continue
            other = self._other(half)
            features = _combined(self._estimate(other, shown & self._bits[other]), context)
            inner = self.tree.blocks[half].halves is not None
            if features is not None and inner:
                features = self._regressed(features, self._variates[half])
            out += self._down(half, here, features)
        return out

    def _estimated(self, place: int, shown: int) -> Single | None:
        """Return a block's variates as far as the tokens shown tell them; None where none is."""
        if shown == self._bits[place]:
            return self._variates[place]
        block = self.tree.blocks[place]
        if not shown or block.halves is None:
            return None
        parts = [self._estimate(half, shown & self._bits[half]) for half in block.halves]
        features = _combined(*parts)
        assert features is not None
        return self._regressed(features, self._variates[place])

    def _regressed(self, features: Single, target: Single) -> Single:
        """Predict a target by ridge regression, for all images."""
        fit = slice(0, self._fitted)
        mean, middle = features[fit].mean(0), target[fit].mean(0)
        x = features - mean
        gram = x[fit].T @ x[fit]
        gram[np.diag_indices_from(gram)] += RIDGE * gram.trace() / len(gram) + 1e-6
        weights = cho_solve(cho_factor(gram, check_finite=False), x[fit].T @ (target[fit] - middle))
        predicted: Single = x @ weights + middle
        return predicted

    def _told(self, features: Single, target: Single) -> Floats:
        """Return the variance of a target, summed over its values, that features explain: (replicates,)."""
        rest = slice(self._fitted, None)
        error = np.square(target[rest] - self._regressed(features, target)[rest]).sum(1)
        return self._counted(np.square(target[rest]).sum(1) - error)

    def _counted(self, values: NDArray[np.floating]) -> Floats:
        counted: Floats = self._weights @ values.astype(np.float32) / self._weights.sum(1)
        return counted.astype(np.float64)


def _combined(one: Single | None, other: Single | None) -> Single | None:
    """Two sets of features with their products; None where there is neither."""
    if one is None or other is None:
        return other if one is None else one
    return with_products(one, other)


def pixel_share(pixels: list[Floats], masked: NDArray[np.bool_], fitted: int, shrinkage: float) -> float:
    """Share of the masked tokens' variance that the visible tokens' pixels explain, linearly.

    Fitted to some images by the shrunk covariance and measured on the others.
    """
    x, y = (
        np.concatenate([pixels[token] for token in np.flatnonzero(part)], 1) for part in (~masked, masked)
    )
    s = (1 - shrinkage) * (x[:fitted].T @ x[:fitted] / fitted)
    s[np.diag_indices_from(s)] = np.square(x[:fitted]).mean(0)
    weights = np.linalg.lstsq(s, (1 - shrinkage) * (x[:fitted].T @ y[:fitted] / fitted), rcond=1e-9)[0]
    rest = y[fitted:]
    return float(1 - np.square(rest - x[fitted:] @ weights).sum() / np.square(rest).sum())
