"""The peer: transformers' ViTMAEForPreTraining with its own defaults, in a plain training script.

Same sizes, batch and optimiser steps as ours (AdamW, clipping, one-cycle rate). It keeps
floor(n (1 - ratio)) tokens, so its ratio is set to 1 - (k + 1/2) / n, which keeps k. It gets torch's
fused AdamW, which its Trainer takes by default.
"""

from __future__ import annotations

import math
import os

os.environ.setdefault("HF_HUB_OFFLINE", "1")  # nothing is downloaded: the weights are random

import torch
import transformers
from torch import Tensor

from maestrata.model.mae import MAEConfig
from maestrata.training.recipe import Recipe


class Peer:
    """ViTMAEForPreTraining in training.

    Parameters
    ----------
    cfg : MAEConfig
        Sizes; the grid must be square.
    visible : int
        Visible tokens.
    recipe : Recipe
    """

    def __init__(self, cfg: MAEConfig, visible: int, recipe: Recipe) -> None:
        self.recipe = recipe
        side = math.isqrt(cfg.token_values // 3)
        config = transformers.ViTMAEConfig(
            hidden_size=cfg.width,
            num_hidden_layers=cfg.depth,
            num_attention_heads=cfg.heads,
            intermediate_size=cfg.mlp_ratio * cfg.width,
            image_size=cfg.grid_height * side,
            patch_size=side,
            decoder_hidden_size=cfg.decoder_width,
            decoder_num_hidden_layers=cfg.decoder_depth,
            decoder_num_attention_heads=cfg.decoder_heads,
            decoder_intermediate_size=cfg.mlp_ratio * cfg.decoder_width,
            mask_ratio=1 - (visible + 0.5) / cfg.n_tokens,
            norm_pix_loss=cfg.norm_pixels,
        )
        self.model = transformers.ViTMAEForPreTraining(config).train()
        parameters = [p for p in self.model.parameters() if p.requires_grad]
        self.optimiser = torch.optim.AdamW(
            parameters, lr=recipe.lr, betas=recipe.betas, weight_decay=recipe.weight_decay, fused=True
        )
        rise = recipe.warmup * recipe.steps
        self.schedule = torch.optim.lr_scheduler.LambdaLR(
            self.optimiser,
            lambda step: min(
                (step + 1) / (rise + 1), 0.5 + 0.5 * math.cos(math.pi * max(0, step - rise) / recipe.steps)
            ),
        )

    def step(self, images: Tensor) -> Tensor:
        """One optimiser step on images (b, channel, y, x); it draws its masks itself."""
        loss = self.model(images).loss
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.model.parameters(), self.recipe.clip)
        self.optimiser.step()
        self.schedule.step()
        self.optimiser.zero_grad()
        return loss.detach()
