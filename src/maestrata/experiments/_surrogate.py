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

from maestrata.geometry import patchify
from maestrata.training.controls import latent_columns
from maestrata.worlds.base import Noise, NoiseSpec, Sample, Target, World
from maestrata.worlds.maps import apply_maps

CHUNK = 8192  # images drawn at a time
NEGLIGIBLE = 1e-6  # share of the largest variance below which a direction is the rounding of float32


def joint_moments(world: World, n: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Estimate mean (d,) and covariance (d, d) of the pixels and the latents of levels 1 to L, in this order.

    Parameters
    ----------
    world : World
        Symbols are taken one-hot, as they are scored.
    n : int
        Images; rounded up to whole chunks of 8,192, of the streams ``("experiment", 0, chunk)``.
    """
    chunks = max(1, -(-n // CHUNK))
    total: Any = 0.0
    squares: Any = 0.0
    shift: Any = None
    for chunk in range(chunks):
        sample = world.sample(CHUNK, "experiment", (0, chunk))
        rows = np.concatenate(
            [sample.images.reshape(CHUNK, -1), latent_columns(world, sample.latents)], axis=1
        )
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
        self.dims = of.dims | of.n_symbols
        mean, covariance = joint_moments(of, n)
        variance, axes = np.linalg.eigh(covariance)
        kept = variance > NEGLIGIBLE * variance[-1]
        factor = axes[:, kept] * np.sqrt(variance[kept])
        # what is constant, such as a symbol that a node never takes: rounding would be scored as a dimension
        factor[np.diag(covariance) <= NEGLIGIBLE**2 * variance[-1]] = 0
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

    def best(self, tokens: NDArray[np.floating], visible: NDArray[np.bool_]) -> NDArray[np.float64]:
        """Return the tokens (n, n_tokens, values), in place of masked ones their exact posterior mean.

        Parameters
        ----------
        tokens : ndarray (n, n_tokens, values)
        visible : ndarray (n, n_tokens) of bool
        """
        pixels = int(np.prod(self.image_shape))
        # the pixels of the world, token by token
        parts = np.vstack([self.params["factor"][0][:pixels].T, self.params["mean"][:pixels]])
        laid = patchify(parts.reshape(-1, *self.image_shape), self.token_pixels)
        factor, mean = laid[:-1], laid[-1]  # (rank, n_tokens, values), (n_tokens, values)
        out = np.array(tokens, np.float64)
        masks, which = np.unique(visible, axis=0, return_inverse=True)
        for i, shown in enumerate(masks):
            seen, hidden = (factor[:, part].reshape(len(factor), -1) for part in (shown, ~shown))
            slope = np.linalg.pinv(seen.T @ seen, rcond=NEGLIGIBLE, hermitian=True) @ (seen.T @ hidden)
            rows = np.flatnonzero(which.ravel() == i)
            apart = (out[rows][:, shown] - mean[shown]).reshape(len(rows), -1)
            filled = (apart @ slope).reshape(len(rows), -1, mean.shape[1]) + mean[~shown]
            out[np.ix_(rows, np.flatnonzero(~shown))] = filled
        return out

    def targets(self, sample: Sample) -> list[Target]:
        """List the latents of levels 1 to L."""
        return [target for target in super().targets(sample) if target.kind == "latent"]
