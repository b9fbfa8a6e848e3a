"""The exact posterior as a representation: how far a probe falls short of what inference itself knows.

A probe on posterior means cannot beat them: the posterior mean is the best prediction there is. What the
probe loses from there to the ceiling is the probe's own loss, and no encoder can be blamed for that much.

=========== ==============================================================================================
``global``  posterior means (probabilities of symbols) of all latents, levels 1 to L, side by side
``aligned`` those of the node itself; level 0: of the token's own variable
=========== ==============================================================================================
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from maestrata.inference.base import is_slow, posterior, supported
from maestrata.masks import mask_matrix
from maestrata.regression.data import Encode, EvalMasks, Features
from maestrata.worlds.base import World


def has_posterior(world: World) -> bool:
    """Whether the posterior of a world is exact, and cheap enough for every image that a probe needs."""
    return world.name in supported() and not is_slow(world)


def posterior_means(world: World, images: NDArray[np.float32], layer: int) -> Encode:
    """Features by exact inference, in the place of an encoder.

    Parameters
    ----------
    world : World
        One that `has_posterior`.
    images : ndarray (n, channel, y, x)
        Training images, then test images.
    layer : int
        Layer under which scores are filed: the models' last.
    """

    def encode(masks: EvalMasks, poolings: Sequence[str]) -> Iterator[tuple[int, str, Features]]:
        shown = np.ones(world.grid.n_tokens, bool)
        if masks.visible_ids is not None:
            shown = mask_matrix(masks.visible_ids, world.grid.n_tokens)
        by_level = sorted(posterior(world, images, shown, dtype=np.float32).mean.items())
        if "global" in poolings:
            latents = (mean.reshape(len(mean), -1) for level, mean in by_level if level)
            yield layer, "global", np.concatenate(list(latents), axis=1)
        if "aligned" in poolings:
            yield layer, "aligned", (mean for _, mean in by_level)

    return encode
