"""A masked autoencoder whose decoder gives each masked token a density, and learns by its likelihood.

Encoder and decoder are those of `MAE`; only what the last linear map gives is new. The density of the whole
token is a mixture of K diagonal Gaussians,

    log p(x | visible) = log sum_k pi_k prod_i N(x_i; mu_ki, s_ki^2),

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
from maestrata.model.mae import MAE

LEAST_LOG_SCALE, LARGEST_LOG_SCALE = -4.0, 3.0
"""Bounds of log s: no component shrinks onto a single token."""


def spread_centres(tokens: NDArray[np.floating], k: int) -> tuple[NDArray[np.float32], float]:
    """Choose k tokens that lie far from each other, and the deviation of all tokens from the nearest of them.

    The first is the token farthest from the mean, each further one that farthest from those chosen.

    Parameters
    ----------
    tokens : ndarray (n, v)
    k : int
        1 to n.

    Returns
    -------
    centres : ndarray (k, v)
    deviation : float
        Root of the mean square over values.
    """
    if not 1 <= k <= len(tokens):
        raise ExperimentError(f"components={k} must lie in 1..{len(tokens)}, the tokens that there are")
    nearest = np.square(tokens - tokens.mean(0)).sum(1)
    chosen: list[int] = []
    for _ in range(k):
        chosen.append(int(nearest.argmax()))
        apart = np.square(tokens - tokens[chosen[-1]]).sum(1)
        nearest = apart if len(chosen) == 1 else np.minimum(nearest, apart)
    return np.asarray(tokens[chosen], np.float32), float(np.sqrt(nearest.mean() / tokens.shape[1]))


class MixtureMAE(nn.Module):
    """Masked autoencoder with a mixture density over whole tokens.

    It starts as a mixture that is the same whatever is visible: K components of equal weight at tokens that
    lie far from each other.

    Parameters
    ----------
    mae : MAE
        Taken over: its encoder and decoder are trained in place, its pixel head is replaced.
    components : int
        K, at least 1.
    tokens : ndarray (n, v)
        Tokens by which it starts; see `spread_centres`.
    generator : torch.Generator
        Draws the weights of the new head that give pi.
    """

    def __init__(
        self, mae: MAE, components: int, tokens: NDArray[np.floating], generator: torch.Generator
    ) -> None:
        super().__init__()
        centres, deviation = spread_centres(tokens, components)
        self.components, v = components, mae.cfg.token_values
        with torch.random.fork_rng(devices=()):  # weights drawn by PyTorch itself are not used
            mae.head = nn.Linear(mae.cfg.decoder_width, components * (1 + 2 * v))
        nn.init.zeros_(mae.head.weight)
        nn.init.xavier_uniform_(mae.head.weight[:components], generator=generator)
        start = np.stack([centres, np.full_like(centres, log(deviation))], 1)  # (K, 2, v)
        with torch.no_grad():
            mae.head.bias.copy_(torch.from_numpy(np.concatenate([np.zeros(components), start.ravel()])))
        self.mae = mae

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
        z = (targets.unsqueeze(-2) - mean) * torch.exp(-log_scale)
        gauss = -0.5 * z.square().sum(-1) - log_scale.sum(-1) - 0.5 * v * log(2 * pi)  # (b, m, K)
        return torch.logsumexp(logits.log_softmax(-1) + gauss, -1)
