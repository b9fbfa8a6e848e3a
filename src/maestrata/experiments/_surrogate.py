"""The Gaussian twin of a world: the same mean and joint covariance of pixels and all latents, nothing else.

Whatever an encoder holds of the twin it holds by covariance, and the best prediction of any latent is linear
in the pixels there, with the same R2 as linear regression has in the world itself.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from array_api_compat import array_namespace
from numpy.typing import NDArray

from maestrata.errors import ExperimentError
from maestrata.worlds.base import Noise, NoiseSpec, Sample, Target, World
from maestrata.worlds.maps import apply_maps

CHUNK = 8192  # images drawn at a time
NEGLIGIBLE = 1e-6  # share of the largest variance below which a direction is the rounding of float32


def joint_moments(world: World, n: int, member: int = 0) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Estimate mean (d,) and covariance (d, d) of the pixels and the latents of levels 1 to L, in this order.

    Parameters
    ----------
    world : World
        With continuous latents.
    n : int
        Images; rounded up to whole chunks of 8,192, of the streams ``("experiment", member, chunk)``.
    member : int

    Raises
    ------
    ExperimentError
        If the latents are symbols: they have no Gaussian twin.
    """
    if world.discrete:
        raise ExperimentError(f"world {world.name!r} has symbols for latents, so it has no Gaussian twin")
    chunks = max(1, -(-n // CHUNK))
    total: Any = 0.0
    squares: Any = 0.0
    shift: Any = None
    for chunk in range(chunks):
        rows = _joined(world.sample(CHUNK, "experiment", (member, chunk)))
        if shift is None:
            shift = rows.mean(0)  # near the mean, so that float32 loses nothing
        rows -= shift
        total = total + rows.sum(0, dtype=np.float64)
        squares = squares + (rows.T @ rows).astype(np.float64)
    count = chunks * CHUNK
    offset = total / count
    return shift + offset, squares / count - np.outer(offset, offset)


class GaussianSurrogate(World):
    """Gaussian world with the mean and the joint covariance of (pixels, all latents) of another.

    Its noise is one vector for the whole image, of as many dimensions as that covariance has rank; there is
    no noise of a level, so that only latents are targets.

    Parameters
    ----------
    of : World
        Shapes, seed and geometry are its own: streams, masks and targets are those of the world.
    n : int
        Images that the covariance is estimated from.
    """

    name = "gaussian_surrogate"
    stackable = False  # its rank differs from seed to seed

    def __init__(self, of: World, n: int = 1_000_000) -> None:
        super().__init__(
            of.seed, leaves=of.grid.n_tokens, token_pixels=of.token_pixels, settings={"of": of.name, "n": n}
        )
        self.dims = dict(of.dims)
        mean, covariance = joint_moments(of, n)
        variance, axes = np.linalg.eigh(covariance)
        kept = variance > NEGLIGIBLE * variance[-1]
        factor = axes[:, kept] * np.sqrt(variance[kept])
        self.params = {"factor": factor[None], "mean": mean}
        self.noise_spec = {self.levels: NoiseSpec("normal", (1, int(kept.sum())))}

    def forward(self, params: Mapping[str, Any], noise: Noise) -> tuple[Any, dict[int, Any]]:
        """Map noise to images and latents; see `World.forward`."""
        eps = noise[self.levels]
        xp = array_namespace(eps)
        values = apply_maps(params["factor"], eps)[..., 0, :] + params["mean"]
        lead = tuple(eps.shape[:-2])
        start = int(np.prod(self.image_shape))
        images = xp.reshape(values[..., :start], (*lead, *self.image_shape))
        latents = {}
        for level in range(1, self.levels + 1):
            shape = self.n_nodes[level], self.dims[level]
            stop = start + shape[0] * shape[1]
            latents[level] = xp.reshape(values[..., start:stop], (*lead, *shape))
            start = stop
        return images, latents

    def targets(self, sample: Sample) -> list[Target]:
        """List the latents of levels 1 to L."""
        return [target for target in super().targets(sample) if target.kind == "latent"]


def _joined(sample: Sample) -> NDArray[np.float32]:
    n = len(sample.images)
    parts = [sample.images.reshape(n, -1)]
    parts += [sample.latents[level].reshape(n, -1) for level in sorted(sample.latents)]
    return np.concatenate(parts, axis=1)
