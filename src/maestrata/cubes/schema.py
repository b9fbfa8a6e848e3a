"""The one place for the format of every file: dimensions, variables, units, names, allowed values.

A new kind is one entry of `KINDS`; docs/cubes.md says the same in prose. `io.write_cube` and
`io.open_cube` check every file against its entry. Raise `SCHEMA_VERSION` when a reader of the old
files would be wrong about the new ones.

Files of one part of a sweep (a cell, a world) and the cube that joins them: `scores` -> `regression`,
`history` -> `training`, `reconstruction` -> `reconstructions`. `theory` and `limits` are written per world as
cubes of one world and one world seed, and joined by their labels.
"""

from __future__ import annotations

from functools import partial

from maestrata.cubes.fields import Axis, Kind, Variable

__all__ = ["AXES", "CELL", "KINDS", "READING", "SCHEMA_VERSION"]

SCHEMA_VERSION = 1

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
        allowed=(
            "trained",
            "random_init",
            "pixels",
            "pca",
            "shuffled",
            "linear_mae",
            "autoencoder",
            "positions",
            "supervised",
            "posterior",
        ),
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
    "bound": Axis("str", "kind of limit", allowed=("exact", "upper", "lower")),
}

# Index of a cell of the sweep, and of a reading of a cell; the order is that of the files.
CELL = ("world", "world_seed", "patch_size", "offset", "mask_ratio", "seed")
READING = ("encoder", "layer", "pooling", "eval_ratio", "probe", "target", "level")

_IMAGE = ("sample", "channel", "y", "x")
_RATIO = ("world", "world_seed", "patch_size", "offset", "mask_ratio")
_IN_C = (*_RATIO, "drawing", "reading", "tie", "level")
_LIMIT = (*_RATIO, "eval_ratio", "bound", "target", "level")

_float64 = partial(Variable, dtype="float64")
_count = partial(Variable, dtype="int64", within=(0, None))
_index = partial(Variable, dtype="int64", within=(0, None), beside=True)

_SHARE = (0, 1)
_POSITIVE = (0, None)
_R2 = (None, 1)
_PIXEL = "pixel value"
_LEVEL = "level"
_MSE = "pixel value squared"
_INTERVAL = "of the 95 % percentile bootstrap over test images (ci_sample)"
_LOSS = "mean squared error on masked tokens, training images"


def _scores(dims: tuple[str, ...]) -> dict[str, Variable]:
    """Variables that a cell's scores and the regression cube share."""
    return {
        "r2": Variable(dims, "R2 on test images, mean over nodes and dimensions", within=_R2),
        "r2_low": Variable(dims, f"lower end of r2 {_INTERVAL}", within=_R2),
        "r2_high": Variable(dims, f"upper end of r2 {_INTERVAL}", within=_R2),
        "accuracy": Variable(
            dims, "accuracy on test images, mean over nodes (discrete latents)", within=_SHARE, optional=True
        ),
        "n_test": Variable(dims, "test images used", "image", within=_POSITIVE),
    }


def _with_error(variables: dict[str, Variable]) -> dict[str, Variable]:
    """Add to means over masks their Monte Carlo standard errors."""
    errors = {
        f"{name}_error": _float64(
            v.dims, f"Monte Carlo standard error of {name} (0: all masks)", v.units, within=_POSITIVE
        )
        for name, v in variables.items()
    }
    return variables | errors


# Shape of the patches and realised ratios, beside every axis of patches and asked ratios.
_PATCHES = {
    "patch_height": _index(("patch_size",), "height of the mask patch", "token"),
    "patch_width": _index(("patch_size",), "width of the mask patch", "token"),
    "realised_ratio": _float64(
        ("patch_size", "offset", "mask_ratio", "world"),
        "share of patches that is masked (a whole number of them)",
        within=_SHARE,
        beside=True,
    ),
}
_STATUS = {
    "status": Variable(
        CELL, "state of the cell", dtype="int8", flags={0: "not_in_grid", 1: "done", 2: "missing"}
    )
}

KINDS: dict[str, Kind] = {
    "worlds": Kind(
        "A world: its graph, and display samples with the latents and the injected noise of every level",
        {
            "images": Variable(_IMAGE, "image", _PIXEL, nan=False),
            "latents": Variable(("sample", "latent"), "latents of every level (level, node, dim)", nan=False),
            "latent_level": _index(("latent",), "level of the latent"),
            "latent_node": _index(("latent",), "node of the latent within its level"),
            "latent_dim": _index(("latent",), "dimension within the node"),
            "noise": Variable(
                ("sample", "draw"), "injected noise of every level (level, node, dim)", nan=False
            ),
            "draw_level": _index(("draw",), "level of the noise"),
            "draw_node": _index(("draw",), "node of the noise within its level"),
            "draw_dim": _index(("draw",), "dimension within the node"),
            "node_level": _index(("node",), "level of the node"),
            "edge_parent": _count(("edge",), "parent of the edge, as position on `node`"),
            "edge_child": _count(("edge",), "child of the edge, as position on `node`"),
        },
        attrs={
            "world": str,
            "world_kind": str,
            "world_seed": int,
            "world_settings": str,
            "grid_height": int,
            "grid_width": int,
            "token_pixels": int,
        },
    ),
    "history": Kind(
        "Training history of one cell",
        {
            "loss": Variable(("step",), _LOSS, _MSE, within=_POSITIVE, nan=False),
            "learning_rate": Variable(("step",), "learning rate", within=_POSITIVE, nan=False),
            "images_seen": _count(("step",), "training images seen", "image"),
        },
    ),
    "scores": Kind(
        "Latent regression scores of one cell, or of the controls that no mask touches",
        _scores(READING)
        | {
            "r2_boot": Variable(
                (*READING, "replicate"),
                "r2 of each bootstrap replicate (the same weights for all cells of a world)",
                within=_R2,
                sparse=True,
                optional=True,
            ),
            "r2_node": Variable(
                ("encoder", "pooling", "target", "node"),
                "r2 of each node (last layer, whole image, ridge)",
                within=_R2,
                optional=True,
            ),
        },
        ordered=(("r2_low", "r2_high"),),
    ),
    "representations": Kind(
        "Representations of evaluation images, per layer",
        {
            "representation": Variable(
                ("layer", "sample", "token", "feature"),
                "encoder output; token 0 is [CLS], then visible tokens in raster order",
                nan=False,
            ),
            "visible": _count(("sample", "position"), "raster position of each visible token"),
        },
    ),
    "reconstruction": Kind(
        "Display images of one cell: original, prediction, mask",
        {
            "image": Variable(_IMAGE, "original image", _PIXEL, nan=False),
            "prediction": Variable(_IMAGE, "decoder output at masked tokens", _PIXEL, nan=False),
            "visible": Variable(
                ("sample", "y", "x"),
                "what the encoder saw",
                dtype="int8",
                flags={0: "masked", 1: "visible"},
            ),
        },
    ),
    "regression": Kind(
        "R2 of every level's latents from representations, over the whole sweep",
        _scores((*CELL, *READING))
        | {
            "gain": Variable((*CELL, *READING), "r2 less r2 of random_init, same reading and test images"),
            "gain_low": Variable((*CELL, *READING), f"lower end of gain {_INTERVAL}, paired"),
            "gain_high": Variable((*CELL, *READING), f"upper end of gain {_INTERVAL}, paired"),
            "images_seen": _float64(CELL, "training images of the cell's model", "image", within=_POSITIVE),
        }
        | _STATUS
        | _PATCHES,
        ordered=(("r2_low", "r2_high"), ("gain_low", "gain_high")),
    ),
    "training": Kind(
        "Training histories over the whole sweep; `record` counts what was logged",
        {
            "loss": Variable((*CELL, "record"), _LOSS, _MSE, within=_POSITIVE),
            "learning_rate": Variable((*CELL, "record"), "learning rate", within=_POSITIVE),
            "images_seen": _float64((*CELL, "record"), "training images seen", "image", within=_POSITIVE),
        }
        | _STATUS
        | _PATCHES,
    ),
    "reconstructions": Kind(
        "Display images over the sweep (NaN beyond a smaller world's image)",
        {
            "image": Variable((*CELL, *_IMAGE), "original image", _PIXEL),
            "prediction": Variable((*CELL, *_IMAGE), "decoder output at masked tokens", _PIXEL),
            "visible": Variable(
                (*CELL, "sample", "y", "x"), "seen by the encoder (1) or masked (0)", within=_SHARE
            ),
        }
        | _STATUS
        | _PATCHES,
    ),
    "theory": Kind(
        "Where the shared information sits, for every distribution of masks, and what rival accounts say",
        _with_error(
            {
                "p_in_c": _float64(_IN_C, "probability that a node of the level is in c", within=_SHARE),
                "number": _float64(_IN_C, "nodes of the level in c, mean", "node", within=_POSITIVE),
                "dim": _float64(_IN_C, "dimensions of the level in c, mean", within=_POSITIVE),
                "intrinsic_dim": _float64(
                    _IN_C, "noise dimensions of the level that c determines, mean", within=_POSITIVE
                ),
                "mean_level": _float64(_IN_C[:-1], "level of a member of c, mean", _LEVEL, within=_POSITIVE),
                "tied_share": _float64(
                    _IN_C[:-1], "share of masks of which the tie rule leaves several c", within=_SHARE
                ),
                "unique_share": _float64(
                    (*_RATIO, "drawing", "reading"), "share of masks with a unique c", within=_SHARE
                ),
                "supply": _float64(
                    (*_RATIO, "level"), "R2 of the level given the visible part, Gaussian twin", within=_R2
                ),
                "demand": _float64(
                    (*_RATIO, "level"),
                    "share of masked tokens whose first ancestor with a visible token is on the level",
                    within=_SHARE,
                ),
                "climb": _float64(_RATIO, "level of that ancestor, mean", _LEVEL, within=_POSITIVE),
            }
        )
        | {
            "n_masks": _float64(
                (*_RATIO, "drawing"), "masks looked at (all, where errors are 0)", "mask", within=_POSITIVE
            ),
            "closed_p_in_c": _float64(
                (*_RATIO, "drawing", "reading", "level"),
                "p_in_c in closed form (regular trees, aligned patches, highest tie)",
                within=_SHARE,
            ),
            "closed_mean_level": _float64(
                (*_RATIO, "drawing", "reading"), "mean_level in closed form", _LEVEL, within=_POSITIVE
            ),
            "twin_rho": _float64(
                ("world", "world_seed"), "correlation per edge of the Gaussian twin", within=_SHARE
            ),
            "supply_demand": _float64(_RATIO, "climb times supply of the root", _LEVEL, within=_POSITIVE),
            "linear_reach": _float64(
                (*_RATIO, "linear_loss"),
                "level at which the linear MAE meets the tokens that it predicts from, mean",
                _LEVEL,
                within=_POSITIVE,
            ),
            "linear_r2": _float64(
                (*_RATIO, "level"), "R2 of the level from features of the reduced-rank linear MAE", within=_R2
            ),
            "linear_rank": _float64(("world", "world_seed"), "rank of that linear MAE", within=_POSITIVE),
            "example_masked": _float64(
                ("world", "world_seed", "example", "node"), "token is masked in the example", within=_SHARE
            ),
            "example_in_c": _float64(
                ("world", "world_seed", "example", "reading", "tie", "node"),
                "node is in c of the example",
                within=_SHARE,
            ),
        }
        | _PATCHES,
    ),
    "limits": Kind(
        "The best that anything could do: exact inference, or named bounds where that cannot be had",
        _scores(_LIMIT)
        | {
            # readings of aligned tokens leave out images in which nothing of a node is visible
            "r2_present": Variable(
                _LIMIT, "r2 over the images in which a token of the node is visible", within=_R2
            ),
            "r2_present_low": Variable(_LIMIT, f"lower end of r2_present {_INTERVAL}", within=_R2),
            "r2_present_high": Variable(_LIMIT, f"upper end of r2_present {_INTERVAL}", within=_R2),
            "r2_boot": Variable(
                (*_LIMIT, "replicate"),
                "r2 of each bootstrap replicate (the weights of the scores)",
                within=_R2,
                sparse=True,
                optional=True,
            ),
            "r2_present_boot": Variable(
                (*_LIMIT, "replicate"),
                "r2_present of each bootstrap replicate",
                within=_R2,
                sparse=True,
                optional=True,
            ),
            "bayes_loss": _float64(
                (*_RATIO, "bound"),
                "least possible loss on masked tokens: mean posterior variance (bound upper: no loss is lower)",
                _MSE,
                within=_POSITIVE,
            ),
            "bayes_loss_error": _float64(
                (*_RATIO, "bound"), "standard error of bayes_loss over test images", _MSE, within=_POSITIVE
            ),
            "bayes_loss_test": _float64(
                (*_RATIO, "bound"),
                "squared error of E[masked given visible] on the test images and masks",
                _MSE,
                within=_POSITIVE,
            ),
            "explainable_share": _float64(
                ("world", "world_seed", "level"),
                "share of the variance of masked tokens that the latents of the level and above explain",
                within=(None, 1),
            ),
            "halving_error": _float64(
                ("world", "world_seed", "level"),
                "root mean square change of posterior means at half the grid step",
                within=_POSITIVE,
                optional=True,
            ),
        }
        | _PATCHES,
        ordered=(("r2_low", "r2_high"), ("r2_present_low", "r2_present_high")),
    ),
}
