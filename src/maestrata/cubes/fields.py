"""What kinds of cubes are declared with: axes, variables, and what several kinds share (see `schema`).

Plain frozen dataclasses, so that `measured.py` and `computed.py` read as tables.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np

from maestrata.modules import constant


@dataclass(frozen=True)
class Axis:
    """A named dimension with a coordinate of its own.

    Attributes
    ----------
    dtype : "int64", "float64" or "str". Ratios are float64, or ``.sel(mask_ratio=.1)`` would find nothing.
    long_name, units : written to the file.
    allowed : the only values there may be, in their natural order (None: any).
    pattern : regular expression that a string must match in full.
    low, high : closed range of a number.
    open_range : the ends themselves are excluded.
    """

    dtype: str
    long_name: str
    units: str = "1"
    allowed: tuple[str, ...] | None = None
    pattern: str | None = None
    low: float | None = None
    high: float | None = None
    open_range: bool = False


@dataclass(frozen=True)
class Variable:
    """A data variable (or a coordinate that does not name a dimension).

    Attributes
    ----------
    dims : dimensions, in the order of the file.
    long_name, units : written to the file.
    dtype : NumPy name, or "str". Missing is NaN for floats; integers and strings cannot be missing.
    within : closed range (low, high) of the values that are not NaN, None for no end; infinities never pass.
    flags : for integers: meaning of each value (CF `flag_values`, `flag_meanings`); nothing else may occur.
    nan : False where a float must be there for every index.
    optional : a file without it is valid.
    beside : describes an axis rather than a result; xarray shows it among the coordinates.
    sparse : mostly NaN and otherwise without pattern (replicates): stored in small chunks, those of NaN left
        out, the others not compressed, which takes about the same space and a tenth of the time.
    """

    dims: tuple[str, ...]
    long_name: str
    units: str = "1"
    dtype: str = "float32"
    within: tuple[float | None, float | None] = (None, None)
    flags: dict[int, str] | None = None
    nan: bool = True
    optional: bool = False
    beside: bool = False
    sparse: bool = False

    @property
    def attrs(self) -> dict[str, Any]:
        """What a file says of the variable."""
        flags = {}
        if self.flags is not None:
            meanings = " ".join(self.flags.values())
            flags = {"flag_values": np.array(list(self.flags), self.dtype), "flag_meanings": meanings}
        return {"long_name": self.long_name, "units": self.units, **flags}


@dataclass(frozen=True)
class Kind:
    """One kind of file.

    Attributes
    ----------
    summary : one sentence, written as the `title` attribute.
    variables : name -> `Variable`. Dimensions are those the variables use; a dimension that is named in
        `schema.AXES` carries that coordinate, any other is a plain index without one.
    attrs : required attributes, name -> type.
    ordered : pairs (lower, upper) of variables that must not cross.
    """

    summary: str
    variables: dict[str, Variable]
    attrs: dict[str, type] = field(default_factory=dict)
    ordered: tuple[tuple[str, str], ...] = ()

    @property
    def dims(self) -> tuple[str, ...]:
        """All dimensions, in the order in which the variables first use them."""
        return tuple(dict.fromkeys(dim for variable in self.variables.values() for dim in variable.dims))


POOLINGS: tuple[str, ...] = constant("representation", "pooling", "POOLINGS")

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
    "pooling": Axis("str", "how tokens become one vector", allowed=POOLINGS),
    "eval_ratio": Axis(
        "str",
        "share of tokens hidden at evaluation (0: whole image; training: as in training)",
        pattern=r"training|0|0\.\d+",
    ),
    "probe": Axis("str", "regression from representation to target", pattern=r"[a-z][a-z0-9_]*"),
    "target": Axis("str", "what is regressed", allowed=("latent", "noise", "class", "texture", "layout")),
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
    "claim": Axis("str", "number and part of the claim (docs/claims.md)", pattern=r"\d+[a-z]?( [a-z]+)?"),
    "bound": Axis("str", "kind of limit", allowed=("exact", "upper", "lower")),
}

# Index of a cell of the sweep, and of a score of a cell; the order is that of the files.
CELL = ("world", "world_seed", "patch_size", "offset", "mask_ratio", "seed")
SCORE = ("encoder", "layer", "pooling", "eval_ratio", "probe", "target", "level")

# A mask distribution of a world.
RATIO = CELL[:-1]

float64 = partial(Variable, dtype="float64")
count = partial(Variable, dtype="int64", within=(0, None))
index = partial(Variable, dtype="int64", within=(0, None), beside=True)

SHARE = (0, 1)
POSITIVE = (0, None)
R2 = (None, 1)
MSE = "pixel value squared"
INTERVAL = "of the 95 % percentile bootstrap over test images (ci_sample)"


def scores(dims: tuple[str, ...]) -> dict[str, Variable]:
    """Variables that a cell's scores and the regression cube share."""
    return {
        "r2": Variable(dims, "R2 on test images, mean over nodes and dimensions", within=R2),
        "r2_low": Variable(dims, f"lower end of r2 {INTERVAL}", within=R2),
        "r2_high": Variable(dims, f"upper end of r2 {INTERVAL}", within=R2),
        "accuracy": Variable(
            dims, "accuracy on test images, mean over nodes (discrete latents)", within=SHARE, optional=True
        ),
        "n_test": Variable(dims, "test images used", "image", within=POSITIVE),
    }


def progress(dims: tuple[str, ...]) -> dict[str, Variable]:
    """Variables that tell how far a cell's model has learnt (`maestrata.training.progress`)."""
    fresh = "on test images under masks like those of training"
    loss = partial(float64, dims, units=MSE, within=POSITIVE, optional=True)
    share = partial(float64, dims, optional=True)
    return {
        "test_loss": loss(f"mean squared error on masked tokens, {fresh}"),
        "test_variance": loss(f"variance of the masked tokens, {fresh}"),
        "test_bayes_loss": loss(f"squared error of exact inference on masked tokens, {fresh}"),
        "progress": share("share explained of what can be: (variance - loss) / (variance - Bayes loss)"),
        "progress_low": share(f"lower end of progress {INTERVAL}, paired"),
        "progress_high": share(f"upper end of progress {INTERVAL}, paired"),
    }


PROGRESS = tuple(progress(()))
"""What a cell's file says of the cell's model as a whole."""

# Shape of the patches and realised ratios, beside every axis of patches and asked ratios.
PATCHES = {
    "patch_height": index(("patch_size",), "height of the mask patch", "token"),
    "patch_width": index(("patch_size",), "width of the mask patch", "token"),
    "realised_ratio": float64(
        ("patch_size", "offset", "mask_ratio", "world"),
        "share of patches that is masked (a whole number of them)",
        within=SHARE,
        beside=True,
    ),
}
DONE, MISSING = 1, 2
STATUS = {
    "status": Variable(
        CELL, "state of the cell", dtype="int8", flags={0: "not_in_grid", DONE: "done", MISSING: "missing"}
    )
}
