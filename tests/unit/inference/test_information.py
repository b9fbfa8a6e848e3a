"""Theorem 1 where it can be computed, for all masks of an 8-leaf tree."""

from itertools import product

import numpy as np
import pytest

from maestrata import worlds
from maestrata.errors import InferenceError
from maestrata.inference.derivations import derivations, discrete_information
from maestrata.inference.information import conditional_information
from maestrata.theory.shared import shared_information

MASKS = [[f"x{i}" for i in range(8) if bits[i]] for bits in product([0, 1], repeat=8) if 0 < sum(bits) < 8]
GAUSSIAN = worlds.make("gaussian_tree", 0, leaves=8, dim=2, rho=0.8)
GRAMMAR = worlds.make("grammar_tree", 0, leaves=8, symbols=5, productions=2)
SURE = worlds.make("symbol_tree", 0, leaves=8, root=2)
UNSURE = worlds.make("symbol_tree", 0, leaves=8, root=4, ambiguity=2)


@pytest.mark.parametrize("tie", ["highest", "lowest"])
def test_the_separator_leaves_nothing_shared_on_the_gaussian_tree(tie):
    assert len(MASKS) == 254
    for masked in MASKS:
        c = shared_information(GAUSSIAN.graph, masked, tie=tie).nodes
        assert conditional_information(GAUSSIAN, masked, c) < 1e-10


@pytest.mark.parametrize("world", [GAUSSIAN, GRAMMAR, UNSURE], ids=["gaussian", "grammar", "unsure"])
def test_the_separator_leaves_nothing_and_none_of_it_can_be_left_out(world):
    for masked in MASKS[::21]:
        c = shared_information(world.graph, masked).nodes
        assert conditional_information(world, masked, c) < 1e-10
        for node in c:
            assert conditional_information(world, masked, c - {node}) > 1e-3


def test_the_invertible_reading_needs_invertibility():
    """Where a node does not determine its ancestors, the lowest shared nodes do not separate."""
    left = [
        conditional_information(
            GAUSSIAN, masked, shared_information(GAUSSIAN.graph, masked, "invertible").nodes
        )
        for masked in MASKS
    ]
    assert max(left) > 0.01 and sum(value > 1e-8 for value in left) > 40


def test_what_is_low_makes_idle_what_is_high_where_no_symbol_is_ambiguous():
    """The separator separates; but a child that is given determines its ancestors, which then add none."""
    masked = ["x2", "x4", "x6", "x7"]
    c = shared_information(SURE.graph, masked).nodes
    assert c == {"z1.0", "z1.3", "z3.0"}
    assert conditional_information(SURE, masked, c - {"z3.0"}) < 1e-10
    assert conditional_information(SURE, masked, c - {"z1.0"}) > 1e-3


@pytest.mark.parametrize(("world", "least", "most"), [(SURE, 0, 1e-10), (UNSURE, 0.01, 10)])
def test_the_invertible_reading_separates_where_no_symbol_is_ambiguous(world, least, most):
    left = [
        conditional_information(world, masked, shared_information(world.graph, masked, "invertible").nodes)
        for masked in MASKS[::9]
    ]
    assert least <= max(left) < most


def testdiscrete_information_of_known_tables():
    a, b = (part.ravel() for part in np.meshgrid([0, 1], [0, 1]))
    none = np.zeros(4, int)
    assert discrete_information(a, b, none) == pytest.approx(0, abs=1e-12)
    assert discrete_information(a, a, none) == pytest.approx(np.log(2))
    # independent, until their sum is known
    assert discrete_information(a, b, (a + b) % 2) == pytest.approx(np.log(2))


def test_derivations_are_the_worlds_own():
    table = derivations(GRAMMAR)
    assert len(table["x0"]) == 5 * 2**7
    sample = GRAMMAR.sample(300)
    known = {tuple(row) for row in np.column_stack([table[f"z1.{i}"][:, 0] for i in range(4)])}
    assert {tuple(row) for row in sample.latents[1][..., 0]} <= known


def test_errors():
    with pytest.raises(InferenceError, match=r"masked: 'z1\.0' must be one of x0 \.\.\. x7"):
        conditional_information(GAUSSIAN, ["z1.0"])
    with pytest.raises(InferenceError, match=r"given: 'x3' must be one of"):
        conditional_information(GAUSSIAN, ["x0"], ["x3"])
    with pytest.raises(InferenceError, match="8 of 8 tokens masked"):
        conditional_information(GAUSSIAN, [f"x{i}" for i in range(8)])
    with pytest.raises(InferenceError, match="'invertible_tree' has no exact conditional information"):
        conditional_information(worlds.make("invertible_tree", 0, leaves=8), ["x0"])
    with pytest.raises(InferenceError, match="derivations: at most 4194304"):
        conditional_information(worlds.make("grammar_tree", 0, leaves=32), ["x0"])
