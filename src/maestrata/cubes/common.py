"""What the declarations of several kinds share (see `schema`)."""

from __future__ import annotations

from functools import partial

from maestrata.cubes.axes import CELL
from maestrata.cubes.fields import Variable

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
STATUS = {
    "status": Variable(
        CELL, "state of the cell", dtype="int8", flags={0: "not_in_grid", 1: "done", 2: "missing"}
    )
}
