"""The primary features of experiments are those of the sweep, and are scored as they are there."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from maestrata import worlds
from maestrata.errors import ExperimentError
from maestrata.experiments._features import (
    encoders,
    explainable,
    pixels,
    score_levels,
    score_model,
    score_values,
    train_and_score,
)
from maestrata.experiments.base import Job, Table
from maestrata.experiments.measures import root_class
from maestrata.masks import MaskPatches
from maestrata.model.mae import MAEConfig
from maestrata.regression.cell import score_cell
from maestrata.regression.settings import Evaluation
from maestrata.representation.encode import last_layer
from maestrata.training.recipe import Recipe

SMALL = MAEConfig(grid_height=2, grid_width=2, width=16, depth=1, decoder_width=16)
JOB = Job(worlds.make("additive_tree", 2, leaves=4), 0, SMALL, probe_train=600, test=400, replicates=30)


@pytest.mark.parametrize("pooling", ["aligned", "concat"])
def test_scores_are_those_of_the_sweep(pooling):
    model = JOB.initial(7)
    settings = Evaluation(
        probe_train=600, test=400, probes=("ridge",), poolings=("aligned", "concat"), replicates=30
    )
    book = score_cell(model, JOB.world, MaskPatches(JOB.grid), 2, 0, settings)
    data = JOB.data
    scores = score_model(model, data, pooling)
    assert scores.shape == (2, 31)
    for level, (r2, *replicates) in enumerate(scores, 1):
        at = book._at("trained", 1, pooling, "0", "ridge", "latent", level)
        assert r2 == pytest.approx(book.values["r2"][at], abs=1e-6)
        assert replicates == pytest.approx(book.boot[at].tolist(), abs=1e-6)
    # of the root the tokens under it are all tokens
    root = score_levels(last_layer(model, data.images), data)[-1]
    assert (pooling != "aligned") or root == pytest.approx(scores[-1], abs=1e-5)


def test_a_trained_model_is_scored_with_its_progress(grammar):
    job = replace(JOB, recipe=Recipe(images=640)).in_world(grammar)
    table = Table()
    scores = train_and_score(job, table, "one", explainable(job, 1), 1)
    axes, data = table.arrays()
    assert axes["quantity"] == ["progress", "mask_ratio", "r2"] and axes["level"] == [0, 1, 2]
    progress, ratio = data["value"][0, :2, 0]
    model, _ = job.train("again", 1)
    assert progress == explainable(job, 1).progress(model).share[0] and ratio == 0.75
    assert np.array_equal(data["value"][0, 2, 1:], scores[:, 0])
    assert np.array_equal(scores, score_model(model, job.data))


def test_values_are_scored_as_levels_are():
    data = JOB.data
    features, columns = pixels(data), data.train.columns("latent", 2)
    values = score_values(features, data.train.values[:, columns], data.test.values[:, columns], data)
    assert values == pytest.approx(score_levels(features, data)[1], abs=1e-5)


def test_differences_are_paired_and_filed_with_their_interval():
    data = JOB.data
    one, other = score_levels(pixels(data), data), score_levels(last_layer(JOB.initial(), data.images), data)
    table = Table()
    table.add_levels("apart", "gain", one - other, 400)
    axes, values = table.arrays()
    assert axes["level"] == [1, 2] and axes["quantity"] == ["gain"]
    assert values["value"][0, 0] == pytest.approx((one - other)[:, 0])
    ends = np.quantile((one - other)[1, 1:], [0.025, 0.975])
    assert (values["low"][0, 0, 1], values["high"][0, 0, 1]) == pytest.approx(tuple(ends))


def test_features_must_be_of_the_images():
    data = JOB.data
    with pytest.raises(ExperimentError, match="999 rows of features must be 1000"):
        score_levels(pixels(data)[:-1], data)


def test_encoders_are_the_models_their_start_and_pixels_if_asked_for(cells_job, grammar):
    job, table = cells_job("cue_conflict", grammar), Table()
    images = grammar.sample(40).images
    features = {arm: encode(images) for arm, encode in encoders(job, table, fit=images)}
    assert {arm: x.shape for arm, x in features.items()} == {
        "1x1/v1": (40, 8),
        "1x1/v3": (40, 8),
        "random_init": (40, 8),
        "pixels": (40, 12),
        "pca": (40, 8),
    }
    np.testing.assert_array_equal(features["1x1/v3"], last_layer(job.cells[1].model(), images))
    # a control has no ratio
    axes, values = table.arrays()
    assert axes["arm"] == ["1x1/v1", "1x1/v3"] and values["value"][:, 0, 0].tolist() == [0.75, 0.25]
    assert [arm for arm, _ in encoders(job, Table())] == ["1x1/v1", "1x1/v3", "random_init"]


def test_classes_are_symbols_or_sides_of_a_plane(grammar):
    roots = grammar.sample(300).latents[2]
    labels, classes = root_class(grammar, roots)
    assert classes == 5
    np.testing.assert_array_equal(labels, roots[:, 0, 0])
    labels, classes = root_class(JOB.world, JOB.world.sample(2000).latents[2])
    assert classes == 2 and 0.45 < labels.mean() < 0.55
