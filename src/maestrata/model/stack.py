"""Many masked autoencoders of one size as one: `MAE` with a member axis in front of every weight.

Models this small leave a GPU idle when they are trained one by one. Here M members (seeds and worlds of one
mask distribution) run as batched matrix products: weights are (M, out, in), activations (M, b, t, d). Member
k computes what an `MAE` with its weights computes on its images; a test holds the two against each other.
Matrix products and attention run in `dtype` (bfloat16 on a GPU), the residual stream, norms and the loss in
float32.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from math import prod
from typing import Generic, TypeVar

import torch
from torch import Tensor
from torch.nn import functional as F

from maestrata.model.mae import LAYER_NORM_EPS, MAE, MAEConfig, attend, take_tokens, target_values

log = logging.getLogger(__name__)

Weights = Mapping[str, Tensor]
Part = TypeVar("Part")

SHORT = 32
"""Tokens an image up to which a GPU attends by batched products."""


class FlatWeights(Generic[Part]):
    """The weights of M models in a few flat tensors (M, size), one for each part that is stepped alike.

    With a few tensors instead of one for every layer, clipping and the optimiser are a few kernels instead of
    hundreds.

    Parameters
    ----------
    models : sequence of MAE
        Of one size.
    part : function (name, shape) -> hashable
        Part that a parameter belongs to.
    device : torch.device or str

    Attributes
    ----------
    parts : list
        In order of first appearance.
    flat : list of tensors (M, size)
        One a part: leaves that take gradients.
    """

    def __init__(
        self,
        models: Sequence[MAE],
        part: Callable[[str, tuple[int, ...]], Part],
        device: torch.device | str = "cpu",
    ) -> None:
        states = [dict(model.named_parameters()) for model in models]
        layout: dict[Part, dict[str, tuple[int, ...]]] = {}
        for name, w in states[0].items():
            shape = tuple(w.shape)
            layout.setdefault(part(name, shape), {})[name] = shape
        self.parts: list[Part] = list(layout)
        self._layout = list(layout.values())
        self.flat = [
            torch.stack([torch.cat([state[n].detach().flatten() for n in names]) for state in states])
            .to(device)
            .requires_grad_()
            for names in self._layout
        ]

    def named(self) -> dict[str, Tensor]:
        """Views ``name -> (M, *shape)``; one split, so that the backward pass is one concatenation."""
        out = {}
        for flat, part in zip(self.flat, self._layout, strict=True):
            pieces = flat.split([prod(shape) for shape in part.values()], 1)
            for (name, shape), piece in zip(part.items(), pieces, strict=True):
                out[name] = piece.view(-1, *shape)
        return out


def linear(x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    """One linear map a member: x (M, ..., in), weight (M, out, in), bias (M, out) -> (M, ..., out)."""
    flat = x.reshape(x.shape[0], -1, x.shape[-1])
    out = torch.baddbmm(bias.to(x.dtype).unsqueeze(1), flat, weight.to(x.dtype).transpose(1, 2))
    return out.view(*x.shape[:-1], weight.shape[1])


def layer_norm(x: Tensor, weight: Tensor, bias: Tensor, dtype: torch.dtype) -> Tensor:
    """Layer norm with one scale and shift (M, d) a member; computed in float32, given in `dtype`."""
    shape = (x.shape[0], *(1,) * (x.ndim - 2), x.shape[-1])
    normal = F.layer_norm(x.float(), x.shape[-1:], eps=LAYER_NORM_EPS)
    return (normal * weight.view(shape) + bias.view(shape)).to(dtype)


def attention(q: Tensor, k: Tensor, v: Tensor, heads: int, fused: bool = True) -> Tensor:
    """Self-attention within each image: q (M, b, s, d), k and v (M, b, t, d) -> (M, b, s, d).

    By PyTorch's fused kernel, or by batched products.
    """

    def split(x: Tensor) -> Tensor:  # 4-D, as the fused kernels want it: (M * b, heads, t, d / heads)
        return x.flatten(0, 1).unflatten(-1, (heads, -1)).transpose(1, 2)

    queries, keys, values = split(q), split(k), split(v)
    if fused:
        out = attend(queries, keys, values).to(q.dtype)
    else:
        queries, keys, values = (x.flatten(0, 1) for x in (queries, keys, values))
        scores = torch.bmm(queries, keys.mT).float() * queries.shape[-1] ** -0.5
        out = torch.bmm(scores.softmax(-1).to(v.dtype), values).unflatten(0, (-1, heads))
    return out.transpose(1, 2).reshape(q.shape)


def block(w: Weights, x: Tensor, heads: int, last: int, dtype: torch.dtype, fused: bool = True) -> Tensor:
    """Transformer block of every member at the last `last` tokens (0: at all of them)."""
    d = x.shape[-1]
    h = layer_norm(x, w["norm1.weight"], w["norm1.bias"], dtype)
    if not last:
        q, k, v = linear(h, w["qkv.weight"], w["qkv.bias"]).chunk(3, -1)
    else:
        q = linear(h[:, :, -last:], w["qkv.weight"][:, :d], w["qkv.bias"][:, :d])
        k, v = linear(h, w["qkv.weight"][:, d:], w["qkv.bias"][:, d:]).chunk(2, -1)
        x = x[:, :, -last:]
    x = x + linear(attention(q, k, v, heads, fused), w["proj.weight"], w["proj.bias"])
    h = layer_norm(x, w["norm2.weight"], w["norm2.bias"], dtype)
    hidden = F.gelu(linear(h, w["fc1.weight"], w["fc1.bias"]))
    return x + linear(hidden, w["fc2.weight"], w["fc2.bias"])


class MAEStack:
    """The function of M masked autoencoders of one size, on stacked weights.

    Parameters
    ----------
    cfg : MAEConfig
    device : torch.device or str
    dtype : torch.dtype
        Of matrix products and attention.
    compiled : bool
        Fuse element-wise work with `torch.compile` (pays on a GPU): once for all visible counts.
    rolled : bool
        Targets are those of the next image of the batch, as `null_trained` has them.
    """

    def __init__(
        self,
        cfg: MAEConfig,
        device: torch.device | str = "cpu",
        dtype: torch.dtype = torch.float32,
        compiled: bool = False,
        rolled: bool = False,
    ) -> None:
        self.cfg, self.rolled = cfg, rolled
        # at 17 tokens of 32 values a head products take two thirds of the time of the fused kernel (H100)
        self.fused = torch.device(device).type == "cpu" or cfg.n_tokens > SHORT
        self.dtype = dtype
        self._compiled = _compiled(cfg, dtype) if compiled else None
        model = MAE(cfg)
        self.positions = model.positions.to(device)
        self.decoder_positions = model.decoder_positions.to(device)

    def losses(self, w: Weights, tokens: Tensor, visible_ids: Tensor, masked_ids: Tensor) -> Tensor:
        """Mean squared error of every member over its masked tokens' values, (M,)."""
        target = target_values(self.cfg, tokens.roll(-1, 1) if self.rolled else tokens, masked_ids)
        function: Callable[..., Tensor] = losses
        if self._compiled is not None and not self._compiled.failed:
            function = self._compiled.losses
            for tensor in (target, visible_ids, masked_ids):  # a single token is compiled by itself
                torch._dynamo.maybe_mark_dynamic(tensor, 2)
        return function(
            self.cfg, w, tokens, target, visible_ids, masked_ids, self.positions, self.decoder_positions,
            self.dtype, self.fused,
        )  # fmt: skip

    def uncompile(self, error: Exception) -> None:
        """Go on without the compiler, here and in later stacks of this size, and say so.

        Raises
        ------
        Exception
            The error itself, where the compiler had no part in it.
        """
        if self._compiled is None or self._compiled.failed:
            raise error
        # another error, such as too little memory, is no reason to go on
        if not isinstance(error, torch._dynamo.exc.TorchDynamoException):
            raise error
        self._compiled.failed = True
        log.warning("PyTorch's compiler failed; going on without it, slower: %s", _first_line(error))


class _Compiled:
    """`losses` by PyTorch's compiler, and whether it has failed."""

    def __init__(self) -> None:
        self.losses: Callable[..., Tensor] = torch.compile(losses)
        self.failed = False


@lru_cache(maxsize=8)
def _compiled(cfg: MAEConfig, dtype: torch.dtype) -> _Compiled:
    return _Compiled()


def _first_line(error: Exception) -> str:
    lines = [line for line in str(error).splitlines() if line.strip()]
    return f"{type(error).__name__}: {lines[0]}" if lines else type(error).__name__


def _inner(w: Weights, prefix: str) -> dict[str, Tensor]:
    return {name[len(prefix) :]: tensor for name, tensor in w.items() if name.startswith(prefix)}


def encode(
    cfg: MAEConfig,
    w: Weights,
    tokens: Tensor,
    visible_ids: Tensor,
    positions: Tensor,
    dtype: torch.dtype,
    fused: bool = True,
) -> Tensor:
    """Encode the visible tokens (M, b, k) of every member: (M, b, 1 + k, d)."""
    visible = take_tokens(tokens, visible_ids).to(dtype)
    x = linear(visible, w["embed.weight"], w["embed.bias"]) + positions[visible_ids + 1]
    cls = (w["cls_token"] + positions[0])[:, None, None].expand(-1, x.shape[1], 1, -1)
    x = torch.cat([cls, x], 2)  # (M, b, 1 + k, d), float32
    for i in range(cfg.depth):
        x = block(_inner(w, f"blocks.{i}."), x, cfg.heads, 0, dtype, fused)
    return layer_norm(x, w["norm.weight"], w["norm.bias"], torch.float32)


def decode(
    cfg: MAEConfig,
    w: Weights,
    encoded: Tensor,
    visible_ids: Tensor,
    masked_ids: Tensor,
    positions: Tensor,
    dtype: torch.dtype,
    fused: bool = True,
) -> Tensor:
    """Predict the masked tokens' values (M, b, m, v) from the encoded visible ones (M, b, 1 + k, d)."""
    m = masked_ids.shape[-1]
    z = linear(encoded.to(dtype), w["decoder_embed.weight"], w["decoder_embed.bias"])
    masked = w["mask_token"][:, None, None] + positions[masked_ids + 1]
    visible = z[:, :, 1:] + positions[visible_ids + 1]
    y = torch.cat([z[:, :, :1] + positions[0], visible, masked], 2)  # (M, b, 1 + n, e)
    final = cfg.decoder_depth - 1
    for i in range(cfg.decoder_depth):
        y = block(
            _inner(w, f"decoder_blocks.{i}."), y, cfg.decoder_heads, m if i == final else 0, dtype, fused
        )
    y = layer_norm(y, w["decoder_norm.weight"], w["decoder_norm.bias"], dtype)
    return linear(y, w["head.weight"], w["head.bias"]).float()


def losses(
    cfg: MAEConfig,
    w: Weights,
    tokens: Tensor,
    target: Tensor,
    visible_ids: Tensor,
    masked_ids: Tensor,
    positions: Tensor,
    decoder_positions: Tensor,
    dtype: torch.dtype,
    fused: bool = True,
) -> Tensor:
    """Mean squared error of every member against its target (M, b, m, v), (M,); see `MAEStack`."""
    encoded = encode(cfg, w, tokens, visible_ids, positions, dtype, fused)
    prediction = decode(cfg, w, encoded, visible_ids, masked_ids, decoder_positions, dtype, fused)
    return (prediction - target).square().mean((1, 2, 3))
