"""Distributions over masks: exact against single masks and closed forms, samples against exact."""

from __future__ import annotations

import numpy as np
import pytest

from maestrata.errors import GraphError, MaskError
from maestrata.geometry import TokenGrid
from maestrata.graphs import LatentGraph, tree_graph
from maestrata.masks import MaskPatches, visible_count
from maestrata.random import stream
from maestrata.theory.arrays import GraphArrays
from maestrata.theory.distributions import mask_distribution
from maestrata.theory.ensembles import mask_ensemble
from maestrata.theory.profiles import level_profile
from maestrata.theory.shared import shared_information, shared_of_masks
from maestrata.worlds import make

GRID8, GRID16 = TokenGrid.for_leaves(8), TokenGrid.for_leaves(16)
RATIOS = (0.1, 0.25, 0.5, 0.75, 0.9)


def several_parents():
    """A tree over 8 tokens with edges added: no tree any more."""
    extra = [("z1.0", "x5"), ("z2.1", "z1.1"), ("z3.0", "x2")]
    dims = {"z3.0": 2, "z2.0": 3, "z1.2": 2}
    return LatentGraph([*tree_graph(GRID8).edges, *extra], dims)


def test_tree_graph_is_that_of_the_worlds():
    world = make("gaussian_tree", 0, leaves=16)
    assert tree_graph(world.grid, world.dims) == world.graph


# ensembles


@pytest.mark.parametrize("label", ["1x1", "2x1", "2x1o", "2x2"])
def test_all_masks_are_there_once(label):
    patches = MaskPatches.parse(label, GRID16 if label != "1x1" else GRID8)
    for ratio in RATIOS:
        fixed = mask_ensemble(patches, ratio)
        assert fixed.exact and fixed.weights.sum() == pytest.approx(1)
        assert len(np.unique(fixed.masked, axis=0)) == len(fixed.masked)
        hidden = patches.n_patches - visible_count(patches.n_patches, ratio)
        assert (fixed.masked.sum(1) == hidden * patches.size).all()
        # a patch is masked as a whole
        assert all(
            row[tokens].all() or not row[tokens].any() for row in fixed.masked for tokens in patches.tokens
        )
        free = mask_ensemble(patches, ratio, "independent")
        assert free.exact and free.weights.sum() == pytest.approx(1)
        assert len(free.masked) == 2**patches.n_patches
        np.testing.assert_allclose(free.weights @ free.masked, ratio, atol=1e-12)


def test_sampled_masks_are_reproducible_and_have_errors():
    patches = MaskPatches(TokenGrid.for_leaves(64))
    one, two = (mask_ensemble(patches, 0.25, n_masks=500, rng=stream(0, "theory")) for _ in range(2))
    assert not one.exact and np.array_equal(one.masked, two.masked)
    assert (one.masked.sum(1) == 16).all()
    free = mask_ensemble(patches, 0.25, "independent", 4000, stream(0, "theory"))
    mean, error = free.mean(free.masked.sum(1))
    assert abs(mean - 16) < 4 * error and error == pytest.approx(np.sqrt(64 * 0.25 * 0.75 / 4000), rel=0.1)


def test_errors_of_samples_are_those_of_repeated_samples():
    """Both kinds of standard error, against the spread of 200 samples."""
    graph = tree_graph(GRID16)
    draws = [
        mask_distribution(
            graph, MaskPatches(GRID16), 0.5, n_masks=100, rng=stream(i, "theory"), enumerate_up_to=0
        )
        for i in range(200)
    ]
    for name in ("mean_level", "number", "unique_share"):
        values = np.stack([draw[name].values for draw in draws])
        claimed = np.sqrt(np.mean([draw[f"{name}_error"].values ** 2 for draw in draws], axis=0))
        spread = values.std(0, ddof=1)
        np.testing.assert_allclose(claimed[spread > 0.005], spread[spread > 0.005], rtol=0.2)


@pytest.mark.parametrize(
    ("keywords", "message"),
    [
        ({"drawing": "other"}, "drawing='other' must be one of"),
        ({"mask_ratio": 1.0}, "mask_ratio=1.0"),
        ({"enumerate_up_to": 10}, "70 masks are too many to enumerate: a generator is needed"),
        ({"enumerate_up_to": 10, "rng": np.random.default_rng(0), "n_masks": 1}, "n_masks=1"),
    ],
)
def test_refused_ensembles(keywords, message):
    with pytest.raises(MaskError, match=message):
        mask_ensemble(**({"patches": MaskPatches(GRID8), "mask_ratio": 0.5} | keywords))


# distributions


@pytest.mark.parametrize("drawing", ["fixed", "independent"])
@pytest.mark.parametrize("graph", [tree_graph(GRID8), several_parents()], ids=["tree", "dag"])
def test_exact_distribution_is_the_mean_over_single_masks(graph, drawing):
    patches = MaskPatches.parse("2x1", GRID8)
    distribution = mask_distribution(graph, patches, 0.25, drawing)
    ensemble = mask_ensemble(patches, 0.25, drawing)
    for reading in ("separator", "invertible"):
        for tie in ("highest", "lowest"):
            at = distribution.sel(reading=reading, tie=tie)
            p = dict.fromkeys(graph.latents, 0.0)
            dim = level = number = unique = tied = 0.0
            for mask, weight in zip(ensemble.masked, ensemble.weights, strict=True):
                names = [f"x{i}" for i in np.flatnonzero(mask)]
                if not 0 < len(names) < 8:
                    unique += weight
                    continue
                shared = shared_information(graph, names, reading, tie)
                for node in shared.nodes:
                    p[node] += weight
                dim += weight * shared.dim
                number += weight * len(shared.nodes)
                level += weight * sum(graph.level(node) for node in shared.nodes)
                unique, tied = unique + weight * shared.unique, tied + weight * shared.tied
            np.testing.assert_allclose(at.p_node.sel(node=list(p)), list(p.values()), atol=1e-12)
            assert float(at.dim.sum()) == pytest.approx(dim, rel=1e-6)
            assert float(at.number.sum()) == pytest.approx(number, rel=1e-6)
            assert float(at.mean_level) == pytest.approx(level / number, rel=1e-6)
            assert float(at.unique_share) == pytest.approx(unique) and float(at.tied_share) == pytest.approx(
                tied
            )
    assert distribution.attrs["exact"] == 1 and not distribution.mean_level_error.any()


@pytest.mark.parametrize("label", ["1x1", "2x1", "2x2"])
@pytest.mark.parametrize("drawing", ["fixed", "independent"])
def test_aligned_patches_meet_the_closed_form(label, drawing):
    patches = MaskPatches.parse(label, GRID16)
    for ratio in RATIOS:
        distribution = mask_distribution(tree_graph(GRID16), patches, ratio, drawing, enumerate_up_to=70_000)
        for reading in ("separator", "invertible"):
            form = level_profile(2, 4, ratio, reading, patches.level, drawing)
            at = distribution.sel(reading=reading, tie="highest")
            np.testing.assert_allclose(at.p_in_c, form.p_in_c, atol=1e-12)
            assert float(at.mean_level) == pytest.approx(float(form.mean_level), abs=1e-12)


@pytest.mark.parametrize("drawing", ["fixed", "independent"])
def test_samples_meet_the_closed_form_at_64_leaves(drawing):
    grid = TokenGrid.for_leaves(64)
    distribution = mask_distribution(
        tree_graph(grid), MaskPatches(grid), 0.5, drawing, 4000, stream(1, "theory")
    )
    for reading in ("separator", "invertible"):
        form = level_profile(2, 6, 0.5, reading, 0, drawing)
        at = distribution.sel(reading=reading, tie="highest")
        assert abs(float(at.mean_level - form.mean_level)) < 4 * float(at.mean_level_error)
        assert (abs(at.p_in_c - form.p_in_c) < 4.5 * at.p_in_c_error + 1e-3).all()


def test_intrinsic_dimension_by_level():
    world = make("invertible_tree", 0, leaves=16)
    distribution = mask_distribution(world.graph, MaskPatches(GRID16), 0.5).sel(tie="highest")
    # the same nodes' ancestors are known under both readings: the root always, its noise dimension 2
    assert float(distribution.intrinsic_dim.sel(level=4, reading="invertible")) == pytest.approx(2)
    assert not np.isnan(distribution.intrinsic_dim).any()
    assert np.isnan(mask_distribution(several_parents(), MaskPatches(GRID8), 0.5).intrinsic_dim).all()


def test_offset_patches_bring_c_down():
    graph = tree_graph(GRID16)
    aligned, offset = (
        mask_distribution(graph, MaskPatches.parse(label, GRID16), 0.5).mean_level
        for label in ("2x1", "2x1o")
    )
    assert (aligned > offset + 0.1).all()


def test_latent_dag_world():
    world = make("latent_dag", 0, leaves=16)
    assert not world.graph.is_tree
    distribution = mask_distribution(
        world.graph, MaskPatches(GRID16), 0.5, n_masks=30, rng=stream(0, "theory"), enumerate_up_to=0
    )
    assert np.isfinite(distribution.mean_level).all() and int(distribution.n_masks) == 30
    assert (
        distribution.mean_level.sel(tie="lowest") <= distribution.mean_level.sel(tie="highest") + 1e-9
    ).all()


def test_empty_and_full_masks_share_nothing():
    for graph in (tree_graph(GRID8), several_parents()):
        ends = np.array([[False] * 8, [True] * 8])
        sets, tied, unique = shared_of_masks(GraphArrays(graph), ends)
        assert not any(chosen.any() for chosen in sets.values()) and unique.all()
        assert not any(t.any() for t in tied.values())


def test_observables_must_be_the_tokens():
    with pytest.raises(GraphError, match="observables must be x0 to x7, tokens of a 4x2 grid"):
        mask_distribution(tree_graph(GRID16), MaskPatches(GRID8), 0.5)
