"""The primary features: those whose scores decide. They are named here, and taken here.

Last encoder layer after its norm, mean of the tokens under the node, whole image, ridge; fixed before any
model was trained. At the root that is the mean of all tokens.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import xarray as xr

PRIMARY: dict[str, str] = {"pooling": "aligned", "eval_ratio": "0", "probe": "ridge", "target": "latent"}
"""Labels of the primary features on the axes of a regression cube; the layer is the last one."""

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
        Levels from 1 up; all NaN where the cube does not have such features.
    """
    labels = PRIMARY | {"encoder": encoder} | changes
    keep_layers = labels.pop("layer", None) == "all"
    # A control or probe that was not run is missing data, not an error.
    absent = [axis for axis, label in labels.items() if label not in cube[axis].values]
    chosen = cube.sel({axis: label for axis, label in labels.items() if axis not in absent})
    chosen = chosen.isel(dict.fromkeys(absent, 0)).load()
    if absent:
        names = [name for name, variable in cube.data_vars.items() if absent[0] in variable.dims]
        chosen = chosen.assign({name: chosen[name].where(False) for name in names})
    chosen = chosen.sel(level=[level for level in cube.level.values if level > 0])
    return chosen if keep_layers else last_layer(chosen)


def last_layer(cube: xr.Dataset) -> xr.Dataset:
    """Take, at every index, the last layer whose `r2` is there (models may differ in depth)."""
    there = cube.r2.notnull()
    count = cube.sizes["layer"]
    last = count - 1 - there.isel(layer=slice(None, None, -1)).argmax("layer")
    names = [name for name, variable in cube.data_vars.items() if "layer" in variable.dims]
    return (
        cube.drop_vars(names).assign({name: cube[name].isel(layer=last) for name in names}).drop_vars("layer")
    )
