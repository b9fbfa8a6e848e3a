"""CKA: against the estimator's definition, and which models are compared."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from maestrata.errors import ExperimentError
from maestrata.experiments import similarity
from maestrata.experiments.similarity import cka
from maestrata.worlds import make


def hsic(k, m):
    """The unbiased estimator of Song et al. (2012), from kernel matrices."""
    n = len(k)
    k, m = k - np.diag(np.diag(k)), m - np.diag(np.diag(m))
    total = np.trace(k @ m) + k.sum() * m.sum() / ((n - 1) * (n - 2)) - 2 / (n - 2) * (k @ m).sum()
    return total / (n * (n - 3))


def test_cka_is_that_of_the_unbiased_estimator():
    rng = np.random.default_rng(0)
    x = rng.standard_normal((30, 6)) + 2
    y = x[:, :3] @ rng.standard_normal((3, 4)) + rng.standard_normal((30, 4)) - 1
    k, m = x @ x.T, y @ y.T
    assert cka(x, y) == pytest.approx(hsic(k, m) / np.sqrt(hsic(k, k) * hsic(m, m)), rel=1e-9)


def test_cka_knows_no_rotation_and_no_bias():
    rng = np.random.default_rng(1)
    x = rng.standard_normal((200, 40))
    turn = np.linalg.qr(rng.standard_normal((40, 40)))[0]
    assert cka(x, 3 * x @ turn + 5) == pytest.approx(1)
    # the plain estimate of independent features is about p / (n + p), .17 here
    apart = [cka(rng.standard_normal((200, 40)), rng.standard_normal((200, 40))) for _ in range(20)]
    assert abs(np.mean(apart)) < 0.02


@pytest.mark.parametrize(
    ("x", "y", "message"),
    [
        (np.ones((9, 2)), np.ones((8, 2)), r"shapes \(9, 2\), \(8, 2\) must be"),
        (np.ones((9, 2)), np.eye(9), "representation x does not vary over the 9 images"),
    ],
)
def test_what_cannot_be_compared_is_refused(x, y, message):
    with pytest.raises(ExperimentError, match=message):
        cka(x, y)


def _values(table):
    axes, data = table.arrays()
    return {
        (arm, quantity): data["value"][i, j, 0]
        for i, arm in enumerate(axes["arm"])
        for j, quantity in enumerate(axes["quantity"])
        if np.isfinite(data["value"][i, j, 0])
    }


WORLD = make("gaussian_tree", 0, leaves=8)


def as_summed_anew(value, n=300, dims=8):
    """Equal but for the order in which a processor sums.

    An entry of the cross product X'Y is a sum of n products: two orders differ by at most n eps |x| |y|, so
    X'Y differs by n eps |X| |Y| in the Frobenius norm, and CKA, the square of that norm over |X'X| |Y'Y|,
    by 2 n eps sqrt(dims) to first order (|X|^2 <= sqrt(dims) |X'X|): some 4e-13. HSIC's correction is a
    small part of it.
    """
    return pytest.approx(value, rel=0, abs=2 * n * np.finfo(float).eps * dims**0.5)


def test_one_seed_has_pairs_of_ratios_alone(cells_job):
    values = _values(similarity.run(cells_job("similarity", WORLD, visible=(1, 4, 7))))
    within = ["v1-v4", "v1-v7", "v4-v7", "v1-random_init", "v4-random_init", "v7-random_init"]
    named = ["cka_10_50", "cka_10_90", "cka_50_90"]
    assert sorted(values) == sorted([(a, "cka") for a in within] + [("ratios", q) for q in named])
    assert values["ratios", "cka_10_90"] == as_summed_anew(values["v1-v7", "cka"])


def test_other_seeds_are_the_reference(cells_job):
    # the second seed's models are those of the first, all but that of the highest ratio
    def draw(seed, count):
        return 900 if (seed, count) == (1, 1) else count

    values = _values(
        similarity.run(cells_job("similarity", WORLD, visible=(1, 4, 7), seeds=(0, 1), draw=draw))
    )
    assert values["v7-v7", "cka_other_seed"] == pytest.approx(1)
    assert values["v4-v4", "cka_other_seed"] == pytest.approx(1)
    assert values["v1-v1", "cka_other_seed"] < 0.999
    same = (2 + values["v1-v1", "cka_other_seed"]) / 3
    assert values["ratios", "cka_same_ratio"] == pytest.approx(same)
    # both models of one ratio with the other seed's of the other
    assert values["ratios", "cka_10_90"] == as_summed_anew(values["v1-v7", "cka_other_seed"])
    assert abs(values["v1-v7", "cka_other_seed"] - values["v1-v7", "cka"]) > 1e-6


def test_other_patches_stand_apart(cells_job):
    job = cells_job("similarity", WORLD, visible=(1, 3), patches="2x1")
    values = _values(similarity.run(job))
    assert ("2x1/v1-v3", "cka") in values
    assert not [key for key in values if key[0] == "ratios"]
    with pytest.raises(ExperimentError, match="no cell of training seed 5"):
        similarity.run(replace(job, seed=5))
