"""Axes of the files, and the order in which they index cells and readings (see `schema`)."""

from __future__ import annotations

from maestrata.cubes.fields import Axis
from maestrata.modules import constant

__all__ = ["AXES", "CELL", "RATIO", "READING"]

_LABEL = r"[A-Za-z0-9][A-Za-z0-9_.-]*"

# Axes mean the same in every kind.
AXES: dict[str, Axis] = {
    "world": Axis("str", "label of the world in the config", pattern=_LABEL),
    "world_seed": Axis("int64", "seed of the world's functions", low=0),
    "patch_size": Axis("int64", "size of the mask patch", "token", low=1),
    "offset": Axis("int64", "mask patches shifted by half a block (1) or aligned (0)", low=0, high=1),
    "mask_ratio": Axis("float64", "masking ratio asked for", low=0, high=1, open_range=True),
    "seed": Axis("int64", "training seed", low=0),
    "encoder": Axis(
        "str",
        "what is read: the trained encoder or a control",
        allowed=constant("regression", "encoders", "NAMES"),
    ),
    "layer": Axis("int64", "encoder layer (0: embedding; last: after the final LayerNorm)", low=0),
    "pooling": Axis("str", "how tokens become one vector", allowed=("global", "cls", "concat", "aligned")),
    "eval_ratio": Axis(
        "str",
        "share of tokens hidden at evaluation (0: whole image; training: as in training)",
        pattern=r"training|0|0\.\d+",
    ),
    "probe": Axis("str", "regression from representation to target", pattern=r"[a-z][a-z0-9_]*"),
    "target": Axis("str", "what is regressed", allowed=("latent", "noise")),
    "level": Axis("int64", "level of the hierarchy (0: tokens; 1: just above; highest: the root)", low=0),
    "node": Axis("str", "node of the graph", pattern=r"[A-Za-z0-9_.-]+"),
    "step": Axis("int64", "optimiser steps done", "step", low=0),
    "reading": Axis("str", "reading of Theorem 1", allowed=("separator", "invertible")),
    "tie": Axis("str", "which smallest set is taken where several are", allowed=("highest", "lowest")),
    "drawing": Axis(
        "str", "how masks are drawn: a fixed number or each patch", allowed=("fixed", "independent")
    ),
    "linear_loss": Axis("str", "loss of the linear masked autoencoder", allowed=("masked", "all")),
    "example": Axis("str", "fixed mask", allowed=("conservative", "ideal", "aggressive")),
    "arm": Axis("str", "arm of the experiment", pattern=r"[A-Za-z0-9][A-Za-z0-9_.=/+-]*"),
    "quantity": Axis("str", "what is measured", pattern=r"[a-z][a-z0-9_]*"),
    "claim": Axis("int64", "number of the claim (docs/claims.md)", low=1),
    "bound": Axis("str", "kind of limit", allowed=("exact", "upper", "lower")),
}

# Index of a cell of the sweep, and of a reading of a cell; the order is that of the files.
CELL = ("world", "world_seed", "patch_size", "offset", "mask_ratio", "seed")
READING = ("encoder", "layer", "pooling", "eval_ratio", "probe", "target", "level")

# A mask distribution of a world.
RATIO = CELL[:-1]
