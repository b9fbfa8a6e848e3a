"""The numbers that the derivations were first stated with, computed afresh (docs/theory.md)."""

from __future__ import annotations

import numpy as np
import pytest

from maestrata.geometry import TokenGrid
from maestrata.graphs import tree_graph
from maestrata.masks import MaskPatches
from maestrata.random import stream
from maestrata.theory.arrays import GraphArrays
from maestrata.theory.distributions import mask_distribution
from maestrata.theory.ensembles import mask_ensemble
from maestrata.theory.profiles import level_profile
from maestrata.theory.supply import demand, supply_of_masks
from maestrata.worlds import make

RATIOS = (0.1, 0.25, 0.5, 0.75, 0.9)


def mean_levels(branching, levels, reading, patch_level=0, drawing="independent"):
    return [
        float(level_profile(branching, levels, r, reading, patch_level, drawing).mean_level) for r in RATIOS
    ]


@pytest.mark.parametrize(
    ("branching", "levels", "reading", "expected", "digits"),
    [
        (2, 6, "separator", [1.06, 1.21, 1.50, 1.21, 1.06], 2),
        (4, 3, "separator", [1.000, 1.007, 1.050, 1.007, 1.000], 3),
        (2, 6, "invertible", [1.043, 1.089, 1.118, 1.089, 1.043], 3),
    ],
)
def test_mean_level_in_closed_form(branching, levels, reading, expected, digits):
    np.testing.assert_array_equal(np.round(mean_levels(branching, levels, reading), digits), expected)


def test_patch_one_level_larger_moves_c_up_by_almost_one_level():
    by_patch = np.array([mean_levels(2, 4, "separator", patch) for patch in (0, 1, 2)])
    shift = np.round(np.diff(by_patch, axis=0), 2)
    np.testing.assert_array_equal(shift[:, RATIOS.index(0.5)], [0.88, 0.85])
    np.testing.assert_array_equal(shift[:, RATIOS.index(0.75)], [0.97, 0.92])


def test_a_fixed_count_is_not_independent():
    fixed = mean_levels(2, 4, "separator", drawing="fixed")[2]
    free = mean_levels(2, 4, "separator")[2]
    assert round(fixed, 4) == 1.5244 and round(free, 2) == 1.38


def test_mean_level_under_both_ties_at_16_leaves():
    grid = TokenGrid.for_leaves(16)
    mean_level = mask_distribution(tree_graph(grid), MaskPatches(grid), 0.5).mean_level.sel(
        reading="separator"
    )
    assert round(float(mean_level.sel(tie="highest")), 2) == 1.52
    assert round(float(mean_level.sel(tie="lowest")), 2) == 1.06


def test_mean_level_under_both_ties_at_64_leaves():
    grid = TokenGrid.for_leaves(64)
    distribution = mask_distribution(
        tree_graph(grid), MaskPatches(grid), 0.5, n_masks=4000, rng=stream(0, "theory")
    )
    at = distribution.sel(reading="separator")
    # first stated as 1.55
    exact = float(level_profile(2, 6, 0.5, drawing="fixed").mean_level)
    assert round(exact, 4) == 1.5621
    assert abs(float(at.mean_level.sel(tie="highest")) - exact) < 4 * float(
        at.mean_level_error.sel(tie="highest")
    )
    assert float(at.mean_level.sel(tie="lowest")) == pytest.approx(1.125, abs=0.004)
    assert float(at.unique_share) < 0.01  # "hardly any mask is"


def test_intrinsic_dimension():
    for leaves, intrinsic, total in ((16, 11.96, 23.70), (64, 46.4, 126.5)):
        world = make("invertible_tree", 0, leaves=leaves, root_dim=2, noise_dim=1)
        distribution = mask_distribution(
            world.graph, MaskPatches(world.grid), 0.5, n_masks=3000, rng=stream(0, "theory")
        ).sel(reading="invertible", tie="highest")
        assert float(distribution.intrinsic_dim.sum()) == pytest.approx(
            intrinsic, abs=0.01 if leaves == 16 else 0.3
        )
        assert float(distribution.dim.sum()) == pytest.approx(total, abs=0.01 if leaves == 16 else 0.7)


def test_climb_of_a_masked_leaf():
    climbs = [float(demand(2, 6, ratio).climb) for ratio in RATIOS]
    np.testing.assert_array_equal(np.round(climbs[:4], 1), [1.1, 1.3, 1.6, 2.3])
    assert round(climbs[4], 2) == 3.35


def test_product_of_supply_and_demand_can_peak_above_one_half():
    grid = TokenGrid.for_leaves(16)
    arrays = GraphArrays(tree_graph(grid))
    position = np.array([int(leaf[1:]) for leaf in arrays.graph.leaves])
    at_root = list(arrays.graph.latents).index("z4.0")
    product = []
    for ratio in RATIOS:
        masks = mask_ensemble(MaskPatches(grid), ratio)
        supplied = masks.mean(supply_of_masks(arrays, masks.masked[:, position], 0.8)[:, at_root])[0]
        product.append(float(supplied) * float(demand(2, 4, ratio, 0, "fixed").climb))
    assert RATIOS[int(np.argmax(product))] == 0.75
