"""All that is computed of images before a goal is asked for: tree, factors, and curves of every level."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.covariance import ledoit_wolf_shrinkage

from maestrata.advice.curves import Curves, MaskCell, mask_cells, pixel_share
from maestrata.advice.factors import Factors, find_factors
from maestrata.advice.images import Images
from maestrata.advice.result import Advice, Row, decide
from maestrata.errors import AdviceError
from maestrata.geometry import TokenGrid
from maestrata.random import stream
from maestrata.resampling import bootstrap_weights
from maestrata.theory.linear import linear_mae, linear_r2
from maestrata.worlds.latent_tree import REPLICATES, Tree, estimate_tree
from maestrata.worlds.token_features import token_features

Floats = NDArray[np.float64]

RATIOS = (0.1, 0.25, 0.5, 0.75, 0.9)
MOST_MASKS, LEAST_MASKS = 24, 6  # of each way to mask: few where tokens are many
FITTED = 0.75  # of the images; the others measure
LEAST_IMAGES = 500
TIE = 0.05
"""Ways to mask whose gain may be within this share of the best one's are not told apart."""
LINEAR_RANK = 16  # width of the linear masked autoencoder's bottleneck, as in the theory of a sweep


class Survey:
    """All that is computed of images, whatever the level that is asked for.

    Parameters
    ----------
    given : Images
    ratios, patches, seed
        As of `advise`.
    labels : bool
        Whether the goal is the labels.

    Attributes
    ----------
    tree : Tree
    explained : dict
        As of `Advice`.
    """

    def __init__(
        self,
        given: Images,
        ratios: Sequence[float] = RATIOS,
        patches: Sequence[str] | None = None,
        labels: bool = False,
        seed: int = 0,
    ) -> None:
        n = len(given.images)
        if n < LEAST_IMAGES:
            raise AdviceError(f"{given.where} holds {n} images: at least {LEAST_IMAGES} are needed")
        n_masks = int(np.clip(MOST_MASKS * 8 // given.grid.n_tokens, LEAST_MASKS, MOST_MASKS))
        self._cells = mask_cells(given.grid, tuple(ratios), patches, n_masks, seed)
        if not self._cells:
            raise AdviceError(
                f"ratios={tuple(ratios)} leave fewer than two mask patches visible of {given.about}"
            )
        self._given, self._seed = given, seed
        features = token_features(given.images, given.grid, given.token_pixels, stream(seed, "probe"))
        still = [token for token, part in enumerate(features.pixels) if not part.shape[1]]
        if still:
            at = divmod(still[0], given.grid.width)
            raise AdviceError(
                f"{given.about}: {len(still)} of them never vary, the first at row {at[0]}, column {at[1]}: "
                "crop the images, or take a larger token_pixels"
            )
        self.tree = estimate_tree(features, seed)
        fitted = int(FITTED * n)
        onehot = _onehot(given.labels) if labels else None
        factors = find_factors(self.tree, features.features, fitted, onehot)
        weights = np.concatenate([np.ones((1, n - fitted)), bootstrap_weights(seed, n - fitted, REPLICATES)])
        curves = Curves(self.tree, factors, features.pixels, fitted, weights)
        # of each cell, demand and gain (masks, levels or 1, replicates)
        of_mask = curves.of_labels if labels else curves.of_mask
        measured = [[of_mask(mask) for mask in cell.masks.masked] for cell in self._cells]
        self._demand, self._gain = (
            [np.array([pair[which] for pair in cell]) for cell in measured] for which in (0, 1)
        )
        self._linear = _linear(factors, self.tree, features.pixels, self._cells, labels)
        self.explained = _explained(curves, given.grid, features.pixels, fitted, n_masks, seed)

    def advice(self, level: int | None, explained: Mapping[str, float] | None = None) -> Advice:
        """Advise on a level, or on the labels (None)."""
        at = 0 if level is None else min(level, self.tree.levels) - 1
        told, goal = {**self.explained, **(explained or {})}, "labels"
        if level is not None:
            height, width = self._given.grid.block_shape(level)
            goal = f"level {level}, blocks of {height}x{width} tokens"
        rows = self._rows(at)
        best, reason = decide(rows, told)
        return Advice(best, rows, reason, goal, self.tree.kind, self.tree.support, told, self._given.about)

    def _rows(self, at: int) -> tuple[Row, ...]:
        """Sum up over masks; a replicate draws images anew, and masks where these are not all."""
        scores = np.zeros((len(self._cells), 1 + REPLICATES))
        for i, cell in enumerate(self._cells):
            gain = self._gain[i][:, at]
            counted = np.ones((1 + REPLICATES, len(gain)))
            if not cell.masks.exact:
                counted[1:] = bootstrap_weights(self._seed, len(gain), REPLICATES)
            scores[i] = np.einsum("mr,rm->r", gain, counted) / len(gain)
        lead = scores[scores[:, 0].argmax()] - scores
        # where the best one's lead may be within a tie, the two are not told apart
        tied = lead[:, 0] - 1.96 * lead[:, 1:].std(1, ddof=1) <= TIE * scores[:, 0].max()
        rows = []
        for i, cell in enumerate(self._cells):
            value, spread = float(scores[i, 0]), 1.96 * float(scores[i, 1:].std(ddof=1))
            wanted = float(self._demand[i][:, at, 0].mean())
            supply = float(np.clip(value / wanted, 0, 1)) if wanted > 0 else 0.0
            numbers = (supply, wanted, value, value - spread, value + spread, self._linear[at][i])
            rows.append(Row(cell.patches.label, cell.ratio, cell.visible, *numbers, bool(tied[i])))
        return tuple(rows)


def _onehot(labels: NDArray[Any] | None) -> Floats | None:
    if labels is None:
        return None
    names, which = np.unique(labels, return_inverse=True)
    return np.eye(len(names))[which.ravel()]


def _linear(
    factors: Factors, tree: Tree, pixels: list[Floats], cells: list[MaskCell], labels: bool
) -> list[list[float]]:
    """Return the R2 of factors from the features of the linear masked autoencoder of each cell, by level."""
    of_level = (
        [[len(tree.blocks)]]
        if labels
        else [
            [half for _, block in tree.inner(level) for half in block.halves or ()]
            for level in range(1, tree.levels + 1)
        ]
    )
    x = np.concatenate(pixels, 1)
    covariance = x.T @ x / len(x)
    token = np.repeat(np.arange(len(pixels)), [part.shape[1] for part in pixels])
    encoders = [
        linear_mae(
            covariance, cell.patches.patch_of_token[token], cell.ratio, "all", rank=LINEAR_RANK
        ).encoder
        for cell in cells
    ]
    out = []
    for halves in of_level:
        values = np.concatenate([factors.variates[half] for half in halves] or [x[:, :0]], 1)
        weights = np.concatenate([factors.strength[half] for half in halves] or [np.zeros(0)])
        r2 = [linear_r2(encoder, covariance, x.T @ values / len(x)) for encoder in encoders]
        out.append([float(each @ weights / max(weights.sum(), 1e-12)) for each in r2])
    return out


def _explained(
    curves: Curves, grid: TokenGrid, pixels: list[Floats], fitted: int, n_masks: int, seed: int
) -> dict[str, float]:
    """Return what is explained of masked tokens where half are masked, one by one."""
    half = mask_cells(grid, (0.5,), ("1x1",), n_masks, seed)[0].masks.masked
    shrinkage = ledoit_wolf_shrinkage(np.concatenate(pixels, 1)[:fitted])
    linear = [pixel_share(pixels, mask, fitted, shrinkage) for mask in half]
    factors = [curves.of_mask(mask)[1][:, 0].sum() for mask in half]
    return {"linear": float(np.mean(linear)), "factors": float(np.mean(factors))}
