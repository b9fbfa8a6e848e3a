"""The gate on progress: whose numbers are left out, and what is known of the models behind a number."""

from __future__ import annotations

import numpy as np

from maestrata.cubes.io import build
from maestrata.results import UNGATED, CubeSet, Select
from maestrata.results.numbers import Numbers
from maestrata.results.progress import Model, gate_at, gated

WORLDS, SEEDS = 3, 2


def table(progress, arms=("s1", "start"), quantities=("r2", "progress")):
    """Cube of an experiment; `progress` (worlds, seeds) is that of its first arm."""
    shape = (1, WORLDS, SEEDS, len(arms), len(quantities), 1)
    value = np.full(shape, 0.5)
    value[..., quantities.index("r2"), 0] += 0.1 * np.arange(WORLDS)[:, None, None]
    value[..., quantities.index("progress"), 0] = np.nan
    value[0, :, :, 0, quantities.index("progress"), 0] = progress
    axes = {"world": ["w"], "world_seed": range(100, 100 + WORLDS), "seed": range(SEEDS)}
    axes |= {"arm": arms, "quantity": quantities, "level": [0]}
    data = dict.fromkeys(("value", "low", "high"), value) | {
        "n": np.ones(shape),
        "setting": [np.nan] * len(arms),
    }
    return build("experiments", axes, data, {"experiment": "samples"})


def numbers(progress, arm="s1", **more):
    select = Select("experiments/samples", "r2", arm, **more)
    return select.numbers(CubeSet([table(progress)]), "w")


LOW = [[0.9, 0.9], [0.9, 0.7], [0.7, 0.7]]


def test_gates():
    assert [gate_at(r) for r in (0.1, 0.25, 0.5, 0.75, 0.9)] == [0.8, 0.8, 0.8, 0.6, 0.6]


def test_a_model_below_its_gate_has_no_number_and_is_told():
    read = numbers(LOW)
    assert np.isfinite(read.value[..., 0]).tolist() == [[True, True], [True, False], [False, False]]
    assert len(read.models) == WORLDS * SEEDS
    assert Model("samples s1", "w", 102, 1, 0.7, 0.8) in read.models
    assert sum(model.trained for model in read.models) == 3
    # the world of which no model is left has a row without a number, and is so counted
    rows = read.rows("w")
    assert [np.isfinite(row.value) for row in rows] == [True, True, False]
    assert np.isnan(rows[2].low)


def test_controls_and_progress_itself_have_no_gate():
    assert not numbers(LOW, "start").models
    # a model of which nothing was to be learnt is a control too
    null = CubeSet([table(LOW, arms=("l1/null_trained/1d",))])
    assert not Select("experiments/samples", "r2", "l1/null_trained/1d").numbers(null, "w").models
    select = Select("experiments/samples", "progress", "s1")
    assert np.isfinite(select.numbers(CubeSet([table(LOW)]), "w").value).all()


def test_a_gate_of_its_own_and_none():
    assert np.isfinite(numbers(LOW, gate=0.7).value).all()
    starved = numbers(np.full((WORLDS, SEEDS), -0.5), gate=UNGATED)
    assert np.isfinite(starved.value).all() and all(model.trained for model in starved.models)


def test_unknown_progress_is_no_reason_to_leave_out():
    models = [Model("a", "w", 100, 0, float("nan"), 0.8)]
    plain = Numbers.plain([100], [0.5])
    assert gated(plain, models, [0]).value.item() == 0.5


def test_a_contrast_keeps_the_models_of_both_sides():
    cubes = CubeSet([table(LOW, arms=("s1", "s2"))])
    contrast = Select("experiments/samples", "r2", "s1") - Select("experiments/samples", "r2", "s2")
    read = contrast.numbers(cubes, "w")
    assert {model.name for model in read.models} == {"samples s1"}
    assert np.isnan(read.value[2]).all()
