"""An additive tree whose image does not know the signs of the root.

The edges below the root fold completely, child = rho B standardise(|u|) + noise, without a map before the
fold; all others are those of `additive_tree`. Changing the sign of any coordinate of the root leaves the law
of the image given the root as it is, so E[u_i g(x)] = 0 for every function g: no encoder, no probe and no
posterior predicts u_i above R2 = 0, while |u_i| passes on as in any additive tree.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from array_api_compat import array_namespace

from maestrata.worlds.additive_tree import AdditiveTree
from maestrata.worlds.maps import to_children


class SymmetricTree(AdditiveTree):
    """Sign-symmetric additive tree.

    Parameters
    ----------
    seed : int
    leaves, dim, token_pixels : int
    rho : float
        As in `AdditiveTree`.
    fold : float
        Odd part of the folds below the root's children; there it is 0.

    Notes
    -----
    Both children of the root see the same |u|, so ``A`` of these edges is the identity: with a map of its own
    each child would tell other mixtures, and only the sign of u as a whole would be hidden.
    """

    name = "symmetric_tree"
    folds = False  # those below the root have a shape of their own

    def _complete(self, rng: np.random.Generator) -> None:
        top = self.params[f"A{self.levels - 1}"]
        self.params[f"A{self.levels - 1}"] = np.broadcast_to(np.eye(top.shape[-1]), top.shape).copy()
        super()._complete(rng)

    def _fold(self, params: Mapping[str, Any], level: int, parents: Any) -> Any:
        if level < self.levels - 1:
            return super()._fold(params, level, parents)
        u = to_children(parents, self.grid, level)
        return array_namespace(u).abs(u)
