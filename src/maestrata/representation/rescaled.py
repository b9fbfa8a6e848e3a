"""A model on the images of a world whose tokens it was not made for, such as a ViT on ImageNet.

Every token of the world is enlarged, on its own, to a square of the model's tokens, and what the model makes
of that square is averaged: so features stand at the world's tokens, under the world's masks. No pixel of one
token of the world reaches another, which is what a mask must be able to hide.
"""

from __future__ import annotations

from dataclasses import replace
from math import isqrt

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from maestrata.errors import ProbeError
from maestrata.model.mae import MAE, MAEConfig
from maestrata.model.sizes import Tokens


class Rescaled(nn.Module):
    """The encoder of a model, at the tokens of a world.

    Parameters
    ----------
    model : MAE
    channels : int
        Of the model's images.
    tokens : Tokens
        Of the world.
    world_channels : int
        Of the world's images; one is repeated.

    Attributes
    ----------
    cfg : MAEConfig
        Tokens of the world, sizes of the model.

    Raises
    ------
    ProbeError
        If the world has more tokens in a row or column than the model, or other channels.

    Notes
    -----
    The model's positions are those of its upper left corner.
    """

    def __init__(self, model: MAE, channels: int, tokens: Tokens, world_channels: int) -> None:
        super().__init__()
        cfg = model.cfg
        if world_channels not in (1, channels):
            raise ProbeError(f"images of {world_channels} channels do not fit a model of {channels}")
        self.factor = min(cfg.grid_height // tokens.grid_height, cfg.grid_width // tokens.grid_width)
        if self.factor < 1:
            raise ProbeError(
                f"a world of {tokens.grid_height}x{tokens.grid_width} tokens is too large for a model of "
                f"{cfg.grid_height}x{cfg.grid_width}"
            )
        grid = tokens.grid_height * self.factor, tokens.grid_width * self.factor
        self.model = MAE(replace(cfg, grid_height=grid[0], grid_width=grid[1]))
        self.model.load_state_dict(model.state_dict())
        self.channels, self.side = channels, isqrt(cfg.token_values // channels)
        self.world_channels = world_channels
        names = ("grid_height", "grid_width", "token_values")
        self.cfg: MAEConfig = replace(cfg, **{name: getattr(tokens, name) for name in names})
        self.to(next(model.parameters()).device).train(model.training)

    def encode(
        self, tokens: Tensor, visible_ids: Tensor | None = None, layers: bool = False
    ) -> Tensor | list[Tensor]:
        """Encode the visible tokens, or the whole image; as `maestrata.model.mae.MAE.encode`."""
        b, k = len(tokens), self.factor
        squares = _squares(self.cfg, k, tokens.device)  # (n, k k)
        ids = squares.expand(b, -1, -1) if visible_ids is None else squares[visible_ids]
        every = self.model.encode(self._enlarged(tokens), ids.flatten(1), layers=True)
        means = [torch.cat([x[:, :1], x[:, 1:].unflatten(1, (-1, k * k)).mean(2)], 1) for x in every]
        return means if layers else means[-1]

    def _enlarged(self, tokens: Tensor) -> Tensor:
        """Tokens of the world (b, n, v) -> tokens of the model (b, n k k, v'), in raster order."""
        b, n, values = tokens.shape
        k, side, cfg = self.factor, self.side, self.cfg
        small = isqrt(values // self.world_channels)
        images = tokens.reshape(b * n, self.world_channels, small, small)
        if small != k * side:
            images = F.interpolate(images, size=(k * side, k * side), mode="bilinear", align_corners=False)
        images = images.expand(-1, self.channels, -1, -1)
        parts = images.reshape(b, n, self.channels, k, side, k, side).permute(0, 1, 3, 5, 2, 4, 6)
        parts = parts.reshape(b, n * k * k, -1)  # square by square
        return parts[:, _squares(cfg, k, tokens.device).flatten().argsort()]


def _squares(cfg: MAEConfig, k: int, device: torch.device) -> Tensor:
    """Raster ids, on the grid of the model's tokens, of the square of each of the world's: (n, k k)."""
    height, width = cfg.grid_height, cfg.grid_width
    ids = torch.arange(height * k * width * k, device=device).view(height, k, width, k)
    return ids.permute(0, 2, 1, 3).reshape(height * width, k * k)
