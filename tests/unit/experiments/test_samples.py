"""Learning curves in the number of samples."""

from __future__ import annotations

import numpy as np
import pytest

from maestrata import worlds
from maestrata.errors import ExperimentError
from maestrata.experiments import samples
from maestrata.experiments.base import Job
from maestrata.model.mae import MAEConfig
from maestrata.training.recipe import Recipe

SMALL = MAEConfig(grid_height=4, grid_width=2, width=16, depth=1, decoder_width=16)


def job(**settings):
    world = worlds.make("grammar_tree", 1, leaves=8, symbols=6, productions=2)
    given = {**samples.SETTINGS, "images": 960, "sizes": (64, 128, 256), **settings}
    return Job(world, 0, SMALL, Recipe(batch=64), given, probe_train=300, test=300, replicates=20)


def numbers(one):
    axes, data = samples.run(one).arrays()
    at = {arm: i for i, arm in enumerate(axes["arm"])}, {name: i for i, name in enumerate(axes["quantity"])}
    return axes, data, lambda arm, quantity: data["value"][at[0][arm], at[1][quantity]]


def test_arms_and_repeatability():
    axes, data, value = numbers(job(sizes=(256, 64, 128)))
    assert axes["arm"] == ["s64", "s128", "s256", "endless", "s256/2x"] and axes["level"] == [0, 1, 2, 3]
    assert data["setting"].tolist() == [64, 128, 256, 960, 256]
    assert [value(arm, "images")[0] for arm in axes["arm"]] == [960, 960, 960, 960, 1920]
    assert {value(arm, "mask_ratio")[0] for arm in axes["arm"]} == {0.75}
    assert len({tuple(value(arm, "r2")[1:]) for arm in axes["arm"]}) == 5
    assert all(np.isfinite(value(arm, "progress")[0]) for arm in axes["arm"])
    again = samples.run(job(sizes=(256, 64, 128))).arrays()[1]
    assert all(np.array_equal(data[name], again[name], equal_nan=True) for name in data)


def test_what_is_swept_can_be_chosen():
    axes, _, value = numbers(job(sizes=(64,), multiples=(1.5, 3)))
    assert axes["arm"] == ["s64", "endless", "s64/1.5x", "s64/3x"]
    assert [value(arm, "images")[0] for arm in axes["arm"]] == [960, 960, 22 * 64, 2880]


def test_more_images_than_are_seen_are_refused():
    with pytest.raises(ExperimentError, match="must be at most images=960: each is seen"):
        samples.run(job(sizes=(960, 1920)))
