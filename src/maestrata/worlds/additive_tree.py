"""A nonlinear tree with additive noise: the first world of the claims about masking ratio and patch size.

Each child is ``rho f(parent) + sqrt(1 - rho**2) noise``, with ``f(u) = B standardise(|A u| + fold A u)``
between orthogonal maps A and B of its own. The fold loses the sign of ``A u`` in part, so that a child
tells much about its parent, little of it linearly.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from array_api_compat import array_namespace

from maestrata.random import stream
from maestrata.worlds.checks import check_number
from maestrata.worlds.maps import apply_maps, orthogonal, to_children
from maestrata.worlds.trees import NoisyTree

# samples by which a world's functions are standardised; more would slow every reading of a config
CALIBRATION = 16_384


class AdditiveTree(NoisyTree):
    """Additive tree.

    Parameters
    ----------
    seed : int
    leaves, dim, token_pixels : int
    rho : float
        As in `NoisyTree`.
    fold : float
        Odd part of the fold: 0 folds completely; the larger, the closer to linear.

    Notes
    -----
    ``|w| + fold w`` is standardised per coordinate by its mean and deviation over 16,384 draws of the stream
    ``("calibration", seed)``, level by level: to within the error of that sample every node has mean 0 and,
    on average over its dimensions, unit variance. (A single dimension has not: from two levels below the root
    the coordinates of ``|w|`` are correlated, and B mixes them; with 16 leaves variances lie between .6 and
    1.7.)
    """

    name = "additive_tree"
    folds = True

    def __init__(
        self,
        seed: int,
        leaves: int = 16,
        dim: int = 4,
        rho: float = 0.98,
        fold: float = 0.4,
        token_pixels: int = 2,
    ) -> None:
        check_number(self.name, "fold", fold, 0, 100)
        super().__init__(seed, leaves, dim, rho, token_pixels, fold=fold)

    def _draw(self, rng: np.random.Generator, level: int) -> None:
        for key in ("A", "B"):
            self.params[f"{key}{level}"] = orthogonal(rng, (self.n_nodes[level],), self.settings["dim"])

    def _complete(self, rng: np.random.Generator) -> None:
        """Standardise the functions, level by level."""
        root = stream(self.seed, "calibration", self.levels)
        u = root.standard_normal((CALIBRATION, *self.noise_spec[self.levels].shape))
        for level in range(self.levels - 1, -1, -1):
            folded = self._fold(self.params, level, u)
            self.params[f"mean{level}"] = folded.mean(0)
            self.params[f"scale{level}"] = folded.std(0)
            if level:
                eps = stream(self.seed, "calibration", level).standard_normal(folded.shape)
                mean = self.settings["rho"] * self._standardise(self.params, level, folded)
                u = mean + self.sigma * eps

    def _fold(self, params: Mapping[str, Any], level: int, parents: Any) -> Any:
        w = apply_maps(params[f"A{level}"], to_children(parents, self.grid, level))
        return array_namespace(w).abs(w) + self.settings["fold"] * w

    @staticmethod
    def _standardise(params: Mapping[str, Any], level: int, folded: Any) -> Any:
        return apply_maps(params[f"B{level}"], (folded - params[f"mean{level}"]) / params[f"scale{level}"])

    def child_mean(self, params: Mapping[str, Any], level: int, parents: Any) -> Any:
        """Return E[node at `level` | parent]; see `NoisyTree`."""
        return self.settings["rho"] * self._standardise(params, level, self._fold(params, level, parents))
