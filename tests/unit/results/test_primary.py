"""The tidy frame of a regression cube: what the cube holds at the primary features, and nothing else."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import maestrata
from maestrata.errors import CubeError
from maestrata.results import scores

PUBLISHED = Path(__file__).parents[3] / "reference" / "default"


def test_a_row_for_each_finished_cell_and_level() -> None:
    cube = maestrata.open_cube(PUBLISHED / "regression.nc")
    frame = maestrata.primary(cube)
    chosen = scores(cube)
    assert len(frame) == int((np.isfinite(chosen.r2) & (cube.status == 1)).sum())
    assert not frame.duplicated(["world", "world_seed", "patch", "mask_ratio", "seed", "level"]).any()
    for row in frame.sample(40, random_state=0).itertuples():
        size = int(np.prod([int(n) for n in row.patch.removesuffix("o").split("x")]))
        at = {"patch_size": size, "offset": int(row.patch.endswith("o")), "mask_ratio": row.mask_ratio}
        at |= {"world": row.world, "world_seed": row.world_seed, "seed": row.seed}
        here = chosen.sel(at).sel(level=row.level)
        for name in ("r2", "r2_low", "r2_high", "gain", "progress", "images_seen"):
            assert getattr(row, name) == pytest.approx(float(here[name]), nan_ok=True)
        assert row.realised_ratio == float(here.realised_ratio)


def test_other_features_and_encoders() -> None:
    cube = maestrata.open_cube(PUBLISHED / "regression.nc")
    null, all_tokens = maestrata.primary(cube, "null_trained"), maestrata.primary(cube, pooling="concat")
    assert len(null) and len(all_tokens)
    assert null.r2.mean() < maestrata.primary(cube).r2.mean() < all_tokens.r2.mean()
    assert maestrata.primary(cube, probe="none").empty


def test_only_finished_cells_and_only_regression_cubes() -> None:
    cube = maestrata.open_cube(PUBLISHED / "regression.nc")
    status = cube.status.copy(deep=True)
    status.loc[{"world": "symbols"}] = 2
    frame = maestrata.primary(cube.assign(status=status))
    assert len(frame) and "symbols" not in set(frame.world)
    with pytest.raises(CubeError, match="a cube of kind 'regression' is needed; given: 'theory'"):
        maestrata.primary(maestrata.open_cube(PUBLISHED / "theory.nc"))
