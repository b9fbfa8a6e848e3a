"""Noise drawn anew: on a linear world the shares of variance are known."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from maestrata.errors import ExperimentError
from maestrata.experiments import invariance
from maestrata.geometry import patchify
from maestrata.worlds import make


def numbers(table):
    axes, data = table.arrays()
    return axes, lambda arm, quantity, level=0: float(
        data["value"][axes["arm"].index(arm), axes["quantity"].index(quantity), axes["level"].index(level)]
    )


def test_a_token_of_a_gaussian_tree_changes_by_what_its_ancestor_does_not_explain(cells_job, monkeypatch):
    rho = 0.8
    world = make("gaussian_tree", 3, leaves=8, dim=2, rho=rho)
    token = "1x1/v2", lambda images: patchify(images, 2)[:, 5]
    monkeypatch.setattr(invariance, "encoders", lambda job, table: iter([token]))
    job = replace(cells_job("invariance", world, pairs=3000), probe_train=4000, test=3000)
    axes, value = numbers(invariance.run(job))
    assert axes["level"] == [1, 2, 3]
    for level in (1, 2, 3):
        explained = rho ** (2 * level)
        assert value("1x1/v2", "low_redrawn", level) == pytest.approx(1 - explained, abs=0.04)
        assert value("1x1/v2", "high_redrawn", level) == pytest.approx(explained, abs=0.04)


def test_models_are_measured_with_their_start(cells_job, grammar):
    table = invariance.run(cells_job("invariance", grammar, pairs=200))
    axes, value = numbers(table)
    assert axes["arm"] == ["1x1/v1", "1x1/v3", "random_init"]
    assert value("1x1/v1", "mask_ratio") == 0.75
    assert np.isnan(value("random_init", "mask_ratio"))
    for arm in axes["arm"]:
        low = [value(arm, "low_redrawn", level) for level in (1, 2)]
        assert 0 < low[0] < low[1] < 1.1
        # total indices of two halves add up to 1 and what they do together
        assert low[1] + value(arm, "high_redrawn", 2) > 0.9
    again = invariance.run(cells_job("invariance", grammar, pairs=200)).arrays()[1]
    for name, values in table.arrays()[1].items():
        np.testing.assert_array_equal(values, again[name])


def test_a_job_without_models_is_refused(cells_job):
    with pytest.raises(ExperimentError, match="0 trained models among the job's 0 cells"):
        invariance.run(replace(cells_job("invariance"), cells=()))


def test_two_cells_of_one_label_are_refused(cells_job):
    job = cells_job("invariance")
    with pytest.raises(ExperimentError, match="two of the job's cells are 1x1/v1"):
        invariance.run(replace(job, cells=(job.cells[0], job.cells[0])))
