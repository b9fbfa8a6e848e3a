"""Which option is best in the other worlds, where a curve peaks, and which way a profile leans."""

from __future__ import annotations

import numpy as np
import pytest

from maestrata.claims.peak import best_elsewhere, peaks
from maestrata.claims.profile import tilt
from maestrata.results import CubeSet, Expression, Numbers

RATIOS = (0.1, 0.25, 0.5, 0.75, 0.9)
NAN = float("nan")


def test_a_worlds_own_score_has_no_part_in_its_choice():
    scores = np.array([[9.0, 0, 0], [0, 1, 0], [0, 1, 0]])
    assert best_elsewhere(scores).tolist() == [1, 0, 0]


def test_options_and_worlds_without_a_score():
    scores = np.array([[0.0, 1, 5], [0, 1, NAN], [0, 1, NAN], [NAN, 0, NAN]])
    # the last option has too few scores to be one; a world that lacks a score takes what all others say
    assert best_elsewhere(scores).tolist() == [1, 1, 1, 1]
    assert best_elsewhere(np.array([[0.0, 1, 0.5]])).tolist() == [2]  # alone: the last, the paper's
    assert best_elsewhere(np.full((2, 3), NAN)).tolist() == [2, 2]


@pytest.mark.parametrize("top", [0.2, 0.3, 0.5, 0.62, 0.8])
def test_the_top_of_a_parabola_over_the_logit_is_found(top):
    x = np.log(RATIOS) - np.log1p(-np.array(RATIOS))
    curve = 1 - 0.1 * (x - np.log(top / (1 - top))) ** 2
    assert peaks(np.tile(curve, (3, 1)), RATIOS) == pytest.approx([top] * 3)


def test_curves_without_a_top_inside_end_at_an_end():
    rising = np.tile([0.0, 0.1, 0.2, 0.3, 0.5], (3, 1))
    assert peaks(rising, RATIOS) == pytest.approx([0.9] * 3)
    assert peaks(rising[:, ::-1], RATIOS) == pytest.approx([0.1] * 3)


def test_each_world_by_itself():
    x = np.log(RATIOS) - np.log1p(-np.array(RATIOS))
    curve = np.tile(1 - 0.1 * x**2, (3, 1))
    curve[2] += 0.05 * x
    curve[0, 4] = NAN
    assert peaks(curve, RATIOS)[1:] == pytest.approx([0.5, 1 / (1 + np.exp(-0.05 / 0.2))])
    assert np.isnan(peaks(curve, RATIOS)[0])


class Profile(Expression):
    cube = "none"

    def __init__(self, *profiles, half=0.01):
        self.value, self.half = np.array(profiles, float)[:, None], half

    def numbers(self, cubes, world):
        low, high = self.value - self.half, self.value + self.half
        levels = np.arange(1, self.value.shape[2] + 1)
        return Numbers.measured(np.arange(len(self.value)), levels, self.value, low, high)


def of(expression):
    return expression.numbers(CubeSet([]), "any")


def test_tilt_is_the_slope_over_levels():
    profile = [0.9, 0.7, 0.6, 0.2]
    got = of(tilt(Profile(profile, [0.3] * 4)))
    assert got.mean[:, 0] == pytest.approx([np.polyfit([1, 2, 3, 4], profile, 1)[0], 0])
    # intervals of four levels as if independent: half over the root of the sum of squares of 1.5, .5, .5, 1.5
    assert got.half[0, 0] == pytest.approx(0.01 / np.sqrt(5))
