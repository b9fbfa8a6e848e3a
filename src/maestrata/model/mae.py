"""The masked autoencoder of He et al. (2022, arXiv:2111.06377).

It is the same function as in facebookresearch/mae and in transformers. A ViT encoder reads [CLS] and the
visible tokens only. A light decoder reads those and one learned mask token per masked position. A linear head
predicts the pixel values of the masked tokens, and the loss is their mean squared error. The model draws
nothing at random: masks and the generator of its weights are handed in.

Two things are arranged differently from the usual code, and neither changes the function:

* The decoder keeps its tokens in the order [CLS], visible, masked, and adds each token's position by index,
  instead of putting them back in raster order. Attention does not know order, so nothing needs unshuffling.
* The last decoder block computes queries, output projection and MLP for the masked tokens alone, since the
  head needs nothing else. Keys and values are computed for all tokens.

Shapes: b images, n tokens an image, v values a token, k visible and m = n - k masked tokens, d the width.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Literal, overload

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from maestrata.model.sizes import Sizes, Tokens
from maestrata.worlds.base import World

LAYER_NORM_EPS = 1e-12  # as in transformers' ViTMAEConfig
NORM_PIXELS_EPS = 1e-6  # added to the variance of a token's values, as in facebookresearch/mae


@dataclass(frozen=True)
class MAEConfig(Sizes, Tokens):
    """Sizes of a masked autoencoder, plain values only: `Tokens` of the images, then `Sizes` of the model.

    Raises
    ------
    ConfigError
        If a size is below 1 or a width cannot be split into its heads or into sine-cosine positions.
    """

    @classmethod
    def of(cls, world: World, sizes: Sizes) -> MAEConfig:
        """Return the configuration of a model of these sizes for a world's images."""
        return cls(world.grid.height, world.grid.width, world.token_values, **asdict(sizes))


def sincos_positions(height: int, width: int, dim: int) -> Tensor:
    """Fixed 2-D sine-cosine positions, a zero row for [CLS] first, (1 + height * width, dim) float32.

    Row 1 + y * width + x is ``[sin(x w), cos(x w), sin(y w), cos(y w)]`` with ``w_j = 10000 ** (-j /
    (dim / 4))``: the order (x before y) of facebookresearch/mae.

    >>> sincos_positions(1, 2, 4).round(decimals=3).tolist()
    [[0.0, 0.0, 0.0, 0.0], [0.0, 1.0, 0.0, 1.0], [0.841, 0.54, 0.0, 1.0]]
    """
    quarter = dim // 4
    omega = 10000.0 ** (-torch.arange(quarter, dtype=torch.float64) / quarter)
    y, x = torch.meshgrid(
        torch.arange(height, dtype=torch.float64), torch.arange(width, dtype=torch.float64), indexing="ij"
    )
    angles_x, angles_y = x.flatten()[:, None] * omega, y.flatten()[:, None] * omega  # (n, dim / 4) each
    rows = torch.cat([angles_x.sin(), angles_x.cos(), angles_y.sin(), angles_y.cos()], dim=1)
    return torch.cat([torch.zeros(1, dim, dtype=torch.float64), rows]).float()


def take_tokens(tokens: Tensor, ids: Tensor) -> Tensor:
    """Tokens (..., b, n, v) at ids (..., b, k) -> (..., b, k, v)."""
    return tokens.gather(-2, ids.unsqueeze(-1).expand(*ids.shape, tokens.shape[-1]))


def target_values(cfg: MAEConfig, tokens: Tensor, masked_ids: Tensor) -> Tensor:
    """Return what is to be predicted, (..., b, m, v): the masked tokens, normalised if so configured."""
    target = take_tokens(tokens, masked_ids)
    if cfg.norm_pixels:
        var, mean = torch.var_mean(target, dim=-1, keepdim=True)
        target = (target - mean) / (var + NORM_PIXELS_EPS).sqrt()
    return target


def attend(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    """Attention by PyTorch's fused kernel: (b, heads, s, d), (b, heads, t, d) twice -> (b, heads, s, d).

    On a CPU it is in float32 always: its backward pass in bfloat16 takes ten times as long there.
    """
    if q.dtype == torch.float32 or q.device.type != "cpu":
        return F.scaled_dot_product_attention(q, k, v)
    with torch.autocast("cpu", enabled=False):
        return F.scaled_dot_product_attention(q.float(), k.float(), v.float())


class Block(nn.Module):
    """Pre-norm transformer block: x + attention(norm(x)), then x + mlp(norm(x))."""

    def __init__(self, width: int, heads: int, hidden: int) -> None:
        super().__init__()
        self.heads = heads
        self.norm1 = nn.LayerNorm(width, eps=LAYER_NORM_EPS)
        self.qkv = nn.Linear(width, 3 * width)
        self.proj = nn.Linear(width, width)
        self.norm2 = nn.LayerNorm(width, eps=LAYER_NORM_EPS)
        self.fc1 = nn.Linear(width, hidden)
        self.fc2 = nn.Linear(hidden, width)

    def split_heads(self, x: Tensor) -> Tensor:
        """(b, t, d) -> (b, heads, t, d / heads)."""
        return x.unflatten(-1, (self.heads, -1)).transpose(1, 2)

    def forward(self, x: Tensor, last: int | None = None) -> Tensor:
        """Block output at all tokens, or only at the last `last` ones.

        Parameters
        ----------
        x : Tensor (b, t, d)
        last : int, optional
            Number of tokens, counted from the end, whose output is wanted; the others serve as keys and
            values only.

        Returns
        -------
        Tensor (b, last or t, d)
        """
        width = x.shape[-1]
        h = self.norm1(x)
        if last is None:
            q, k, v = self.qkv(h).chunk(3, dim=-1)  # (b, t, d) each
        else:
            q = F.linear(h[:, -last:], self.qkv.weight[:width], self.qkv.bias[:width])  # (b, last, d)
            k, v = F.linear(h, self.qkv.weight[width:], self.qkv.bias[width:]).chunk(2, dim=-1)
            x = x[:, -last:]
        q, k, v = self.split_heads(q), self.split_heads(k), self.split_heads(v)
        a = attend(q, k, v)  # (b, heads, last or t, d / heads)
        x = x + self.proj(a.transpose(1, 2).flatten(2))
        return x + self.fc2(F.gelu(self.fc1(self.norm2(x))))


class MAE(nn.Module):
    """Masked autoencoder; also works under `torch.func.functional_call`, `stack_module_state` and `vmap`.

    A new instance holds the weights of ``initialise(torch.Generator().manual_seed(0))``.

    Parameters
    ----------
    cfg : MAEConfig
    """

    positions: Tensor  # (1 + n, width), row 0 for [CLS]
    decoder_positions: Tensor  # (1 + n, decoder_width)

    def __init__(self, cfg: MAEConfig) -> None:
        super().__init__()
        self.cfg = cfg
        d, e = cfg.width, cfg.decoder_width
        with torch.random.fork_rng(devices=()):  # PyTorch's modules draw weights of their own, unused here
            self.embed = nn.Linear(cfg.token_values, d)
            self.cls_token = nn.Parameter(torch.zeros(d))
            self.blocks = nn.ModuleList(Block(d, cfg.heads, cfg.mlp_ratio * d) for _ in range(cfg.depth))
            self.norm = nn.LayerNorm(d, eps=LAYER_NORM_EPS)
            self.decoder_embed = nn.Linear(d, e)
            self.mask_token = nn.Parameter(torch.zeros(e))
            self.decoder_blocks = nn.ModuleList(
                Block(e, cfg.decoder_heads, cfg.mlp_ratio * e) for _ in range(cfg.decoder_depth)
            )
            self.decoder_norm = nn.LayerNorm(e, eps=LAYER_NORM_EPS)
            self.head = nn.Linear(e, cfg.token_values)
        # Derived from the sizes, so not part of the weights.
        grid = (cfg.grid_height, cfg.grid_width)
        self.register_buffer("positions", sincos_positions(*grid, d), persistent=False)
        self.register_buffer("decoder_positions", sincos_positions(*grid, e), persistent=False)
        self.initialise(torch.Generator().manual_seed(0))

    @torch.no_grad()
    def initialise(self, generator: torch.Generator) -> MAE:
        """Draw all weights as He et al. do.

        Matrices are Xavier-uniform, biases zero and norms one; [CLS] and mask token are from N(0, .02^2). The
        draws are made on the CPU in the order of ``named_parameters()``, so that they depend on the
        generator's seed and the sizes alone, not on the device that the model is on.
        """
        for name, parameter in self.named_parameters():
            value = torch.zeros(parameter.shape)
            if parameter.ndim == 2:
                nn.init.xavier_uniform_(value, generator=generator)
            elif name in ("cls_token", "mask_token"):
                value.normal_(std=0.02, generator=generator)
            elif "norm" in name and name.endswith("weight"):
                value.fill_(1.0)
            parameter.copy_(value)
        return self

    @overload
    def encode(
        self, tokens: Tensor, visible_ids: Tensor | None, layers: Literal[False] = False
    ) -> Tensor: ...
    @overload
    def encode(self, tokens: Tensor, visible_ids: Tensor | None, layers: Literal[True]) -> list[Tensor]: ...

    def encode(
        self, tokens: Tensor, visible_ids: Tensor | None = None, layers: bool = False
    ) -> Tensor | list[Tensor]:
        """Encode the visible tokens, or the whole image.

        Parameters
        ----------
        tokens : Tensor (b, n, v)
            Patchified images, tokens in raster order.
        visible_ids : Tensor (b, k) int64, optional
            Raster ids of the visible tokens, ascending; None means all.
        layers : bool
            Return every layer.

        Returns
        -------
        Tensor (b, 1 + k, width) or list of depth + 1 such tensors
            [CLS] first, then the visible tokens in the order of their ids. Layer 0 is embedding +
            position, layers 1 to depth - 1 the outputs of the blocks, layer depth the last block's
            output after the final LayerNorm.
        """
        if visible_ids is None:
            x = self.embed(tokens) + self.positions[1:]
        else:
            # The raw values are gathered rather than the embedded ones: no gradient has to flow through
            # the gather.
            x = self.embed(take_tokens(tokens, visible_ids)) + self.positions[visible_ids + 1]
        cls = (self.cls_token + self.positions[0]).expand(x.shape[0], 1, -1).to(x.dtype)
        x = torch.cat([cls, x], dim=1)  # (b, k, d) -> (b, 1 + k, d)
        out = [x]
        for block in self.blocks:
            x = block(x)
            out.append(x)
        out[-1] = self.norm(x)
        return out if layers else out[-1]

    def decode(self, encoded: Tensor, visible_ids: Tensor, masked_ids: Tensor) -> Tensor:
        """Predict the masked tokens' values from the encoded visible ones.

        Parameters
        ----------
        encoded : Tensor (b, 1 + k, width)
        visible_ids, masked_ids : Tensor (b, k), (b, m) int64

        Returns
        -------
        Tensor (b, m, v)
        """
        m = masked_ids.shape[1]
        z = self.decoder_embed(encoded)  # (b, 1 + k, width) -> (b, 1 + k, e)
        masked = self.mask_token + self.decoder_positions[masked_ids + 1]  # (b, m, e)
        visible = z[:, 1:] + self.decoder_positions[visible_ids + 1]
        y = torch.cat([z[:, :1] + self.decoder_positions[0], visible, masked], dim=1)  # (b, 1 + k + m, e)
        for block in self.decoder_blocks[:-1]:
            y = block(y)
        y = self.decoder_blocks[-1](y, last=m)  # (b, 1 + n, e) -> (b, m, e)
        return self.head(self.decoder_norm(y))

    def forward(self, tokens: Tensor, visible_ids: Tensor, masked_ids: Tensor) -> Tensor:
        """Predict the masked values (b, m, v), in the order of `masked_ids`, from tokens (b, n, v)."""
        return self.decode(self.encode(tokens, visible_ids), visible_ids, masked_ids)

    def targets(self, tokens: Tensor, masked_ids: Tensor) -> Tensor:
        """Return what `forward` is to predict, (b, m, v): see `target_values`."""
        return target_values(self.cfg, tokens, masked_ids)

    def loss(
        self, tokens: Tensor, visible_ids: Tensor, masked_ids: Tensor, weights: Tensor | None = None
    ) -> Tensor:
        """Mean squared error over the masked tokens' values, a scalar.

        Parameters
        ----------
        tokens, visible_ids, masked_ids
            As of `forward`.
        weights : Tensor (b, m), optional
            Of each masked token, at least 0 and not all 0; bool will do. A token of weight 0 is masked, and
            attended to in the decoder, but its error costs nothing.
        """
        prediction, target = self(tokens, visible_ids, masked_ids), self.targets(tokens, masked_ids)
        if weights is None:
            return F.mse_loss(prediction, target)
        error = (prediction - target).square().mean(-1)  # (b, m)
        return (error * weights).sum() / weights.sum()
