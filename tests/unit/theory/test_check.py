"""Theorem 1, checked on trees small enough for every test run; the claim itself takes eight leaves."""

from __future__ import annotations

import os
import subprocess
import sys

import numpy as np
import pytest

from maestrata.theory import check
from maestrata.theory.shared import READINGS, SharedInformation


@pytest.mark.parametrize("reading", READINGS)
def test_four_leaves(reading):
    tree = check.check_tree(reading, seed=3, leaves=4)
    assert tree.left < 1e-12
    assert tree.left_smaller > 1e-4
    if reading == "invertible":
        assert tree.unique == 1
    else:
        assert 0 < tree.unique < 1


def test_a_c_that_is_too_small_or_too_large_is_seen(monkeypatch):
    right = check.shared_information
    check_tree = check.check_tree.__wrapped__

    def with_nodes(change):
        def shared(graph, masked, reading):
            c = right(graph, masked, reading)
            return SharedInformation(change(c.nodes), c.dim, c.intrinsic_dim, c.unique, c.tied)

        return shared

    monkeypatch.setattr(
        check, "shared_information", with_nodes(lambda nodes: frozenset(sorted(nodes)[:-1]) or nodes)
    )
    assert check_tree("separator", 0, 4).left > 1e-3
    everything = frozenset({"z2.0", "z1.0", "z1.1"})
    monkeypatch.setattr(check, "shared_information", with_nodes(lambda nodes: everything))
    assert check_tree("separator", 0, 4).left_smaller < 1e-12


def test_grammar():
    assert check.left_in_grammar(0, leaves=4) == 0


def test_information_is_that_of_gaussians():
    rng = np.random.default_rng(0)
    root = rng.standard_normal((2, 5, 5))
    covariances = root @ np.swapaxes(root, 1, 2)
    a = np.array([True, False, True, False, False])

    def logdet(part):
        return np.linalg.slogdet(part)[1]

    expected = [(logdet(c[np.ix_(a, a)]) + logdet(c[np.ix_(~a, ~a)]) - logdet(c)) / 2 for c in covariances]
    np.testing.assert_allclose(check._information(covariances, a), expected)
    # one side determines the other
    assert check._information(np.ones((1, 2, 2)), np.array([True, False])) == check.MOST


def test_the_numbers_do_not_depend_on_the_order_of_a_set() -> None:
    """Sets of names are ordered by a hash that differs from run to run."""
    code = (
        "from maestrata.theory.check import check_tree\n"
        "print(check_tree('invertible', 1, leaves=4), check_tree('separator', 1, leaves=4))"
    )
    printed = {
        subprocess.run(
            [sys.executable, "-c", code],
            env={**os.environ, "PYTHONHASHSEED": str(seed)},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in (1, 3)
    }
    assert len(printed) == 1
