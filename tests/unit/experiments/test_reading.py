"""The reading of experiments is the primary reading of the sweep."""

from __future__ import annotations

import numpy as np
import pytest

from maestrata import worlds
from maestrata.errors import ExperimentError
from maestrata.experiments._reading import (
    add_readings,
    differences,
    draw,
    pixels,
    read_levels,
    read_values,
)
from maestrata.experiments.base import Job, Table
from maestrata.masks import MaskPatches
from maestrata.model.mae import MAEConfig
from maestrata.regression.cell import score_cell
from maestrata.regression.settings import Evaluation

SMALL = MAEConfig(grid_height=2, grid_width=2, width=16, depth=1, decoder_width=16)
JOB = Job(worlds.make("additive_tree", 2, leaves=4), 0, SMALL, probe_train=600, test=400, replicates=30)


@pytest.mark.parametrize("pooling", ["global", "concat"])
def test_it_is_the_reading_of_the_sweep(pooling):
    model = JOB.initial(7)
    settings = Evaluation(
        probe_train=600, test=400, probes=("ridge",), poolings=("global", "concat"), replicates=30
    )
    book = score_cell(model, JOB.world, MaskPatches(JOB.grid), 2, 0, settings)
    found = read_levels(model, JOB, pooling=pooling)
    assert sorted(found) == [1, 2]
    for level, reading in found.items():
        at = book._at("trained", 1, pooling, "0", "ridge", "latent", level)
        assert reading.r2 == pytest.approx(book.values["r2"][at], abs=1e-6)
        assert reading.replicates == pytest.approx(book.boot[at], abs=1e-6)


def test_values_are_read_as_levels_are():
    evaluation = draw(JOB)
    features = pixels(evaluation)
    columns = evaluation.train.columns("latent", 2)
    values = read_values(
        features, evaluation.train.values[:, columns], evaluation.test.values[:, columns], evaluation
    )
    root = read_levels(features, JOB, evaluation)[2]
    assert values.r2 == pytest.approx(root.r2, abs=1e-6)
    assert values.replicates == pytest.approx(root.replicates, abs=1e-5)


def test_differences_are_paired_and_filed_with_their_interval():
    evaluation = draw(JOB)
    one, other = read_levels(pixels(evaluation), JOB, evaluation), read_levels(JOB.initial(), JOB, evaluation)
    apart = differences(one, other)
    table = Table()
    add_readings(table, "apart", apart, 400, "gain")
    axes, data = table.arrays()
    assert axes["level"] == [1, 2] and axes["quantity"] == ["gain"]
    assert data["value"][0, 0] == pytest.approx([one[k].r2 - other[k].r2 for k in (1, 2)])
    ends = np.quantile(one[2].replicates - other[2].replicates, [0.025, 0.975])
    assert (data["low"][0, 0, 1], data["high"][0, 0, 1]) == pytest.approx(tuple(ends))


def test_features_must_be_of_the_evaluations_images():
    evaluation = draw(JOB)
    with pytest.raises(ExperimentError, match="999 rows of features must be 1000"):
        read_levels(pixels(evaluation)[:-1], JOB, evaluation)
