"""Hugging Face's ViTMAEForPreTraining and our MAE, turned into each other: the two are one function.

Only names and layouts differ. Weights are converted without the library; `to_vitmae` alone imports it.

A token's values are ordered (channel, y, x) here; so is their convolution's kernel, but their prediction is
ordered (y, x, channel). Our fused qkv is their query, key and value stacked. Positions are a function of the
sizes, so ours are not among the weights, and theirs are fixed parameters.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from math import isqrt
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from maestrata.errors import ConfigError
from maestrata.model.mae import LAYER_NORM_EPS, MAE, MAEConfig

if TYPE_CHECKING:
    from transformers import ViTMAEForPreTraining

# ours -> theirs, for modules whose weight and bias are the same tensors
_BLOCK = {
    "norm1": "layernorm_before",
    "proj": "attention.o_proj",
    "norm2": "layernorm_after",
    "fc1": "mlp.fc1",
    "fc2": "mlp.fc2",
}
_TOP = {
    "embed": "vit.embeddings.patch_embeddings.projection",
    "norm": "vit.layernorm",
    "decoder_embed": "decoder.decoder_embed",
    "decoder_norm": "decoder.decoder_norm",
    "head": "decoder.decoder_pred",
}
_POSITIONS = {
    "positions": "vit.embeddings.position_embeddings",
    "decoder_positions": "decoder.decoder_pos_embed",
}
# names before transformers 5, which the files of published checkpoints still hold; in this order
_OLDER = {
    "vit.encoder.layer.": "vit.layers.",
    "attention.attention.query": "attention.q_proj",
    "attention.attention.key": "attention.k_proj",
    "attention.attention.value": "attention.v_proj",
    "attention.output.dense": "attention.o_proj",
    "intermediate.dense": "mlp.fc1",
    "output.dense": "mlp.fc2",
}
_SAME_POSITIONS = 1e-4  # published checkpoints hold them in float32, computed by another program


def weights_from_vitmae(state: Mapping[str, Tensor], cfg: MAEConfig) -> dict[str, Tensor]:
    """Rename and rearrange a ViTMAEForPreTraining state dict.

    Parameters
    ----------
    state : mapping of str to Tensor
        ``ViTMAEForPreTraining(...).state_dict()`` of any version of transformers, or the tensors of a
        checkpoint's file, of the sizes of `cfg`. Its positions are left out.
    cfg : MAEConfig

    Returns
    -------
    dict of str to Tensor
        For ``MAE(cfg).load_state_dict``.

    Raises
    ------
    ConfigError
        If a tensor is missing from `state`, as when it has fewer blocks than `cfg`.
    """
    state = {_newer(name): value for name, value in state.items()}
    out = {}
    try:
        for ours, theirs in _names(cfg):
            value = torch.cat([state[name] for name in theirs])
            # (width, channel, y, x) of the convolution; (1, 1, width) of [CLS] and mask token
            out[ours] = value.flatten(1) if value.ndim == 4 else value.flatten() if value.ndim == 3 else value
        channels = state[f"{_TOP['embed']}.weight"].shape[1]
    except KeyError as missing:
        raise ConfigError(
            f"no tensor {missing} in the ViTMAE weights: they must have the sizes of {cfg}"
        ) from None
    return out | {name: out[name][_order(cfg, channels)] for name in ("head.weight", "head.bias")}


def from_vitmae(hf: ViTMAEForPreTraining) -> MAE:
    """Turn a ViTMAEForPreTraining of transformers into a MAE that is the same function.

    Raises
    ------
    ConfigError
        If it is no such model, or does something that a MAE does not: another activation, no biases in the
        attention, tokens that are not square, positions other than the fixed sines and cosines.
    """
    state, config = _state(hf), hf.config
    side, image = _pair(config.patch_size), _pair(config.image_size)
    wide, narrow = config.hidden_size, config.decoder_hidden_size
    mlp_ratio = config.intermediate_size // wide
    wanted = {
        "hidden_act": (config.hidden_act, "gelu"),
        "qkv_bias": (config.qkv_bias, True),
        "layer_norm_eps": (config.layer_norm_eps, LAYER_NORM_EPS),
        "patch_size": (side, (side[0], side[0])),
        "intermediate_size": (config.intermediate_size, mlp_ratio * wide),
        "decoder_intermediate_size": (config.decoder_intermediate_size, mlp_ratio * narrow),
    }
    for key, (value, needed) in wanted.items():
        if value != needed:
            raise ConfigError(
                f"ViTMAE with {key}={value!r} is another function than a MAE: allowed: {needed!r}"
            )
    cfg = MAEConfig(
        grid_height=image[0] // side[0],
        grid_width=image[1] // side[0],
        token_values=config.num_channels * side[0] ** 2,
        width=wide,
        depth=config.num_hidden_layers,
        heads=config.num_attention_heads,
        decoder_width=narrow,
        decoder_depth=config.decoder_num_hidden_layers,
        decoder_heads=config.decoder_num_attention_heads,
        mlp_ratio=mlp_ratio,
        norm_pixels=config.norm_pix_loss,
    )
    weights = weights_from_vitmae(state, cfg)
    model = MAE(cfg)
    model.load_state_dict(weights)
    for ours, theirs in _POSITIONS.items():
        off = float((state[theirs][0].float() - getattr(model, ours)).abs().max())
        if not off <= _SAME_POSITIONS:
            raise ConfigError(
                f"ViTMAE: {theirs} is up to {off:.3g} off the fixed sines and cosines of He et al., at most "
                f"{_SAME_POSITIONS} is allowed (transformers 5 leaves them at zero in a new model)"
            )
    return model.eval()


def to_vitmae(model: MAE, channels: int = 3) -> ViTMAEForPreTraining:
    """Turn a MAE into a ViTMAEForPreTraining of transformers that is the same function.

    Parameters
    ----------
    model : MAE
    channels : int
        Of its images; a token's values are those of so many channels of a square.

    Raises
    ------
    ConfigError
        If transformers is not installed, or the values of a token are not those of a square.

    Notes
    -----
    transformers takes other images than square ones as far as features (``.vit``) and predictions
    (``.decoder``) go: it computes no loss of them, and cannot read them from a saved folder.
    """
    cfg = model.cfg
    side = isqrt(cfg.token_values // channels) if channels >= 1 else 0
    if not side or channels * side**2 != cfg.token_values:
        raise ConfigError(
            f"channels={channels}: the {cfg.token_values} values of a token are no square of them"
        )
    try:
        from transformers import ViTMAEConfig, ViTMAEForPreTraining
    except ImportError:
        raise ConfigError(
            "to_vitmae needs transformers, which is not installed: pip install transformers"
        ) from None
    square = cfg.grid_height == cfg.grid_width
    hf = ViTMAEForPreTraining(
        ViTMAEConfig(
            hidden_size=cfg.width,
            num_hidden_layers=cfg.depth,
            num_attention_heads=cfg.heads,
            intermediate_size=cfg.mlp_ratio * cfg.width,
            layer_norm_eps=LAYER_NORM_EPS,
            image_size=side * cfg.grid_height if square else side,
            patch_size=side,
            num_channels=channels,
            decoder_hidden_size=cfg.decoder_width,
            decoder_num_hidden_layers=cfg.decoder_depth,
            decoder_num_attention_heads=cfg.decoder_heads,
            decoder_intermediate_size=cfg.mlp_ratio * cfg.decoder_width,
            norm_pix_loss=cfg.norm_pixels,
        )
    )
    if not square:
        _reshape(hf, cfg, side)
    ours = {name: value.detach().cpu() for name, value in model.state_dict().items()}
    order = torch.argsort(_order(cfg, channels))
    ours |= {name: ours[name][order] for name in ("head.weight", "head.bias")}
    theirs = {_POSITIONS[name]: getattr(model, name).cpu() for name in _POSITIONS}
    for name, parts in _names(cfg):
        theirs |= dict(zip(parts, ours[name].chunk(len(parts)), strict=True))
    hf.load_state_dict(
        {name: theirs[_newer(name)].reshape(value.shape) for name, value in hf.state_dict().items()}
    )
    return hf.eval()


def _reshape(hf: ViTMAEForPreTraining, cfg: MAEConfig, side: int) -> None:
    """Give a model of one token the positions of a grid that is not square, which its class cannot make."""
    embeddings = hf.vit.embeddings
    size = cfg.grid_height * side, cfg.grid_width * side
    hf.config.image_size = embeddings.image_size = embeddings.patch_embeddings.image_size = size
    embeddings.patch_embeddings.num_patches = cfg.n_tokens
    for name, width in zip(_POSITIONS.values(), (cfg.width, cfg.decoder_width), strict=True):
        module, attribute = name.rsplit(".", 1)
        positions = nn.Parameter(torch.zeros(1, 1 + cfg.n_tokens, width), requires_grad=False)
        setattr(hf.get_submodule(module), attribute, positions)


def _names(cfg: MAEConfig) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Yield each of our tensors with theirs that it stacks."""
    yield "cls_token", ("vit.embeddings.cls_token",)
    yield "mask_token", ("decoder.mask_token",)
    stacks = (
        ("blocks", "vit.layers", cfg.depth),
        ("decoder_blocks", "decoder.decoder_layers", cfg.decoder_depth),
    )
    for kind in ("weight", "bias"):
        for ours, theirs in _TOP.items():
            yield f"{ours}.{kind}", (f"{theirs}.{kind}",)
        for ours, theirs, depth in stacks:
            for i in range(depth):
                for module, peer in _BLOCK.items():
                    yield f"{ours}.{i}.{module}.{kind}", (f"{theirs}.{i}.{peer}.{kind}",)
                qkv = tuple(f"{theirs}.{i}.attention.{part}_proj.{kind}" for part in "qkv")
                yield f"{ours}.{i}.qkv.{kind}", qkv


def _newer(name: str) -> str:
    for old, new in _OLDER.items():
        name = name.replace(old, new)
    return name


def _order(cfg: MAEConfig, channels: int) -> Tensor:
    """Place among their values (y, x, channel) of each of our values (channel, y, x) of a token."""
    side = isqrt(cfg.token_values // channels)
    return torch.arange(cfg.token_values).view(side, side, channels).permute(2, 0, 1).flatten()


def _pair(size: Any) -> tuple[int, int]:
    return (size, size) if isinstance(size, int) else (int(size[0]), int(size[1]))


def _state(hf: Any) -> dict[str, Tensor]:
    """Return the weights, under the names of transformers 5, of what must be a ViTMAEForPreTraining."""
    if type(hf).__name__ != "ViTMAEForPreTraining":
        raise ConfigError(
            f"a {type(hf).__name__} must be a ViTMAEForPreTraining of transformers (with its decoder)"
        )
    return {_newer(name): value.detach().cpu() for name, value in hf.state_dict().items()}
