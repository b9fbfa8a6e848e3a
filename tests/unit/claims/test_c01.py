"""Theorem 1, checked on trees small enough for every test run; the claim itself takes eight leaves."""

from __future__ import annotations

import os
import subprocess
import sys

import numpy as np
import pytest

from maestrata.claims import c01_shared_information as c01
from maestrata.claims.base import Evidence, Row
from maestrata.claims.verdict import judge_rows
from maestrata.theory.shared import SharedInformation


@pytest.mark.parametrize("reading", c01.READINGS)
def test_four_leaves(reading):
    check = c01.check_tree(reading, seed=3, leaves=4)
    assert check.left < 1e-12
    assert check.left_smaller > 1e-4
    if reading == "invertible":
        assert check.unique == 1
    else:
        assert 0 < check.unique < 1


def test_a_c_that_is_too_small_or_too_large_is_seen(monkeypatch):
    right = c01.shared_information

    def with_nodes(change):
        def shared(graph, masked, reading):
            found = right(graph, masked, reading)
            nodes = change(found.nodes)
            return SharedInformation(nodes, found.dim, found.intrinsic_dim, found.unique, found.tied)

        return shared

    monkeypatch.setattr(
        c01, "shared_information", with_nodes(lambda nodes: frozenset(sorted(nodes)[:-1]) or nodes)
    )
    assert c01.check_tree("separator", 0, 4).left > 1e-3
    everything = frozenset({"z2.0", "z1.0", "z1.1"})
    monkeypatch.setattr(c01, "shared_information", with_nodes(lambda nodes: everything))
    assert c01.check_tree("separator", 0, 4).left_smaller < 1e-12


def test_grammar():
    assert c01.left_in_grammar(0, leaves=4) == 0


def test_information_is_that_of_gaussians():
    rng = np.random.default_rng(0)
    root = rng.standard_normal((2, 5, 5))
    covariances = root @ np.swapaxes(root, 1, 2)
    a = np.array([True, False, True, False, False])

    def logdet(part):
        return np.linalg.slogdet(part)[1]

    expected = [(logdet(c[np.ix_(a, a)]) + logdet(c[np.ix_(~a, ~a)]) - logdet(c)) / 2 for c in covariances]
    np.testing.assert_allclose(c01._information(covariances, a), expected)
    # one side determines the other
    assert c01._information(np.ones((1, 2, 2)), np.array([True, False])) == c01.MOST


def test_verdict_and_sentence_from_its_rows(monkeypatch):
    def check(reading, seed):
        return c01.Check(0.0, 0.01, 1.0 if reading == "invertible" else 144 / 254)

    monkeypatch.setattr(c01, "check_tree", check)
    monkeypatch.setattr(c01, "left_in_grammar", lambda seed: 0.0)
    found = c01.rows(Evidence([]))
    outcome = judge_rows([(c01, found)])[0]
    assert outcome.verdict == "contradicted"
    assert "254 of 254 masks where every node is invertible" in outcome.sentence
    assert "144 as the smallest separating set" in outcome.sentence
    assert outcome.sentence.endswith("Against the claim: separator: share of unique masks.")
    found["separator: share of unique masks"] = [Row("tree", seed, 1.0) for seed in range(5)]
    assert judge_rows([(c01, found)])[0].verdict == "supported"


def test_the_numbers_do_not_depend_on_the_order_of_a_set() -> None:
    """Sets of names are ordered by a hash that differs from run to run."""
    code = (
        "from maestrata.claims.c01_shared_information import check_tree\n"
        "print(check_tree('invertible', 1, leaves=4), check_tree('separator', 1, leaves=4))"
    )
    found = {
        subprocess.run(
            [sys.executable, "-c", code],
            env={**os.environ, "PYTHONHASHSEED": str(seed)},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in (1, 3)
    }
    assert len(found) == 1
