"""A masked autoencoder whose decoder gives each masked token a density, and learns by its likelihood.

Encoder and decoder are those of `MAE`; only what the last linear map gives is new. In coordinates y = W_t x
of token t, W_t learned, the density of the whole token is a mixture of K diagonal Gaussians,

    log p(x | visible) = log |det W_t| + log sum_k pi_k prod_i N(y_i; mu_ki, s_ki^2),

with pi, mu and s functions of the visible part. Unlike the mean squared error, which is the likelihood of one
Gaussian of fixed variance, it rewards knowing anything of the token's distribution: its spread, the joint
spread of several values, its modes.
"""

from __future__ import annotations

from math import log, pi

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from maestrata.errors import ExperimentError
from maestrata.model.mae import MAE, take_tokens

LEAST_LOG_SCALE, LARGEST_LOG_SCALE = -4.0, 3.0
"""Bounds of log s, in whitened coordinates: no component shrinks onto a single token."""


def whitening_maps(tokens: NDArray[np.floating], jitter: float) -> NDArray[np.float32]:
    """Symmetric whitening of each token's values, with noise added.

    Parameters
    ----------
    tokens : ndarray (n, n_tokens, v)
    jitter : float
        Standard deviation of the noise, above 0: a token that lies in a subspace has no density without it.

    Returns
    -------
    ndarray of float32 (n_tokens, v, v)
        ``(Cov + jitter^2 I)^(-1/2)``.
    """
    if not jitter > 0:
        raise ExperimentError(f"jitter={jitter!r} must be above 0")
    values = np.asarray(tokens, np.float64)
    values = values - values.mean(0)
    covariance = np.einsum("ntv,ntw->tvw", values, values) / len(values)
    variance, axes = np.linalg.eigh(covariance)
    scale = 1 / np.sqrt(np.maximum(variance, 0) + jitter**2)
    maps: NDArray[np.float32] = ((axes * scale[:, None]) @ axes.swapaxes(1, 2)).astype(np.float32)
    return maps


class MixtureMAE(nn.Module):
    """Masked autoencoder with a mixture density over whole tokens.

    Parameters
    ----------
    mae : MAE
        Taken over: its encoder and decoder are trained in place, its pixel head is replaced.
    components : int
        K, at least 1.
    maps : ndarray (n_tokens, v, v)
        Where W starts; see `whitening_maps`.
    generator : torch.Generator
        Draws the weights of the new head.
    """

    def __init__(
        self, mae: MAE, components: int, maps: NDArray[np.float32], generator: torch.Generator
    ) -> None:
        super().__init__()
        if components < 1:
            raise ExperimentError(f"components={components!r} must be at least 1")
        values = mae.cfg.token_values
        if maps.shape != (mae.cfg.n_tokens, values, values):
            raise ExperimentError(
                f"maps of shape {maps.shape} must be {(mae.cfg.n_tokens, values, values)} for this model"
            )
        self.components = components
        with torch.random.fork_rng(devices=()):  # weights drawn by PyTorch itself are not used
            mae.head = nn.Linear(mae.cfg.decoder_width, components * (1 + 2 * values))
        nn.init.xavier_uniform_(mae.head.weight, generator=generator)
        nn.init.zeros_(mae.head.bias)
        self.mae = mae
        self.maps = nn.Parameter(torch.from_numpy(maps))

    def log_density(self, tokens: Tensor, visible_ids: Tensor, masked_ids: Tensor, targets: Tensor) -> Tensor:
        """Log-density of each masked token given the visible ones.

        Parameters
        ----------
        tokens : Tensor (b, n, v)
            Of which the visible ones are read.
        visible_ids, masked_ids : Tensor (b, k), (b, m)
        targets : Tensor (b, m, v)
            Where the density is taken.

        Returns
        -------
        Tensor (b, m)
            In nats.
        """
        v = targets.shape[-1]
        out = self.mae(tokens, visible_ids, masked_ids)  # (b, m, K (1 + 2 v))
        logits, shape = out.split([self.components, 2 * self.components * v], dim=-1)
        mean, log_scale = shape.unflatten(-1, (self.components, 2, v)).unbind(-2)  # (b, m, K, v) each
        log_scale = log_scale.clamp(LEAST_LOG_SCALE, LARGEST_LOG_SCALE)
        y = torch.einsum("bmv,bmwv->bmw", targets, self.maps[masked_ids])
        z = (y.unsqueeze(-2) - mean) * torch.exp(-log_scale)
        gauss = -0.5 * z.square().sum(-1) - log_scale.sum(-1) - 0.5 * v * log(2 * pi)  # (b, m, K)
        volume = torch.linalg.slogdet(self.maps).logabsdet[masked_ids]
        return torch.logsumexp(logits.log_softmax(-1) + gauss, -1) + volume

    def loss(self, tokens: Tensor, visible_ids: Tensor, masked_ids: Tensor, noise: Tensor) -> Tensor:
        """Negative log-likelihood per value of the masked tokens with `noise` (b, m, v) added, a scalar."""
        targets = take_tokens(tokens, masked_ids) + noise
        return -self.log_density(tokens, visible_ids, masked_ids, targets).mean() / targets.shape[-1]
