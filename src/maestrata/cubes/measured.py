"""Kinds of what is drawn, trained and measured (see `schema`)."""

from __future__ import annotations

from maestrata.cubes.fields import (
    CELL,
    INTERVAL,
    MSE,
    PATCHES,
    POSITIVE,
    R2,
    SCORE,
    SHARE,
    STATUS,
    Kind,
    Variable,
    count,
    float64,
    index,
    progress,
    scores,
)

__all__ = ["MEASURED"]

_IMAGE = ("sample", "channel", "y", "x")
_PIXEL = "pixel value"
_ARM = ("world", "world_seed", "seed", "arm", "quantity", "level")
_LOSS = "mean squared error on masked tokens, training images"

MEASURED: dict[str, Kind] = {
    "worlds": Kind(
        "A world: its graph, and display samples with the latents and the injected noise of every level",
        {
            "images": Variable(_IMAGE, "image", _PIXEL, nan=False),
            # of images that are given there is nothing to draw anew
            "redrawn": Variable(
                ("level", "redraw", "channel", "y", "x"),
                "the first image with all noise below the level drawn anew",
                _PIXEL,
                nan=False,
                optional=True,
            ),
            "changed": Variable(
                ("level", "token"),
                "variance of a token of the first image over such draws, over the variance of pixels",
                within=POSITIVE,
                nan=False,
                optional=True,
            ),
            "latents": Variable(
                ("sample", "latent"), "latents of every level (level, node, dim)", nan=False, optional=True
            ),
            "latent_level": index(("latent",), "level of the latent", optional=True),
            "latent_node": index(("latent",), "node of the latent within its level", optional=True),
            "latent_dim": index(("latent",), "dimension within the node", optional=True),
            "noise": Variable(
                ("sample", "draw"),
                "injected noise of every level (level, node, dim)",
                nan=False,
                optional=True,
            ),
            "draw_level": index(("draw",), "level of the noise", optional=True),
            "draw_node": index(("draw",), "node of the noise within its level", optional=True),
            "draw_dim": index(("draw",), "dimension within the node", optional=True),
            "node_level": index(("node",), "level of the node"),
            "edge_parent": count(("edge",), "parent of the edge, as position on `node`"),
            "edge_child": count(("edge",), "child of the edge, as position on `node`"),
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
            "loss": Variable(("step",), _LOSS, MSE, within=POSITIVE, nan=False),
            "learning_rate": Variable(("step",), "learning rate", within=POSITIVE, nan=False),
            "images_seen": count(("step",), "training images seen", "image"),
        },
    ),
    "scores": Kind(
        "Latent regression scores of one cell, or of the controls that no mask touches",
        scores(SCORE)
        | progress(())
        | {
            "r2_boot": Variable(
                (*SCORE, "replicate"),
                "r2 of each bootstrap replicate (the same weights for all cells of a world)",
                within=R2,
                sparse=True,
                optional=True,
            ),
            "r2_node": Variable(
                ("encoder", "pooling", "target", "node"),
                "r2 of each node (last layer, whole image, ridge)",
                within=R2,
                optional=True,
            ),
        },
        ordered=(("r2_low", "r2_high"), ("progress_low", "progress_high")),
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
        scores((*CELL, *SCORE))
        | progress(CELL)
        | {
            "gain": Variable((*CELL, *SCORE), "r2 minus r2 of null_trained, all else equal"),
            "gain_low": Variable((*CELL, *SCORE), f"lower end of gain {INTERVAL}, paired"),
            "gain_high": Variable((*CELL, *SCORE), f"upper end of gain {INTERVAL}, paired"),
            "images_seen": float64(CELL, "training images of the cell's model", "image", within=POSITIVE),
        }
        | STATUS
        | PATCHES,
        ordered=(("r2_low", "r2_high"), ("gain_low", "gain_high"), ("progress_low", "progress_high")),
    ),
    "training": Kind(
        "Training histories over the whole sweep; `record` counts what was logged",
        {
            "loss": Variable((*CELL, "record"), _LOSS, MSE, within=POSITIVE),
            "learning_rate": Variable((*CELL, "record"), "learning rate", within=POSITIVE),
            "images_seen": float64((*CELL, "record"), "training images seen", "image", within=POSITIVE),
        }
        | STATUS
        | PATCHES,
    ),
    "reconstructions": Kind(
        "Display images over the sweep (NaN beyond a smaller world's image)",
        {
            "image": Variable((*CELL, *_IMAGE), "original image", _PIXEL),
            "prediction": Variable((*CELL, *_IMAGE), "decoder output at masked tokens", _PIXEL),
            "visible": Variable(
                (*CELL, "sample", "y", "x"), "seen by the encoder (1) or masked (0)", within=SHARE
            ),
        }
        | STATUS
        | PATCHES,
    ),
    "experiments": Kind(
        "What an experiment measured; quantities of the whole image stand at level 0",
        {
            "value": float64(_ARM, "the quantity (docs/experiments.md gives units)"),
            "low": float64(_ARM, "lower end of its 95 % interval over samples (ci_sample)"),
            "high": float64(_ARM, "upper end of that interval"),
            "n": float64(_ARM, "samples behind it", within=POSITIVE),
            "setting": float64(("arm",), "the number that the arm stands for, such as a ratio", beside=True),
        },
        attrs={"experiment": str},
        ordered=(("low", "high"),),
    ),
}
