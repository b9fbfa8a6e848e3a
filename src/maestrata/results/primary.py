"""The primary features: those whose scores decide. They are named here, and taken here, as arrays or a frame.

Last encoder layer after its norm, mean of the tokens under the node, whole image, ridge; fixed before any
model was trained. At the root that is the mean of all tokens.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from maestrata.cells import PatchShape
from maestrata.cubes.fields import CELL, DONE
from maestrata.errors import CubeError

if TYPE_CHECKING:
    import pandas as pd
    import xarray as xr

PRIMARY: dict[str, str] = {"pooling": "aligned", "eval_ratio": "0", "probe": "ridge", "target": "latent"}
"""Labels of the primary features on the axes of a regression cube; the layer is the last one."""

CLASS = "class"
"""What is scored in place of latents where a world has none."""
NULL = "null_trained"
"""The encoder that learnt nothing: same recipe, each image's target taken from another image."""

PRIMARY_TEXT = "last layer, mean of the tokens under the node, whole image, ridge"


def scores(cube: xr.Dataset, encoder: str = "trained", **changes: Any) -> xr.Dataset:
    """Select the scores of some features of a regression cube: of the primary ones, but for `changes`.

    Parameters
    ----------
    cube : Dataset
        Of kind `regression`.
    encoder : str
    **changes : labels that differ
        ``layer="all"`` keeps every layer; else the last one is taken.

    Returns
    -------
    Dataset
        Levels from 1 up; all NaN where the cube does not have such features. Worlds without latents have
        the scores of their images' class, at the level of the root.
    """
    labels = PRIMARY | {"encoder": encoder} | changes
    keep_layers = labels.pop("layer", None) == "all"
    if "target" not in changes and CLASS in cube["target"].values:
        classes = scores(cube, encoder, **changes, target=CLASS)
        if labels["target"] not in cube["target"].values:
            return classes
        return scores(cube, encoder, **changes, target=labels["target"]).fillna(classes)
    # A control or probe that was not run is missing data, not an error.
    absent = [axis for axis, label in labels.items() if label not in cube[axis].values]
    chosen = cube.sel({axis: label for axis, label in labels.items() if axis not in absent})
    chosen = chosen.isel(dict.fromkeys(absent, 0)).load()
    if absent:
        names = [name for name, variable in cube.data_vars.items() if absent[0] in variable.dims]
        chosen = chosen.assign({name: chosen[name].where(False) for name in names})
    chosen = chosen.sel(level=[level for level in cube.level.values if level > 0])
    return chosen if keep_layers else last_layer(chosen)


_BY_LEVEL = ("r2", "r2_low", "r2_high", "gain", "gain_low", "gain_high", "accuracy", "n_test")
_BY_CELL = ("progress", "progress_low", "progress_high", "images_seen")


def primary(cube: xr.Dataset, encoder: str = "trained", **changes: Any) -> pd.DataFrame:
    """Return what a regression cube holds at the primary features, as a tidy frame: a row a cell and level.

    Parameters
    ----------
    cube : Dataset
        Of kind `regression` (`maestrata.open_cube`). Of a large one only what is asked for is read.
    encoder : str
        ``trained``, or a control such as ``null_trained``.
    **changes : labels that differ from the primary features
        Such as ``pooling="concat"``.

    Returns
    -------
    pandas.DataFrame
        Finished cells only, in the order of the cube. `world`, `world_seed`, `patch` (such as ``2x1``, with
        an ``o`` where it is offset), `mask_ratio` (asked for), `realised_ratio`, `seed`, `level` (1 up to the
        root); `r2` with the interval over test images `r2_low`, `r2_high`, and `gain` (over `null_trained`)
        with its own; `accuracy`, `n_test`, `progress` and `images_seen` as far as the cube has them. A cell
        that stands for two asked ratios has a row at each.

    Raises
    ------
    CubeError
        If the cube is of another kind.

    Examples
    --------
    >>> import maestrata
    >>> frame = maestrata.primary(maestrata.open_cube("reference/default/regression.nc"))  # doctest: +SKIP
    >>> frame.groupby(["world", "level", "realised_ratio"]).r2.mean()  # doctest: +SKIP
    """
    import pandas as pd

    kind = cube.attrs.get("kind")
    if kind != "regression":
        raise CubeError(f"a cube of kind 'regression' is needed; given: {kind!r}")
    chosen = scores(cube, encoder, **changes).transpose(*CELL, "level", ...)
    done = chosen["status"].transpose(*CELL).values == DONE
    there = np.isfinite(chosen["r2"].values) & done[..., None]
    at = dict(zip((*CELL, "level"), np.nonzero(there), strict=True))
    labels = {axis: chosen[axis].values[where] for axis, where in at.items()}
    sides = (cube[side].values[at["patch_size"]].tolist() for side in ("patch_height", "patch_width"))
    shapes = zip(*sides, labels["offset"].tolist(), strict=True)
    realised = cube["realised_ratio"].transpose("patch_size", "offset", "mask_ratio", "world").values
    columns: dict[str, Any] = {
        "world": labels["world"],
        "world_seed": labels["world_seed"],
        "patch": [PatchShape(height, width, bool(offset)).label for height, width, offset in shapes],
        "mask_ratio": labels["mask_ratio"],
        "realised_ratio": realised[at["patch_size"], at["offset"], at["mask_ratio"], at["world"]],
        "seed": labels["seed"],
        "level": labels["level"],
    }
    cell = tuple(at[axis] for axis in CELL)
    columns |= {name: chosen[name].values[there] for name in _BY_LEVEL if name in chosen}
    columns |= {name: chosen[name].values[cell] for name in _BY_CELL if name in chosen}
    return pd.DataFrame(columns)


def last_layer(cube: xr.Dataset) -> xr.Dataset:
    """Take, at every index, the last layer whose `r2` is there (models may differ in depth)."""
    there = cube.r2.notnull()
    count = cube.sizes["layer"]
    last = count - 1 - there.isel(layer=slice(None, None, -1)).argmax("layer")
    names = [name for name, variable in cube.data_vars.items() if "layer" in variable.dims]
    return (
        cube.drop_vars(names).assign({name: cube[name].isel(layer=last) for name in names}).drop_vars("layer")
    )
