"""What the page holds is what the cubes hold, and it is one file that needs nothing else."""

from __future__ import annotations

import json
import re
from typing import Any

import numpy as np
import pytest

from maestrata import primary
from maestrata.errors import CubeError, MaskError
from maestrata.explorer.data import data_of, tree_json
from maestrata.explorer.page import page
from maestrata.graphs import LatentGraph
from maestrata.results import LEAST_WORLDS, CubeSet, t_interval

Data = dict[str, Any]


@pytest.mark.parametrize("encoder", ["trained", "null_trained"])
def test_points_are_means_over_worlds_with_t_intervals(cubes: CubeSet, data: Data, encoder: str) -> None:
    frame = primary(cubes.one("regression"), encoder)
    seen = 0
    for (world, patch, level), rows in frame.groupby(["world", "patch", "level"]):
        told = data["worlds"][world]
        features = str(told["primary"])
        ratios = told["patches"][patch]["ratios"]
        assert ratios == sorted(set(rows.realised_ratio.round(6)))
        points = told["series"][patch][encoder][features][str(level)]["points"]
        assert [point[0] for point in points] == list(range(len(ratios)))
        for ratio, (_, mean, low, high, worlds) in zip(ratios, points, strict=True):
            here = rows[np.isclose(rows.realised_ratio, ratio)].groupby("world_seed").r2.mean()
            interval = t_interval(here.values) if len(here) >= LEAST_WORLDS else None
            assert worlds == len(here) and mean == pytest.approx(here.mean(), abs=6e-4)
            if interval is not None:
                assert [low, high] == pytest.approx(interval[1:], abs=6e-4)
            seen += 1
    assert seen == len(frame.drop_duplicates(["world", "patch", "level", "realised_ratio"])) > 50


def test_the_features_called_primary_are_primary(data: Data) -> None:
    for told in data["worlds"].values():
        features = told["features"][told["primary"]]
        assert features["pooling"] == "aligned" and features["probe"] == "ridge"
        assert features["eval_ratio"] == "0" and features["target"] == "latent"
        assert features["layer"] == max(each["layer"] for each in told["features"])


def test_ceilings_are_those_of_exact_inference(cubes: CubeSet, data: Data) -> None:
    limits = cubes.one("limits")
    for world in ("symbols", "grammar"):
        told = data["worlds"][world]["ceiling"]["all"]["0"]["latent"]
        for level, ceiling in told.items():
            whole = limits.r2.sel(
                world=world, bound="exact", eval_ratio="0", target="latent", level=int(level)
            )
            assert ceiling["bound"] == "exact"
            assert set(ceiling["patches"]["1x1"]) == {round(float(whole.mean()), 3)}


def test_verdicts_have_the_numbers_of_their_worlds(cubes: CubeSet, data: Data) -> None:
    cube = cubes.one("verdicts")
    assert [verdict["claim"] for verdict in data["verdicts"]] == cube.claim.values.tolist()
    contrasts = [contrast for verdict in data["verdicts"] for contrast in verdict["contrasts"]]
    assert len(contrasts) == cube.sizes["contrast"]
    assert sum(len(contrast["values"]) for contrast in contrasts) == cube.sizes["row"]
    for contrast in contrasts:
        if contrast["estimate"] is not None:
            assert contrast["estimate"] == pytest.approx(np.mean(contrast["values"]), rel=2e-3, abs=1e-4)


def test_trees_are_those_of_the_worlds(data: Data) -> None:
    tree = data["worlds"]["symbols"]["tree"]
    assert (tree["height"], tree["width"]) == (4, 2) and len(tree["names"]) == 15
    assert data["worlds"]["dag"]["tree"] is None
    assert data["worlds"]["symbols"]["patches"]["2x1"]["of_token"] == [0, 1, 0, 1, 2, 3, 2, 3]
    two_parents = LatentGraph([("a", "x0"), ("b", "x0"), ("a", "x1")])
    with pytest.raises(MaskError, match="more than one parent"):
        tree_json(two_parents)


def test_one_small_file_that_needs_nothing(text: str) -> None:
    assert len(text.encode()) < 3_000_000
    outside = re.sub(r"http://www\.w3\.org/2000/svg", "", text)
    assert not re.search(r"https?://|src=|@import|url\(", outside)
    assert "a &lt;note&gt;" in text and "a <note>" not in text


def test_without_limits_and_verdicts(cubes: CubeSet) -> None:
    told = data_of(CubeSet([cubes.one("regression")]), "bare")
    assert told["verdicts"] == [] and all(world["ceiling"] == {} for world in told["worlds"].values())
    assert json.loads(re.search(r"const DATA = (.*);\n", page(told))[1]) == json.loads(json.dumps(told))
    with pytest.raises(CubeError, match="'regression' is needed"):
        data_of(CubeSet([cubes.one("limits")]), "none")
