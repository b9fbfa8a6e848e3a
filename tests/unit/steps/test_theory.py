"""The theory step: its cube against the functions it calls, and what it refuses."""

from __future__ import annotations

import json
import sys

import numpy as np
import pytest

from maestrata.cubes.io import open_cube
from maestrata.errors import MaskError
from maestrata.geometry import TokenGrid
from maestrata.masks import MaskPatches, MaskSweep
from maestrata.steps import theory as step
from maestrata.steps._run import run
from maestrata.theory.arrays import GraphArrays
from maestrata.theory.distributions import mask_distribution
from maestrata.theory.profiles import level_profile
from maestrata.theory.shared import shared_information
from maestrata.theory.supply import demand, supply_of_masks
from maestrata.worlds import make


def write(tmp_path, kind, masks, settings=None, extra=()):
    path = tmp_path / f"{kind}.nc"
    given = ["--world-kind", kind, "--world", "w", "--world-settings", json.dumps(settings or {"leaves": 8})]
    given += ["--masks", json.dumps(masks), "--output", str(path), "--moment-samples", "32768"]
    step.main([*given, *extra])
    return open_cube(path)


@pytest.fixture(scope="module")
def tree(tmp_path_factory):
    return write(
        tmp_path_factory.mktemp("theory"), "gaussian_tree", {"1x1": [0.25, 0.5], "2x1": [0.5], "2x1o": [0.5]}
    )


def test_cube_holds_what_the_functions_say(tree):
    world = make("gaussian_tree", 0, leaves=8)
    for patch, at in (("1x1", (1, 0)), ("2x1", (2, 0)), ("2x1o", (2, 1))):
        cell = tree.sel(world="w", world_seed=0, mask_ratio=0.5, patch_size=at[0], offset=at[1])
        for drawing in ("fixed", "independent"):
            expected = mask_distribution(world.graph, MaskPatches.parse(patch, world.grid), 0.5, drawing)
            here = cell.sel(drawing=drawing)
            for name in ("p_in_c", "number", "dim", "intrinsic_dim", "mean_level", "unique_share"):
                np.testing.assert_array_equal(here[name].transpose(*expected[name].dims), expected[name])
            assert float(here.n_masks) == float(expected.n_masks)
        assert float(cell.realised_ratio) == 0.5


def test_closed_forms_stand_where_there_are_any(tree):
    cell = tree.sel(world="w", world_seed=0, mask_ratio=0.5, drawing="fixed")
    for size in (1, 2):
        at = cell.sel(patch_size=size, offset=0)
        assert (abs(at.closed_p_in_c - at.p_in_c.sel(tie="highest")) < 1e-12).all()
        assert (abs(at.closed_mean_level - at.mean_level.sel(tie="highest")) < 1e-12).all()
        form = level_profile(2, 3, 0.5, "separator", size - 1, "fixed")
        assert float(at.closed_mean_level.sel(reading="separator")) == float(form.mean_level)
    assert np.isnan(cell.closed_mean_level.sel(patch_size=2, offset=1)).all()


def test_cells_that_were_not_asked_for_are_empty(tree):
    assert np.isnan(tree.mean_level.sel(patch_size=2, mask_ratio=0.25)).all()
    assert np.isnan(tree.mean_level.sel(patch_size=1, offset=1)).all()


def test_rivals(tree):
    cell = tree.sel(world="w", world_seed=0, patch_size=1, offset=0)
    for ratio in (0.25, 0.5):
        at = cell.sel(mask_ratio=ratio)
        form = demand(2, 3, ratio, 0, "fixed")
        np.testing.assert_allclose(at.demand, form.share, atol=1e-12)
        assert float(at.climb) == pytest.approx(float(form.climb))
        assert float(at.supply_demand) == pytest.approx(float(at.climb * at.supply.sel(level=3)))
        assert 0 < float(at.supply.sel(level=3)) < float(at.supply.sel(level=1)) < 1
    assert (cell.supply.sel(mask_ratio=0.25) > cell.supply.sel(mask_ratio=0.5)).all()
    reach = cell.linear_reach
    assert (reach.sel(mask_ratio=0.5) > reach.sel(mask_ratio=0.25)).all()  # monotone: no inverted U
    assert (reach.sel(linear_loss="masked") > reach.sel(linear_loss="all")).all()
    assert float(tree.twin_rho.squeeze()) == 0.9 and (cell.linear_r2 > 0.2).all()


def test_linear_features_cannot_beat_exact_inference(tree):
    """On the Gaussian tree, where exact inference is linear: what whole images tell is a bound."""
    arrays = GraphArrays(make("gaussian_tree", 0, leaves=8).graph)
    whole = supply_of_masks(arrays, np.zeros((1, 8), bool), 0.9)[0]
    level = arrays.level[arrays.latents]
    cell = tree.sel(world="w", world_seed=0, patch_size=1, offset=0, mask_ratio=0.25)
    for at in (1, 2, 3):
        bound = whole[level == at].mean()
        assert bound - 0.1 < float(cell.linear_r2.sel(level=at)) < bound + 0.01  # a sampled covariance


def test_examples(tree):
    graph = make("gaussian_tree", 0, leaves=8).graph
    at = tree.sel(world="w", world_seed=0)
    for example in ("conservative", "ideal", "aggressive"):
        masked = at.example_masked.sel(example=example)
        names = {str(n) for n in masked.node.values if masked.sel(node=n) == 1}
        for reading in ("separator", "invertible"):
            for tie in ("highest", "lowest"):
                in_c = at.example_in_c.sel(example=example, reading=reading, tie=tie)
                nodes = {str(n) for n in in_c.node.values if in_c.sel(node=n) == 1}
                assert nodes == shared_information(graph, names, reading, tie).nodes
    highest = at.example_in_c.sel(reading="separator", tie="highest")
    level = {e: max(graph.level(str(n)) for n in highest.node.values if highest.sel(example=e, node=n) == 1)
             for e in ("conservative", "ideal", "aggressive")}  # fmt: skip
    assert level == {"conservative": 1, "ideal": 3, "aggressive": 1}


@pytest.mark.parametrize(
    ("kind", "settings"),
    [
        ("latent_dag", {"leaves": 8}),
        ("grammar_tree", {"leaves": 8, "symbols": 6}),
        ("invertible_tree", {"leaves": 8}),
        ("additive_tree", {"leaves": 8, "dim": 2}),
    ],
)
def test_every_world_has_a_theory(kind, settings, tmp_path):
    cube = write(tmp_path, kind, {"2x1": [0.5]}, settings, ("--dag-samples", "20"))
    assert np.isfinite(cube.mean_level).all() and np.isfinite(cube.linear_r2).all()
    assert np.isfinite(cube.closed_mean_level).all() == (kind != "latent_dag")


def test_equal_runs_write_equal_files(tmp_path):
    paths = [tmp_path / name for name in ("a.nc", "b.nc")]
    for path in paths:
        flags = ["--world-kind", "gaussian_tree", "--world-settings", '{"leaves": 32}', "--samples", "50"]
        flags += ["--moment-samples", "4096"]
        step.main([*flags, "--masks", '{"1x1": [0.5]}', "--output", str(path)])
    assert paths[0].read_bytes() == paths[1].read_bytes()


@pytest.mark.parametrize(
    ("masks", "message"),
    [
        ({}, "must name at least one mask patch"),
        ({"1x1": 0.5}, "must be a list of numbers"),
        ({"1x1": [1.5]}, "mask_ratio=1.5"),
        ({"1x1": ["half"]}, "half"),
        ({"3x1": [0.5]}, "must divide"),
        ({"2x1": [0.5], "1x2": [0.5]}, "one patch shape of each size"),
    ],
)
def test_refused_masks(masks, message):
    world = make("gaussian_tree", 0, leaves=8)
    with pytest.raises(MaskError, match=message):
        MaskSweep.read(masks, world.grid)


def test_an_error_is_one_line(tmp_path, monkeypatch, capsys):
    flags = ["--world-kind", "gaussian_tree", "--masks", '{"1x1": [2]}', "--output", str(tmp_path / "x.nc")]
    monkeypatch.setattr(sys, "argv", ["theory", *flags])
    with pytest.raises(SystemExit) as stop:
        run(step.main)
    assert stop.value.code == 2 and capsys.readouterr().err.count("\n") == 1
    assert not (tmp_path / "x.nc").exists()


def test_grid_of_the_world_is_used():
    ((patches, ratios),) = MaskSweep.read({"4x2": [0.5]}, make("gaussian_tree", 0, leaves=16).grid).asked
    assert patches == MaskPatches(TokenGrid(4, 4), 4, 2) and ratios == (0.5,)
