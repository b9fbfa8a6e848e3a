"""Weights of transformers' ViTMAEForPreTraining, as weights of our MAE: the two are one function.

Only names and layouts differ, so this needs the peer's state dict and not the library itself.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from maestrata.errors import ConfigError
from maestrata.model.mae import MAEConfig

# theirs -> ours, for modules whose weight and bias are the same tensors
_BLOCK = {
    "layernorm_before": "norm1",
    "attention.o_proj": "proj",
    "layernorm_after": "norm2",
    "mlp.fc1": "fc1",
    "mlp.fc2": "fc2",
}
_TOP = {
    "vit.layernorm": "norm",
    "decoder.decoder_embed": "decoder_embed",
    "decoder.decoder_norm": "decoder_norm",
}


def weights_from_vitmae(state: Mapping[str, Tensor], cfg: MAEConfig) -> dict[str, Tensor]:
    """Rename and rearrange a ViTMAEForPreTraining state dict.

    Parameters
    ----------
    state : mapping of str to Tensor
        ``ViTMAEForPreTraining(...).state_dict()``, of the sizes of `cfg`. Its positions are left out:
        ours are a function of the sizes.
    cfg : MAEConfig

    Returns
    -------
    dict of str to Tensor
        For ``MAE(cfg).load_state_dict``.

    Raises
    ------
    ConfigError
        If a tensor is missing from `state`, as when it has fewer blocks than `cfg`.

    Notes
    -----
    Our fused qkv is their query, key and value stacked. A token's values are ordered (channel, y, x)
    here; so is their convolution's kernel, but their prediction is ordered (y, x, channel).
    """
    try:
        out = {
            "cls_token": state["vit.embeddings.cls_token"].flatten(),
            "mask_token": state["decoder.mask_token"].flatten(),
            "embed.weight": state["vit.embeddings.patch_embeddings.projection.weight"].flatten(1),
            "embed.bias": state["vit.embeddings.patch_embeddings.projection.bias"],
        }
        channels, side = state["vit.embeddings.patch_embeddings.projection.weight"].shape[1:3]
        order = torch.arange(side * side * channels).view(side, side, channels).permute(2, 0, 1).flatten()
        for kind in ("weight", "bias"):
            out[f"head.{kind}"] = state[f"decoder.decoder_pred.{kind}"][order]
            for theirs, ours in _TOP.items():
                out[f"{ours}.{kind}"] = state[f"{theirs}.{kind}"]
            for prefix, name, depth in (
                ("vit.layers", "blocks", cfg.depth),
                ("decoder.decoder_layers", "decoder_blocks", cfg.decoder_depth),
            ):
                for i in range(depth):
                    for theirs, ours in _BLOCK.items():
                        out[f"{name}.{i}.{ours}.{kind}"] = state[f"{prefix}.{i}.{theirs}.{kind}"]
                    qkv = [state[f"{prefix}.{i}.attention.{part}_proj.{kind}"] for part in "qkv"]
                    out[f"{name}.{i}.qkv.{kind}"] = torch.cat(qkv)
    except KeyError as missing:
        raise ConfigError(
            f"no tensor {missing} in the ViTMAE weights: they must have the sizes of {cfg}"
        ) from None
    return out
