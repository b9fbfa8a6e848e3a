"""Neighbourhoods and their embedding."""

from __future__ import annotations

import numpy as np
import pytest

from maestrata.errors import ExperimentError
from maestrata.experiments import embedding
from maestrata.experiments.embedding import embed, neighbour_share


def test_apart_is_pure_and_mixed_is_not():
    rng = np.random.default_rng(0)
    labels = np.repeat([0, 1, 2], 50)
    points = rng.standard_normal((150, 5)) + 20 * labels[:, None]
    assert neighbour_share(points, labels, 10).min() == 1
    assert neighbour_share(points, rng.permutation(labels), 10).mean() == pytest.approx(1 / 3, abs=0.06)


def test_equal_input_gives_an_equal_picture_that_keeps_clusters():
    rng = np.random.default_rng(0)
    labels = np.repeat([0, 1], 40)
    points = rng.standard_normal((80, 6)) + 9 * labels[:, None]
    one, two = (embed(points, 10.0, 500, 3) for _ in range(2))
    np.testing.assert_array_equal(one, two)
    assert one.shape == (80, 2)
    assert neighbour_share(one, labels, 5).mean() > 0.99


def test_settings_that_cannot_be_are_refused():
    points = np.zeros((20, 3))
    with pytest.raises(ExperimentError, match="perplexity=30 must lie above 0 and below the 20 images"):
        embed(points, 30.0, 500, 0)
    with pytest.raises(ExperimentError, match="steps=9 must be at least 250"):
        embed(points, 5.0, 9, 0)
    with pytest.raises(ExperimentError, match=r"neighbours=20 must lie in 1\.\.19"):
        neighbour_share(points, np.zeros(20, int), 20)


def test_encoders_are_embedded(cells_job, grammar):
    small = {"images_embedded": 60, "perplexity": 10.0, "steps": 250}
    axes, data = embedding.run(
        cells_job("embedding", grammar, visible=(1,), shown_world_seed=0, **small)
    ).arrays()
    arms = ["1x1/v1", "random_init", "pixels", "pca"]
    assert [arm for arm in axes["arm"] if "/p" not in arm] == ["chance", *arms]

    def at(arm, quantity):
        return data["value"][axes["arm"].index(arm), axes["quantity"].index(quantity), 0]

    symbols = grammar.sample(60).latents[2][:, 0, 0]
    assert [at(f"pca/p{i:02d}", "root_class") for i in range(60)] == symbols.tolist()
    points = np.array([[at(f"pca/p{i:02d}", axis) for axis in "xy"] for i in range(60)])
    assert at("pca", "purity_embedded") == pytest.approx(neighbour_share(points, symbols, 10).mean())
    same = (symbols[:, None] == symbols).sum() - 60
    assert at("chance", "purity") == pytest.approx(same / (60 * 59))
    other = embedding.run(cells_job("embedding", grammar, visible=(1,), **small)).arrays()[0]
    assert other["arm"] == ["chance", *arms]
