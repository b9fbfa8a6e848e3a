"""The exact posterior as a representation: how far a probe falls short of what inference itself knows.

A probe on posterior means cannot beat them: the posterior mean is the best prediction there is. What the
probe loses from there to the ceiling is the probe's own loss, and a reading of an encoder cannot be blamed
for that much.

=========== ==============================================================================================
``global``  posterior means (probabilities of symbols) of all latents, levels 1 to L, side by side
``aligned`` those of the node itself; level 0: of the token's own variable
=========== ==============================================================================================
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from maestrata.inference.base import Levels, is_slow, posterior, supported
from maestrata.masks import mask_matrix
from maestrata.regression.views import EvalMasks, Vectors, View
from maestrata.worlds.base import World


def has_posterior(world: World) -> bool:
    """Whether the posterior of a world is exact, and cheap enough for every image that a probe needs."""
    return world.name in supported() and not is_slow(world)


class PosteriorEncoder:
    """Exact inference in the place of an encoder.

    Parameters
    ----------
    world : World
        One that `has_posterior`.
    images : ndarray (n, channel, y, x)
        Training images, then test images.
    layer : int
        Layer under which scores are filed: the models' last.
    """

    name = "posterior"

    def __init__(self, world: World, images: NDArray[np.float32], layer: int) -> None:
        self.world = world
        self.images = images
        self.layer = layer

    def views(self, masks: EvalMasks) -> Iterator[tuple[int, View]]:
        """Yield the one view there is."""
        n_tokens = self.world.grid.n_tokens
        shown = np.ones(n_tokens, bool)
        if masks.visible_ids is not None:
            shown = mask_matrix(masks.visible_ids, n_tokens)
        found = posterior(self.world, self.images, shown, dtype=np.float32)
        yield self.layer, PosteriorView(found.mean)


class PosteriorView:
    """View of posterior means, ``level -> (n, nodes, dim)`` for levels 0 to L."""

    poolings: tuple[str, ...] = ("global", "aligned")
    one_vector = False

    def __init__(self, mean: Levels) -> None:
        self.mean = mean

    def vectors(self, pooling: str) -> Vectors:
        """Means of all latents (n, p)."""
        latents = (values for level, values in sorted(self.mean.items()) if level)
        return np.concatenate([values.reshape(len(values), -1) for values in latents], axis=1)

    def nodes(self) -> Iterator[Vectors]:
        """Yield the means of each node, by level: (n, n_nodes, dim)."""
        for _, values in sorted(self.mean.items()):
            yield values
