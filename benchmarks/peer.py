"""The peer: transformers' ViTMAEForPreTraining with its own defaults, in a plain training script.

Same sizes, batch and optimiser steps as ours (AdamW, clipping, one-cycle rate). It keeps
floor(n (1 - ratio)) tokens, so its ratio is set to 1 - (k + 1/2) / n, which keeps k. It gets torch's
fused AdamW, which its Trainer takes by default.

It builds square grids only. For another it is built on the square around it, and the fixed position
embeddings of the tokens outside are then left out: what remains are those of the grid, since each is a part
for the row and a part for the column.
"""

from __future__ import annotations

import math
import os

os.environ.setdefault("HF_HUB_OFFLINE", "1")  # nothing is downloaded: the weights are random

import numpy as np
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
        Sizes.
    visible : int
        Visible tokens.
    recipe : Recipe
    """

    def __init__(self, cfg: MAEConfig, visible: int, recipe: Recipe) -> None:
        self.recipe = recipe
        token, side = math.isqrt(cfg.token_values // 3), max(cfg.grid_height, cfg.grid_width)
        config = transformers.ViTMAEConfig(
            hidden_size=cfg.width,
            num_hidden_layers=cfg.depth,
            num_attention_heads=cfg.heads,
            intermediate_size=cfg.mlp_ratio * cfg.width,
            image_size=side * token,
            patch_size=token,
            decoder_hidden_size=cfg.decoder_width,
            decoder_num_hidden_layers=cfg.decoder_depth,
            decoder_num_attention_heads=cfg.decoder_heads,
            decoder_intermediate_size=cfg.mlp_ratio * cfg.decoder_width,
            mask_ratio=1 - (visible + 0.5) / cfg.n_tokens,
            norm_pix_loss=cfg.norm_pixels,
        )
        self.model = transformers.ViTMAEForPreTraining(config).train()
        if cfg.grid_height != cfg.grid_width:
            self._crop(cfg.grid_height, cfg.grid_width)
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

    def _crop(self, height: int, width: int) -> None:
        """Leave out the positions outside a grid that is not square."""
        model, side = self.model, max(height, width)
        token, inside = model.config.patch_size, np.zeros((side, side), bool)
        inside[:height, :width] = True
        kept = [0, *(1 + np.flatnonzero(inside)).tolist()]  # [CLS] is the first
        embeddings = model.vit.embeddings
        for module, name in ((embeddings, "position_embeddings"), (model.decoder, "decoder_pos_embed")):
            positions = getattr(module, name).data[:, kept]
            setattr(module, name, torch.nn.Parameter(positions, requires_grad=False))
        shape = (height * token, width * token)
        embeddings.image_size = embeddings.patch_embeddings.image_size = shape
        square_only = model.patchify  # this flag alone turns off its check that images are square
        model.patchify = lambda pixels, **_: square_only(pixels, interpolate_pos_encoding=True)

    def step(self, images: Tensor) -> Tensor:
        """One optimiser step on images (b, channel, y, x); it draws its masks itself."""
        loss = self.model(images).loss
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.model.parameters(), self.recipe.clip)
        self.optimiser.step()
        self.schedule.step()
        self.optimiser.zero_grad()
        return loss.detach()
