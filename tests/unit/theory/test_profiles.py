"""Closed forms against enumeration, and what is refused."""

from __future__ import annotations

from fractions import Fraction
from itertools import combinations, product

import numpy as np
import pytest

from maestrata.errors import MaskError
from maestrata.graphs import LatentGraph
from maestrata.masks import visible_count
from maestrata.theory.arrays import GraphArrays
from maestrata.theory.profiles import level_profile
from maestrata.theory.shared import lowest_shared
from maestrata.theory.trees import separators_by_tree

RATIOS = (0.1, 0.25, 0.5, 0.75, 0.9)


def regular_tree(branching, levels):
    names = [[f"n{level}.{i}" for i in range(branching ** (levels - level))] for level in range(levels + 1)]
    edges = [
        (names[lv + 1][i // branching], name) for lv in range(levels) for i, name in enumerate(names[lv])
    ]
    return LatentGraph(edges)


def enumerate_profile(branching, levels, ratio, reading, patch_level, drawing):
    """P(node in c) by level from all masks, each weighed."""
    graph = regular_tree(branching, levels)
    arrays = GraphArrays(graph)
    n_patches = branching ** (levels - patch_level)
    if drawing == "fixed":
        hidden = n_patches - visible_count(n_patches, ratio)
        rows = [[i in chosen for i in range(n_patches)] for chosen in combinations(range(n_patches), hidden)]
        weights = np.full(len(rows), 1 / len(rows))
    else:
        rows = list(product([False, True], repeat=n_patches))
        weights = np.array([ratio ** sum(row) * (1 - ratio) ** (n_patches - sum(row)) for row in rows])
    of_patches = np.array(rows)
    position = [int(leaf.split(".")[1]) // branching**patch_level for leaf in graph.leaves]
    masked = of_patches[:, position]
    chosen = (
        separators_by_tree(arrays, masked, "highest")
        if reading == "separator"
        else lowest_shared(arrays, masked)
    )
    return [float((weights @ chosen)[arrays.level == level].mean()) for level in range(1, levels + 1)]


@pytest.mark.parametrize("drawing", ["independent", "fixed"])
@pytest.mark.parametrize("reading", ["separator", "invertible"])
@pytest.mark.parametrize(
    ("branching", "levels", "patch_level"), [(2, 3, 0), (2, 4, 1), (2, 3, 2), (3, 2, 0), (4, 2, 1)]
)
def test_closed_form_equals_enumeration(branching, levels, patch_level, reading, drawing):
    for ratio in RATIOS:
        profile = level_profile(branching, levels, ratio, reading, patch_level, drawing)
        expected = enumerate_profile(branching, levels, ratio, reading, patch_level, drawing)
        np.testing.assert_allclose(profile.p_in_c, expected, atol=1e-12)
        number = np.array(expected) * [float(branching) ** (levels - lv) for lv in range(1, levels + 1)]
        np.testing.assert_allclose(profile.number, number, atol=1e-12)
        if number.sum() > 0:
            mean = number @ np.arange(1, levels + 1) / number.sum()
            assert float(profile.mean_level) == pytest.approx(mean, abs=1e-12)


def test_recursion_in_exact_fractions():
    """The floating-point recursion loses nothing over six levels."""
    r = Fraction(1, 4)
    m, v, n, expected = r, 1 - r, Fraction(0), []
    for _ in range(6):
        expected.append(1 - (1 - v) ** 2 - (1 - m) ** 2 + n**2)
        m, v = (1 - v) ** 2 - n**2, (1 - m) ** 2 - n**2
        n = 1 - m - v
    np.testing.assert_allclose(
        level_profile(mask_ratio=0.25).p_in_c, [float(p) for p in expected], atol=1e-12
    )


@pytest.mark.parametrize("drawing", ["independent", "fixed"])
@pytest.mark.parametrize("reading", ["separator", "invertible"])
def test_symmetric_in_the_ratio(reading, drawing):
    for ratio in (0.1, 0.25, 0.4):
        one = level_profile(2, 5, ratio, reading, 0, drawing)
        other = level_profile(2, 5, 1 - ratio, reading, 0, drawing)
        np.testing.assert_allclose(one.p_in_c, other.p_in_c, atol=1e-12)


def test_a_chain():
    """One leaf: masked or visible, it shares nothing with the other side; a fixed count cannot split it."""
    assert not level_profile(1, 3, 0.5).p_in_c.any() and np.isnan(level_profile(1, 3, 0.5).mean_level)
    with pytest.raises(MaskError, match="n_patches=1 must be at least 2"):
        level_profile(1, 3, 0.5, drawing="fixed")


def test_nothing_of_c_lies_within_a_patch():
    profile = level_profile(2, 6, 0.5, "separator", 2)
    assert not profile.p_in_c.sel(level=[1, 2]).any()
    np.testing.assert_allclose(profile.p_in_c[2:], level_profile(2, 4, 0.5).p_in_c, atol=1e-15)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"branching": 0}, "branching=0 must be an integer of at least 1"),
        ({"levels": 2.5}, "levels=2.5"),
        ({"levels": True}, "levels=True"),
        ({"patch_level": -1}, "patch_level=-1"),
        ({"patch_level": 6}, "patch_level=6 must be below the root's level, 6"),
        ({"mask_ratio": 1.0}, r"mask_ratio=1.0 must lie in \(0, 1\)"),
        ({"mask_ratio": "half"}, r"mask_ratio='half'"),
        ({"mask_ratio": float("nan")}, r"mask_ratio=nan"),
        ({"reading": "other"}, "reading='other' must be one of"),
        ({"drawing": "other"}, "drawing='other' must be one of: fixed, independent"),
    ],
)
def test_refusals(arguments, message):
    with pytest.raises(MaskError, match=message):
        level_profile(**arguments)
