"""Scores of given images, which have a class in the place of latents, read as those of any world."""

from __future__ import annotations

import numpy as np
import xarray as xr

from maestrata.results import scores


def cube(targets):
    axes = {
        "world": ["made", "given"], "world_seed": [0], "patch_size": [1], "offset": [0], "mask_ratio": [0.5],
        "seed": [0], "encoder": ["trained"], "layer": [0, 1], "pooling": ["aligned"], "eval_ratio": ["0"],
        "probe": ["ridge"], "target": targets, "level": [0, 1, 2],
    }  # fmt: skip
    values = np.full([len(v) for v in axes.values()], np.nan)
    r2 = xr.DataArray(values, coords=axes)
    if "latent" in targets:
        r2.loc[{"world": "made", "target": "latent", "level": [1, 2]}] = 0.5
    r2.loc[{"world": "given", "target": "class", "level": 2}] = 0.25
    return xr.Dataset({"r2": r2})


def test_a_world_without_latents_has_the_scores_of_its_class_at_the_root():
    both = scores(cube(["latent", "class"])).squeeze().r2
    assert both.sel(world="made").values.tolist() == [0.5, 0.5]
    np.testing.assert_array_equal(both.sel(world="given"), [np.nan, 0.25])
    alone = scores(cube(["class"]))
    np.testing.assert_array_equal(alone.squeeze().r2.sel(world="given"), [np.nan, 0.25])
    assert str(alone.target.values) == "class"
    assert scores(cube(["latent", "class"]), target="latent").sel(world="given").r2.isnull().all()
