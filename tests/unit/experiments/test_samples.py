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
    world = worlds.make("additive_tree", 1, leaves=8)
    given = {**samples.SETTINGS, "images": 960, "sizes": (64, 128, 256), **settings}
    return Job(world, 0, SMALL, Recipe(batch=64), given, probe_train=300, test=300, replicates=20)


def test_arms_changes_and_repeatability():
    axes, data = samples.run(job(sizes=(256, 64, 128))).arrays()
    assert axes["arm"] == [
        "s64",
        "s128",
        "s256",
        "endless",
        "change/last_doubling",
        "change/endless",
        "change/whole_range",
    ]
    assert data["setting"][:4].tolist() == [64, 128, 256, 960] and np.isnan(data["setting"][4:]).all()
    value = {
        (arm, quantity): data["value"][i, j]
        for i, arm in enumerate(axes["arm"])
        for j, quantity in enumerate(axes["quantity"])
    }
    assert len({tuple(value[arm, "r2"][1:]) for arm in axes["arm"][:4]}) == 4
    pairs = {
        "last_doubling": ("s256", "s128"),
        "endless": ("endless", "s256"),
        "whole_range": ("s256", "s64"),
    }
    for name, (more, less) in pairs.items():
        change = value[f"change/{name}", "r2_change"][1:]
        assert np.allclose(change, value[more, "r2"][1:] - value[less, "r2"][1:])
        assert value[f"change/{name}", "mean_r2_change"][0] == pytest.approx(change.mean())
    assert value["s64", "mean_r2"][0] == pytest.approx(value["s64", "r2"][1:].mean())
    again = samples.run(job(sizes=(256, 64, 128))).arrays()[1]
    assert all(np.array_equal(data[name], again[name], equal_nan=True) for name in data)


@pytest.mark.parametrize(
    ("sizes", "message"),
    [
        ((32, 64), "must be at least one batch of 64"),
        ((960, 1920), "must be at most images=960"),
        ((64, 256), "must hold half of the largest, 256"),
    ],
)
def test_sizes_that_cannot_be_are_refused(sizes, message):
    with pytest.raises(ExperimentError, match=message):
        samples.run(job(sizes=sizes))
