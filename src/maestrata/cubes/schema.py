"""The one place for the format of every file: dimensions, variables, units, names, allowed values.

A new kind is one entry of `KINDS`; docs/cubes.md says the same in prose. `io.write_cube` and
`io.open_cube` check every file against its entry. Raise `SCHEMA_VERSION` when a reader of the old
files would be wrong about the new ones.

Files of one part of a sweep (a cell, a world) and the cube that joins them: `scores` -> `regression`,
`history` -> `training`, `reconstruction` -> `reconstructions`. `theory` and `limits` are written per world as
cubes of one world and one world seed, and joined by their labels.
"""

from __future__ import annotations

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
    "encoder": Axis("str", "what is read: the trained encoder or a control", allowed=(
        "trained", "random_init", "pixels", "pca", "shuffled",
        "linear_mae", "autoencoder", "positions", "supervised", "posterior")),
    "layer": Axis("int64", "encoder layer (0: embedding; last: after the final LayerNorm)", low=0),
    "pooling": Axis("str", "how tokens become one vector", allowed=("global", "cls", "concat", "aligned")),
    "eval_ratio": Axis("str", "share of tokens hidden at evaluation (0: whole image; training: as in training)",
                       pattern=r"training|0|0\.\d+"),
    "probe": Axis("str", "regression from representation to target", pattern=r"[a-z][a-z0-9_]*"),
    "target": Axis("str", "what is regressed", allowed=("latent", "noise")),
    "level": Axis("int64", "level of the hierarchy (0: tokens; 1: just above; highest: the root)", low=0),
    "node": Axis("str", "node of the graph", pattern=r"[A-Za-z0-9_.-]+"),
    "step": Axis("int64", "optimiser steps done", "step", low=0),
    "reading": Axis("str", "reading of Theorem 1", allowed=("separator", "invertible")),
    "tie": Axis("str", "which smallest set is taken where several are", allowed=("highest", "lowest")),
    "bound": Axis("str", "kind of limit", allowed=("exact", "upper", "lower")),
}

# Index of a cell of the sweep, and of a reading of a cell; the order is that of the files.
CELL = ("world", "world_seed", "patch_size", "offset", "mask_ratio", "seed")
READING = ("encoder", "layer", "pooling", "eval_ratio", "probe", "target", "level")

_IMAGE = ("sample", "channel", "y", "x")
_RATIO = ("world", "world_seed", "patch_size", "offset", "mask_ratio")

_INTERVAL = "of the 95 % percentile bootstrap over test images (ci_sample)"


def _scores(dims: tuple[str, ...]) -> dict[str, Variable]:
    """Variables that a cell's scores and the regression cube share."""
    return {
        "r2": Variable(dims, "coefficient of determination on test images, mean over nodes and dimensions", high=1),
        "r2_low": Variable(dims, f"lower end of r2 {_INTERVAL}", high=1),
        "r2_high": Variable(dims, f"upper end of r2 {_INTERVAL}", high=1),
        "accuracy": Variable(dims, "share of test images whose symbol is told right (discrete latents), mean over nodes",
                             low=0, high=1, optional=True),
        "n_test": Variable(dims, "test images used", "image", low=0),
    }


def _patches() -> dict[str, Variable]:
    """Shape of the patches and realised ratios: beside every axis of patches and asked ratios."""
    return {
        "patch_height": Variable(("patch_size",), "height of the mask patch", "token", "int64", low=1),
        "patch_width": Variable(("patch_size",), "width of the mask patch", "token", "int64", low=1),
        "realised_ratio": Variable(("patch_size", "offset", "mask_ratio", "world"),
                                   "share of mask patches that is masked (whole patches only)", dtype="float64",
                                   low=0, high=1),
    }


def _status() -> dict[str, Variable]:
    return {"status": Variable(CELL, "state of the cell", dtype="int8",
                               flags={0: "not_in_grid", 1: "done", 2: "missing"})}


KINDS: dict[str, Kind] = {
    "worlds": Kind(
        "A world: its graph, and display samples with the latents and the injected noise of every level",
        {
            "images": Variable(_IMAGE, "image", "pixel value", nan=False),
            "latents": Variable(("sample", "latent"), "latents of every level, flattened (level, node, dimension)",
                                nan=False),
            "latent_level": Variable(("latent",), "level of the latent", dtype="int64", low=0),
            "latent_node": Variable(("latent",), "node of the latent within its level", dtype="int64", low=0),
            "latent_dim": Variable(("latent",), "dimension within the node", dtype="int64", low=0),
            "noise": Variable(("sample", "draw"), "injected noise of every level, flattened", nan=False),
            "draw_level": Variable(("draw",), "level of the noise", dtype="int64", low=0),
            "draw_node": Variable(("draw",), "node of the noise within its level", dtype="int64", low=0),
            "draw_dim": Variable(("draw",), "dimension within the node", dtype="int64", low=0),
            "node_level": Variable(("node",), "level of the node", dtype="int64", low=0),
            "edge_parent": Variable(("edge",), "parent of the edge, as index on `node`", dtype="int64", low=0),
            "edge_child": Variable(("edge",), "child of the edge, as index on `node`", dtype="int64", low=0),
        },
        attrs={"world": str, "world_kind": str, "world_seed": int, "world_settings": str,
               "grid_height": int, "grid_width": int, "token_pixels": int},
    ),
    "history": Kind(
        "Training history of one cell",
        {
            "loss": Variable(("step",), "mean squared error on masked tokens, training images", "pixel value squared",
                             low=0, nan=False),
            "learning_rate": Variable(("step",), "learning rate", low=0, nan=False),
            "images_seen": Variable(("step",), "training images seen", "image", "int64", low=0),
        },
    ),
    "scores": Kind(
        "Latent regression scores of one cell, or of the controls that no mask touches",
        _scores(READING) | {
            "r2_boot": Variable((*READING, "replicate"), "r2 in each bootstrap replicate (same weights for all cells of "
                                "a world)", high=1, optional=True),
            "r2_node": Variable(("encoder", "pooling", "target", "node"),
                                "r2 of each node (last layer, whole image, ridge)", high=1, optional=True),
        },
        ordered=(("r2_low", "r2_high"),),
    ),
    "representations": Kind(
        "Representations of evaluation images, per layer",
        {
            "representation": Variable(("layer", "sample", "token", "feature"),
                                       "encoder output; token 0 is [CLS], then visible tokens in raster order", nan=False),
            "visible": Variable(("sample", "position"), "raster position of each visible token", dtype="int64", low=0),
        },
    ),
    "reconstruction": Kind(
        "Display images of one cell: original, prediction, mask",
        {
            "image": Variable(_IMAGE, "original image", "pixel value", nan=False),
            "prediction": Variable(_IMAGE, "decoder output at masked tokens; elsewhere the original or the decoder's own",
                                   "pixel value", nan=False),
            "visible": Variable(("sample", "y", "x"), "pixel visible to the encoder", dtype="int8",
                                flags={0: "masked", 1: "visible"}),
        },
    ),
    "regression": Kind(
        "R2 of every level's latents from representations, over the whole sweep",
        _scores((*CELL, *READING)) | {
            "gain": Variable((*CELL, *READING), "r2 less r2 of random_init at the same reading, same test images"),
            "gain_low": Variable((*CELL, *READING), f"lower end of gain {_INTERVAL}, paired"),
            "gain_high": Variable((*CELL, *READING), f"upper end of gain {_INTERVAL}, paired"),
            "images_seen": Variable(CELL, "training images seen by the cell's model", "image", "float64", low=0),
        } | _status() | _patches(),
        ordered=(("r2_low", "r2_high"), ("gain_low", "gain_high")),
    ),
    "training": Kind(
        "Training histories over the whole sweep; `record` counts what was logged",
        {
            "loss": Variable((*CELL, "record"), "mean squared error on masked tokens, training images",
                             "pixel value squared", low=0),
            "learning_rate": Variable((*CELL, "record"), "learning rate", low=0),
            "images_seen": Variable((*CELL, "record"), "training images seen", "image", "float64", low=0),
        } | _status() | _patches(),
    ),
    "reconstructions": Kind(
        "Display images over the sweep (NaN beyond a smaller world's image)",
        {
            "image": Variable((*CELL, *_IMAGE), "original image", "pixel value"),
            "prediction": Variable((*CELL, *_IMAGE), "decoder output", "pixel value"),
            "visible": Variable((*CELL, "sample", "y", "x"), "pixel visible to the encoder (1) or masked (0)", low=0, high=1),
        } | _status() | _patches(),
    ),
    "theory": Kind(
        "Where the shared information sits, exactly or over sampled masks, for every mask distribution",
        {
            "p_in_c": Variable((*_RATIO, "reading", "tie", "level"), "probability that a node of the level is in c",
                               dtype="float64", low=0, high=1),
            "p_in_c_error": Variable((*_RATIO, "reading", "tie", "level"), "Monte Carlo standard error of p_in_c",
                                     dtype="float64", low=0, optional=True),
            "mean_level": Variable((*_RATIO, "reading", "tie"), "mean level of c, weighted by dimension", "level", "float64",
                                   low=0),
            "mean_level_error": Variable((*_RATIO, "reading", "tie"), "Monte Carlo standard error of mean_level", "level",
                                         "float64", low=0, optional=True),
            "unique_share": Variable((*_RATIO, "reading"), "share of masks with a unique c", dtype="float64", low=0, high=1,
                                     optional=True),
            "intrinsic_dim": Variable((*_RATIO, "reading", "tie"), "mean intrinsic dimension of c", dtype="float64", low=0,
                                      optional=True),
            "supply": Variable((*_RATIO, "level"), "what the visible part tells of the level's latents (R2)", dtype="float64",
                               high=1, optional=True),
            "demand": Variable((*_RATIO, "level"), "share of masked leaves whose first ancestor with a visible leaf is on "
                               "the level", dtype="float64", low=0, high=1, optional=True),
            "linear_r2": Variable((*_RATIO, "level"), "R2 of the level's latents from the linear MAE's features",
                                  dtype="float64", high=1, optional=True),
            "n_masks": Variable(_RATIO, "masks looked at (all of them where the theory is exact)", "mask", "float64", low=0,
                                optional=True),
        } | _patches(),
    ),
    "limits": Kind(
        "The best that anything could do: exact inference, or named bounds where that cannot be had",
        {
            "r2": Variable((*_RATIO, "eval_ratio", "bound", "target", "level"), "R2 of the posterior mean, mean over nodes and "
                           "dimensions", dtype="float64", high=1),
            "accuracy": Variable((*_RATIO, "eval_ratio", "bound", "target", "level"), "accuracy of the most probable symbol",
                                 dtype="float64", low=0, high=1, optional=True),
            "bayes_loss": Variable((*_RATIO, "bound"), "mean squared error of E[masked pixels given visible ones]",
                                   "pixel value squared", "float64", low=0, optional=True),
        } | _patches(),
    ),
}
