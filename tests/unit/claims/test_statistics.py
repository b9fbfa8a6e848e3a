"""Statistics over worlds, against their definitions and against SciPy and statsmodels."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from scipy import stats
from statsmodels.stats.multitest import multipletests

from maestrata.claims import statistics
from maestrata.claims.statistics import (
    equivalence,
    holm,
    joint_sign_flip,
    leave_one_out_choice,
    sign_flip,
    squared_distance,
    squared_distance_pseudovalues,
    worlds_needed,
)
from maestrata.errors import ClaimError

RNG = np.random.default_rng(0)


def all_sums(x):
    return np.array([np.dot(signs, x) for signs in product((1, -1), repeat=len(x))])


@pytest.mark.parametrize("n", [1, 2, 5, 10])
def test_sign_flip_counts_all_assignments(n):
    x = RNG.standard_normal(n)
    sums, near = all_sums(x), 1e-12
    assert sign_flip(x, side="greater") == np.mean(sums >= x.sum() - near)
    assert sign_flip(x, side="less") == np.mean(sums <= x.sum() + near)
    assert sign_flip(x) == np.mean(np.abs(sums) >= abs(x.sum()) - near)


def test_sign_flip_is_scipys_permutation_test():
    x = RNG.standard_normal(9) + 0.4
    theirs = stats.permutation_test(
        (x,), np.mean, permutation_type="samples", alternative="greater", n_resamples=np.inf
    )
    assert sign_flip(x, side="greater") == pytest.approx(theirs.pvalue, abs=1e-12)


def test_sign_flip_counts_ties_at_a_sum_of_0_which_scipy_misses():
    x = np.array([3.0, -3.0, 1.0, 3.0]) * 0.05 - 0.05
    sums = all_sums(np.round(x / 0.05))
    assert sign_flip(x, side="greater") == np.mean(sums >= 0)
    theirs = stats.permutation_test((x,), np.sum, permutation_type="samples", alternative="greater")
    assert theirs.pvalue < np.mean(sums >= 0)


def test_sign_flip_least_p_and_ties():
    assert sign_flip(np.arange(1, 13)) == 2 / 2**12
    assert sign_flip(np.full(10, 0.1)) == 2 / 2**10  # sums of equal numbers, whatever their rounding
    assert sign_flip(np.zeros(5)) == 1.0
    assert sign_flip([]) == 1.0
    assert sign_flip([3.0, 4.0], centre=5.0, side="greater") == 1.0


def test_sign_flip_of_many_is_drawn_near_the_exact_and_again_the_same(monkeypatch):
    x = RNG.standard_normal(16) + 0.3
    exact = sign_flip(x, side="greater")
    monkeypatch.setattr(statistics, "EXACT_UP_TO", 10)
    drawn = sign_flip(x, side="greater")
    error = np.sqrt(exact * (1 - exact) / statistics.DRAWS)
    assert abs(drawn - exact) < 5 * error
    assert drawn != exact
    assert drawn == sign_flip(x, side="greater")


def test_joint_sign_flip_is_max_t():
    x = RNG.standard_normal((8, 3)) + [0.5, 0.0, -1.0]
    unit = x / np.sqrt((x**2).sum(0))
    largest = [(np.array(signs) @ unit).max() for signs in product((1, -1), repeat=8)]
    assert joint_sign_flip(x) == np.mean(np.array(largest) >= unit.sum(0).max() - 1e-12)


def test_joint_sign_flip_of_one_column_is_sign_flip_and_copies_cost_nothing():
    x = RNG.standard_normal(11) + 0.3
    alone = sign_flip(x, side="greater")
    assert joint_sign_flip(x[:, None]) == alone
    assert joint_sign_flip(np.stack([x, x, x], 1)) == alone
    assert joint_sign_flip(np.zeros((4, 2))) == 1.0
    # more, unrelated quantities are paid for, though none of them lies above 0
    others = RNG.standard_normal((11, 6))
    assert joint_sign_flip(np.column_stack([x, others - others.mean(0)])) > alone


def test_joint_sign_flip_drawn(monkeypatch):
    x = RNG.standard_normal((12, 2)) + 0.3
    exact = joint_sign_flip(x)
    monkeypatch.setattr(statistics, "JOINT_UP_TO", 5)
    assert abs(joint_sign_flip(x) - exact) < 5 * np.sqrt(exact * (1 - exact) / statistics.DRAWS)


def test_holm_is_statsmodels_and_leaves_out_what_was_not_tested():
    p = RNG.uniform(size=9) ** 3
    expected = multipletests(p, method="holm")[1]
    np.testing.assert_allclose(holm(p), expected)
    with_gaps = np.insert(p, [2, 5], np.nan)
    np.testing.assert_allclose(holm(with_gaps)[np.isfinite(with_gaps)], expected)
    assert np.isnan(holm(with_gaps)).sum() == 2


def test_equivalence():
    x = np.array([0.01, -0.02, 0.015, 0.0, -0.005, 0.01])
    assert equivalence(x, 0.1) == 1 / 2**6
    assert equivalence(x + 0.1, 0.1) > 0.3  # on the margin
    assert equivalence(x + 1, 0.1) == 1.0
    with pytest.raises(ClaimError, match=r"margin=0 must be above 0"):
        equivalence(x, 0)


def test_leave_one_out_choice_is_not_flattered_by_a_worlds_own_noise():
    table = np.array([[9.0, 0.0], [0.0, 1.0], [0.0, 1.0]])
    assert leave_one_out_choice(table).tolist() == [1, 0, 0]
    # nothing but noise: the chosen option is on average no better than any
    noise = RNG.standard_normal((4000, 8, 3))
    chosen = [x[np.arange(8), leave_one_out_choice(x)].mean() for x in noise]
    assert abs(np.mean(chosen)) < 4 * np.std(chosen) / np.sqrt(len(chosen))
    assert np.mean([x.mean(0).max() for x in noise]) > 0.2
    with pytest.raises(ClaimError, match="two worlds or more"):
        leave_one_out_choice([[1.0, 2.0]])


def test_squared_distance_is_unbiased():
    truth = np.array([0.3, -0.1, 0.2])
    draws = truth + 0.5 * RNG.standard_normal((20000, 2, 3))
    estimates = [squared_distance(d) for d in draws]
    error = np.std(estimates) / np.sqrt(len(estimates))
    assert abs(np.mean(estimates) - truth @ truth) < 4 * error
    plain = np.square(draws.mean(1)).sum(1).mean()
    assert plain - truth @ truth > 20 * error
    with pytest.raises(ClaimError, match="two replicates or more"):
        squared_distance([[1.0]])


def test_pseudovalues_average_to_the_estimate_and_spread_as_it_does():
    truth = np.array([0.4, 0.3])
    draws = truth + 0.3 * RNG.standard_normal((3000, 12, 2))
    estimates = np.array([squared_distance(d) for d in draws])
    pseudo = np.array([squared_distance_pseudovalues(d) for d in draws])
    np.testing.assert_allclose(pseudo.mean(1), estimates)
    # the variance that their spread implies is that of the estimate
    implied = (pseudo.var(1, ddof=1) / 12).mean()
    assert implied == pytest.approx(estimates.var(), rel=0.15)


@pytest.mark.parametrize("values", [[[1.0]], [np.nan, 1.0], [np.inf]])
def test_values_are_one_finite_number_a_world(values):
    with pytest.raises(ClaimError, match="one finite number each"):
        sign_flip(values)


def test_unknown_side():
    with pytest.raises(ClaimError, match="side='up' must be one of: greater, less, two-sided"):
        sign_flip([1.0], side="up")


@pytest.mark.parametrize(("effect", "alpha"), [(0.5, 0.05), (1.0, 0.05 / 16), (3.0, 0.05)])
def test_worlds_needed_have_the_power_and_one_fewer_has_not(effect, alpha):
    n = worlds_needed(effect, alpha)

    def power(n):
        critical = stats.t.ppf(1 - alpha / 2, n - 1)
        return stats.nct.sf(critical, n - 1, effect * np.sqrt(n))

    assert power(n) >= 0.8 > power(n - 1)


def test_worlds_needed_for_next_to_nothing():
    assert worlds_needed(0.0, 0.05) is None
    assert worlds_needed(-1.0, 0.05) is None
    assert worlds_needed(0.01, 0.05) is None
    assert worlds_needed(1e3, 0.05) == 2
