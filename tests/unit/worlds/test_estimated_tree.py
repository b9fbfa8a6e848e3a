"""Given images with a tree that is estimated: theirs where they tell it, the grid's where they do not."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from maestrata import worlds
from maestrata.cubes.io import open_cube
from maestrata.errors import WorldError
from maestrata.geometry import patchify, unpatchify
from maestrata.graphs import LatentGraph, tree_graph
from maestrata.masks import MaskPatches
from maestrata.run.fingerprint import closure
from maestrata.steps import theory as theory_step
from maestrata.steps import worlds as worlds_step
from maestrata.theory.distributions import mask_distribution

MADE = worlds.make("gaussian_tree", 0, leaves=8)
ORDER = np.array([3, 6, 0, 5, 1, 7, 4, 2])  # position -> token of the made world that stands there
SIDE = MADE.token_pixels


def true_graph() -> LatentGraph:
    """The tree over the grid, its tokens moved."""
    moved = {f"x{token}": f"x{position}" for position, token in enumerate(ORDER)}
    return LatentGraph([(p, moved.get(c, c)) for p, c in tree_graph(MADE.grid).edges])


def clades(graph: LatentGraph) -> set[frozenset[str]]:
    return {frozenset(x for x in graph.leaves if node in graph.ancestors(x)) for node in graph.latents}


@pytest.fixture(scope="module")
def of_order(tmp_path_factory):
    """Images of a known tree, as an array of images: tokens in an order of their own."""

    def write(order, n=3000, change=lambda images: images):
        tokens = patchify(MADE.sample(n, "test").images, SIDE)[:, order]
        path = tmp_path_factory.mktemp("images") / "images.npy"
        np.save(path, change(np.asarray(unpatchify(tokens, MADE.grid, SIDE), np.float32)))
        return path

    return write


@pytest.fixture(scope="module")
def moved(of_order) -> Path:
    return of_order(ORDER)


def given(path, seed=0, **settings):
    settings = {"tree": "estimated", "token_pixels": SIDE} | settings
    return worlds.make("image_array", seed, path=str(path), **settings)


def test_a_known_tree_comes_back(moved):
    world = given(moved)
    assert world.tree.kind == "estimated" and world.tree.support > 0.9
    assert clades(world.graph) == clades(true_graph())
    assert clades(world.graph) != clades(tree_graph(MADE.grid))
    assert given(moved, tree="grid").graph == tree_graph(MADE.grid)


def test_the_grids_own_tree_has_its_names(of_order):
    assert given(of_order(np.arange(8))).graph == tree_graph(MADE.grid)


def test_another_split_has_a_tree_of_its_own_images(moved):
    world = given(moved)
    first = world.tree
    other = world.with_seed(1)
    assert other.tree is not first and other.tree.support == given(moved, 1).tree.support
    assert other.tree.blocks == given(moved, 1).tree.blocks


def test_images_without_structure_fall_back(tmp_path):
    path = tmp_path / "noise.npy"
    np.save(path, np.random.default_rng(0).standard_normal((2000, 4 * SIDE, 2 * SIDE), np.float32))
    world = given(path)
    assert world.tree.kind == "dyadic" and world.tree.support < 0.7
    assert world.graph == tree_graph(world.grid)


def test_a_token_that_never_varies_does_not_hide_the_others(of_order):
    def blank(images):
        images[:, :, :SIDE, :SIDE] = 0  # token 0, which stands in a pair with token 3
        return images

    tree = given(of_order(ORDER, change=blank)).tree
    there = {frozenset(f"x{token}" for token in block.leaves) - {"x0"} for _, block in tree.inner()}
    assert there >= {clade for clade in clades(true_graph()) if "x0" not in clade}


def test_settings_are_checked(moved, tmp_path):
    with pytest.raises(WorldError, match="tree='true' must be one of: estimated, grid"):
        given(moved, tree="true")
    path = tmp_path / "large.npy"
    np.save(path, np.random.default_rng(0).integers(0, 255, (40, 32, 32), np.uint8))
    with pytest.raises(WorldError, match="at most 64 tokens an image, and there are 256"):
        given(path, token_pixels=2)
    assert given(path, token_pixels=2, tree="grid").tree is None


def steps(folder, path, **settings):
    """Run the steps of theory and worlds; open what they wrote."""
    flags = ["--world-kind", "image_array", "--world", "mine", "--world-path", str(path), "--world-settings"]
    flags += [json.dumps({"token_pixels": SIDE, "tree": "estimated"} | settings)]
    masks = '{"1x1": [0.5], "2x1": [0.5]}'
    theory_step.main([*flags, "--masks", masks, "--output", str(folder / "theory.nc")])
    worlds_step.main([*flags, "--samples", "4", "--output", str(folder / "worlds.nc")])
    return open_cube(folder / "theory.nc"), open_cube(folder / "worlds.nc")


def test_theory_is_of_the_estimated_tree(moved, tmp_path):
    theory, graph = steps(tmp_path, moved)
    assert theory.tree_estimated.item() == 1 and theory.tree_support.item() > 0.9
    at = theory.sel(world="mine", world_seed=0, mask_ratio=0.5, drawing="fixed", offset=0)
    for label, size in (("1x1", 1), ("2x1", 2)):
        wanted = mask_distribution(true_graph(), MaskPatches.parse(label, MADE.grid), 0.5)
        for name in ("p_in_c", "mean_level"):
            here = at[name].sel(patch_size=size)
            np.testing.assert_allclose(here.transpose(*wanted[name].dims), wanted[name], atol=1e-12)
    # patches of the grid are no blocks of this tree, and closed forms are of regular trees with such patches
    assert np.isnan(theory.closed_mean_level).all()
    names = graph.node.values
    edges = zip(names[graph.edge_parent.values], names[graph.edge_child.values], strict=True)
    assert clades(LatentGraph(edges)) == clades(true_graph())
    assert (graph.node_level.values[:8] == 0).all() and list(names[:8]) == [f"x{i}" for i in range(8)]


def test_theory_says_that_it_fell_back(tmp_path):
    path = tmp_path / "noise.npy"
    np.save(path, np.random.default_rng(0).standard_normal((800, 4 * SIDE, 2 * SIDE), np.float32))
    theory, _ = steps(tmp_path, path)
    assert theory.tree_estimated.item() == 0 and theory.tree_support.item() < 0.7
    assert np.isfinite(theory.closed_mean_level).any()
    plain, _ = steps(tmp_path, path, tree="grid")
    assert "tree_estimated" not in plain
    np.testing.assert_array_equal(plain.p_in_c, theory.p_in_c)


def test_classes_are_at_the_root_of_a_higher_tree(tmp_path):
    world = worlds.make("digits", 0, tree="estimated")
    assert world.tree.kind == "estimated" and world.graph.height > world.levels
    flags = ["--world-kind", "digits", "--world-settings", '{"tree": "estimated"}']
    theory_step.main([*flags, "--masks", '{"1x1": [0.5]}', "--output", str(tmp_path / "theory.nc")])
    r2 = open_cube(tmp_path / "theory.nc").linear_r2.squeeze()
    assert r2.level.values.tolist() == list(range(1, world.graph.height + 1))
    assert np.isfinite(r2.values).tolist() == [False] * (world.graph.height - 1) + [True]


def test_editing_the_estimate_reruns_jobs_on_given_images():
    root = Path(worlds.__file__).parents[2]
    for step in ("theory", "worlds"):
        of_images = closure(f"maestrata.steps.{step}", frozenset({"maestrata.worlds.image_folder"}), root)
        assert {"maestrata.worlds.latent_tree", "maestrata.worlds.token_features"} <= set(of_images)
        made = closure(f"maestrata.steps.{step}", frozenset({"maestrata.worlds.grammar_tree"}), root)
        assert "maestrata.worlds.latent_tree" not in made
