"""Claims 2 to 5 on small made-up cubes: rows, signs, verdicts."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr

from maestrata.claims import c02_forward, c03_reverse, c04_dimension, c05_fixed_masks, registry
from maestrata.cubes.io import build

WORLDS = 12
HALF = 0.01  # half of every interval over samples


def table(name, numbers, settings=None, worlds=("invertible",), n_worlds=WORLDS):
    """Cube of an experiment, numbers by (arm, quantity, level), alike in all worlds but for a small spread.

    A number may be an array (n_worlds,).
    """
    arms, quantities = (list(dict.fromkeys(key[i] for key in numbers)) for i in (0, 1))
    levels = sorted({key[2] for key in numbers})
    shape = (len(worlds), n_worlds, 2, len(arms), len(quantities), len(levels))
    data = {key: np.full(shape, np.nan) for key in ("value", "low", "high", "n")}
    spread = np.linspace(-0.004, 0.004, n_worlds)
    for (arm, quantity, level), number in numbers.items():
        at = (..., arms.index(arm), quantities.index(quantity), levels.index(level))
        # the two seeds of a world lie about its mean; another sign of the spread for every other arm
        sign = 1 - 2 * (arms.index(arm) % 2)
        values = (np.asarray(number) + sign * spread)[None, :, None] + [-0.002, 0.002]
        data["value"][at] = values
        data["low"][at], data["high"][at], data["n"][at] = values - HALF, values + HALF, 4096
    data["setting"] = np.array([(settings or {}).get(arm, np.nan) for arm in arms])
    axes = {"world": list(worlds), "world_seed": range(n_worlds), "seed": range(2)}
    axes |= {"arm": arms, "quantity": quantities, "level": levels}
    return build("experiments", axes, data, {"experiment": name})


def bottleneck(
    skill=0.97, leak=0.05, progress=0.95, beyond=0.02, rise=0.3, half=0.6, levels=(1, 2), **kwargs
):
    numbers = {}
    for arm, explained, leaked, r2 in (
        ("trained/0.5d", np.minimum(progress, half), leak, 0.5),
        ("trained/1d", progress, leak, skill * 0.9),
        ("trained/2d", np.add(progress, beyond), leak + rise, skill * 0.9),
        ("null_trained/1d", None, 0.8, 0.2),
        ("random_init/1d", None, 0.7, 0.3),
        ("pca/1d", None, 0.5, 0.4),
    ):
        for level in levels:
            at = f"l{level}/{arm}"
            if explained is not None:
                numbers[at, "progress", 0] = explained
            numbers[at, "skill", 0] = r2 / 0.9
            numbers[at, "r2", 0], numbers[at, "r2_linear", 0] = r2, r2 - 0.2
            numbers[at, "leak", 0], numbers[at, "leak_used", 0] = leaked, np.multiply(0.8, leaked)
    return table("bottleneck", numbers, **kwargs)


def masks(ideal=0.3, aggressive=0.5, conservative=0.45, slope=-0.05, progress=0.9, **kwargs):
    leaks = {"conservative": conservative, "ideal": ideal, "aggressive": aggressive}
    leaks |= {f"ladder{k}": ideal + slope * (k - 4) for k in (1, 2, 3, 4)}
    numbers = {}
    for arm, leak in leaks.items():
        rung = int(arm[-1]) if arm.startswith("ladder") else 4
        numbers |= {(arm, "leak", level): leak if level == 2 else 0.9 for level in (1, 2, 3, 4)}
        numbers |= {(arm, "leak_random_init", level): 0.4 for level in (1, 2, 3, 4)}
        numbers |= {(arm, "leak_whole", level): leak + 0.1 for level in (1, 2, 3, 4)}
        for level, r2 in ((1, 0.7 - 0.1 * rung), (2, 0.4), (3, 0.4), (4, 0.1 + 0.05 * rung)):
            numbers[arm, "r2", level], numbers[arm, "r2_random_init", level] = r2, 0.1
        numbers[arm, "progress", 0] = progress
    settings = {f"ladder{k}": k for k in (1, 2, 3, 4)}
    return table("fixed_masks", numbers, settings, **({"worlds": ("symbols",)} | kwargs))


@pytest.mark.parametrize("name", ["c02_forward", "c03_reverse", "c04_dimension", "c05_fixed_masks"])
def test_the_registry_takes_the_claim(name):
    assert registry.load(name).TRAINS


@pytest.mark.parametrize(
    "claim, cube, verdict",
    [
        (c02_forward, bottleneck(), "supported"),
        (c02_forward, bottleneck(skill=0.8), "contradicted"),
        (c02_forward, bottleneck(skill=0.3), "contradicted"),
        (c03_reverse, bottleneck(leak=0.05), "supported"),
        (c03_reverse, bottleneck(leak=0.15), "inconclusive"),  # between the two thresholds
        (c03_reverse, bottleneck(leak=0.3), "contradicted"),
        (c04_dimension, bottleneck(), "supported"),
        (c04_dimension, bottleneck(half=0.94), "contradicted"),  # half the outputs do as well
        (c04_dimension, bottleneck(beyond=0.1), "contradicted"),  # d_c outputs do not suffice
        (c04_dimension, bottleneck(rise=-0.1), "contradicted"),
        (c05_fixed_masks, masks(), "supported"),
        (c05_fixed_masks, masks(ideal=0.48), "contradicted"),  # below the aggressive one alone
        (c05_fixed_masks, masks(aggressive=0.25), "contradicted"),
        (c05_fixed_masks, masks(slope=0.05), "contradicted"),
        (c05_fixed_masks, masks(progress=0.5), "not_run"),
    ],
)
def test_verdict_follows_what_was_measured(verdict_of, claim, cube, verdict):
    assert verdict_of(claim, cube).verdict == verdict


@pytest.mark.parametrize("claim", [c02_forward, c03_reverse, c04_dimension])
def test_models_far_from_the_optimum_neither_speak_for_nor_against(verdict_of, claim):
    for good in ({}, {"skill": 0.5, "leak": 0.5, "half": 0.94}):
        outcome = verdict_of(claim, bottleneck(progress=0.7, **good))
        assert outcome.verdict == "not_run"
        assert "models not trained" in outcome.lacking or "no world has a number" in outcome.lacking
        progress = [c for c in outcome.contrasts if c.test is claim.SECONDARY[-1]]
        assert all(c.estimate < 0.9 for c in progress) and len(progress) == 2


def test_worlds_that_were_trained_too_little_are_left_out_and_counted(contrasts_of):
    progress = np.where(np.arange(WORLDS) < 2, 0.5, 0.95)
    leaks = np.where(np.arange(WORLDS) < 2, 0.9, 0.05)
    contrasts = contrasts_of(c03_reverse, bottleneck(leak=leaks, progress=progress))
    leak = contrasts[f"{c03_reverse.TESTS[0].name}, level 2"]
    assert (len(leak.rows), leak.left_out) == (10, 2)
    assert leak.estimate == pytest.approx(0.05, abs=0.005)


def test_rows_of_the_bottleneck(rows_of):
    cube = bottleneck()
    forward, sweep = rows_of(c02_forward, cube), rows_of(c04_dimension, cube)
    over_null = forward[f"{c02_forward.TESTS[1].name}, level 2"]
    assert [row.world_seed for row in over_null] == list(range(WORLDS))
    assert np.mean([row.value for row in over_null]) == pytest.approx(0.97 * 0.9 - 0.2)
    assert over_null[0].high - over_null[0].low == pytest.approx(2 * np.hypot(HALF, HALF))
    skill, _, leak = (sweep[f"{test.name}, level 1"] for test in c04_dimension.TESTS)
    assert np.mean([row.value for row in skill]) == pytest.approx(0.35)
    assert np.mean([row.value for row in leak]) == pytest.approx(0.8 * 0.3)


@pytest.mark.parametrize("claim", [c02_forward, c03_reverse, c04_dimension])
def test_every_level_of_c_that_a_run_has_decides(verdict_of, claim):
    assert verdict_of(claim, bottleneck(levels=(1,))).verdict == "supported"
    for level, verdict in ((1, "supported"), (3, "contradicted")):
        bad = bottleneck(levels=(level,), **({} if level == 1 else {"skill": 0.5, "leak": 0.5, "half": 0.94}))
        both = xr.concat([bottleneck(levels=(2,)), bad], "arm")
        assert verdict_of(claim, both).verdict == verdict


def test_rows_of_the_fixed_masks(rows_of):
    rows = rows_of(c05_fixed_masks, masks(slope=-0.05))
    means = {name: np.mean([row.value for row in given]) for name, given in rows.items()}
    assert [means[test.name] for test in c05_fixed_masks.TESTS] == pytest.approx([-0.15, -0.2, -0.05])
    assert list(means.values())[-2:] == pytest.approx([-0.1, 0.05])
    row = rows[c05_fixed_masks.TESTS[2].name][0]
    # weights -.3 -.1 .1 .3 of four rungs
    assert (row.high - row.low) / 2 == pytest.approx(HALF * np.sqrt(0.2))


def test_a_run_without_the_deciding_world_is_missing_it(verdict_of):
    outcome = verdict_of(c03_reverse, bottleneck(worlds=("gaussian",)))
    assert outcome.lacking == "experiment bottleneck has no world 'invertible'"
    assert verdict_of(c05_fixed_masks).lacking == "the run has no cube 'experiments/fixed_masks'"
    one_rung = masks().sel(arm=["conservative", "ideal", "aggressive", "ladder2"])
    assert (
        "has 1 rungs in the world 'symbols': two are needed" in verdict_of(c05_fixed_masks, one_rung).lacking
    )
