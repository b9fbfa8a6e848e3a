"""Selections of made-up cubes: which number they take, what they make of several, and what is lacking."""

from __future__ import annotations

from functools import partial

import numpy as np
import pytest

from maestrata.cubes.io import build
from maestrata.results import CubeSet, Select, largest_of, mean_of, slope_of
from maestrata.results.numbers import Numbers

WORLDS, SEEDS, LEVELS = 4, 2, 3
RATIOS = (0.1, 0.75)


def sweep(change=None, half=0.01):
    """Regression cube: R2 = ratio / 2 + level / 10, worlds .001 apart, seeds .002 about their mean."""
    axes = {"world": ["additive"], "world_seed": range(WORLDS), "patch_size": [1], "offset": [0]}
    axes |= {
        "mask_ratio": RATIOS,
        "seed": range(SEEDS),
        "encoder": ["trained", "null_trained", "pixels"],
        "layer": [0, 1],
    }
    axes |= {"pooling": ["concat", "aligned"], "eval_ratio": ["0"], "probe": ["ridge"], "target": ["latent"]}
    axes |= {"level": range(LEVELS + 1)}
    shape = tuple(len(list(values)) for values in axes.values())
    right = (
        np.array(RATIOS)[:, None, None] / 2
        + np.arange(LEVELS + 1) / 10
        + np.arange(WORLDS)[:, None, None, None] / 1000
        + np.array([-0.002, 0.002])[:, None]
    )
    r2 = np.full(shape, 0.95)  # what must not be read: another layer, pooling or encoder
    r2[0, :, 0, 0, :, :, 0, 1, 1, 0, 0, 0] = right
    r2[0, :, 0, 0, :, :, 2, 1, 0, 0, 0, 0] = right - 0.05
    if change is not None:
        change(r2)
    data = {"r2": r2, "r2_low": r2 - half, "r2_high": r2 + 3 * half, "n_test": np.ones(shape)}
    data |= {name: np.full(shape, np.nan) for name in ("gain", "gain_low", "gain_high")}
    data |= {"images_seen": np.ones(shape[:6]), "status": np.ones(shape[:6], np.int8)}
    data |= {"patch_height": [1], "patch_width": [1], "realised_ratio": np.full((1, 1, 2, 1), 0.5)}
    return build("regression", axes, data)


def limits(*ceilings):
    axes = {"world": ["additive"], "world_seed": range(WORLDS), "patch_size": [1], "offset": [0]}
    axes |= {"mask_ratio": [0.5], "eval_ratio": ["0"], "bound": ["exact"], "target": ["latent"]}
    axes |= {"level": range(1, LEVELS + 1)}
    shape = tuple(len(list(values)) for values in axes.values())
    names = ("r2", "r2_low", "r2_high", "r2_present", "r2_present_low", "r2_present_high", "n_test")
    data = {name: np.broadcast_to(np.array(ceilings, float), shape).copy() for name in names}
    data |= {name: np.zeros(shape[:6]) for name in ("bayes_loss", "bayes_loss_error", "bayes_loss_test")}
    data |= {"explainable_share": np.ones((1, WORLDS, LEVELS)), "patch_height": [1], "patch_width": [1]}
    return build("limits", axes, data | {"realised_ratio": np.full((1, 1, 1, 1), 0.5)})


def numbers(expression, *cubes, world="additive") -> Numbers:
    return expression.numbers(CubeSet(cubes or [sweep()]), world)


def r2(ratio=0.75, level="root", **more):
    return Select("regression", "r2", ratio=ratio, level=level, **more)


@pytest.mark.parametrize(
    ("level", "value"), [("root", 0.3), ("lowest", 0.1), ("all", 0.2), (2, 0.2), (-1, 0.3), (-3, 0.1)]
)
def test_the_level_that_is_asked_for(level, value):
    rows = numbers(r2(level=level)).rows("additive")
    assert [row.world_seed for row in rows] == list(range(WORLDS))
    assert [row.value for row in rows] == pytest.approx(0.375 + value + np.arange(WORLDS) / 1000, rel=1e-6)
    # a half of the interval's width to either side, as wide as that of one seed
    assert rows[0].high - rows[0].value == pytest.approx(0.02, rel=1e-4)
    assert rows[0].seeds == SEEDS


def test_every_level():
    each = numbers(r2(level="each"))
    assert each.levels.tolist() == [1, 2, 3]
    assert [level for level, _ in each.at_each_level()] == [1, 2, 3]
    assert numbers(r2(level=-4)).lacking


def test_other_features_and_encoders():
    pixels = numbers(r2(arm="pixels", labels={"pooling": "concat"}))
    assert pixels.rows("additive")[0].value == pytest.approx(0.625, rel=1e-6)


def test_a_contrast_compares_the_same_seeds():
    def lacking(values):
        values[0, 1, 0, 0, 0, 0] = np.nan  # world 1, ratio .1, seed 0
        values[0, 2, 0, 0, 0] = np.nan  # world 2, ratio .1

    rows = numbers(r2(0.75) - r2(0.1), sweep(lacking)).rows("additive")
    assert [row.seeds for row in rows] == [2, 1, 0, 2]
    assert [row.value for row in rows] == pytest.approx([0.325, 0.325, np.nan, 0.325], nan_ok=True, rel=1e-6)
    assert rows[0].high - rows[0].value == pytest.approx(0.02 * np.sqrt(2), rel=1e-4)


def test_the_last_layer_that_is_there():
    def shallow(values):
        values[0, 0, :, :, :, :, :, 1] = np.nan

    rows = numbers(r2(), sweep(shallow)).rows("additive")
    assert [row.value for row in rows][:2] == pytest.approx([0.95, 0.676], rel=1e-6)


def nulled(value=0.2, half=0.03):
    """A cube whose `null_trained` scores `value`, with the gain over it and an interval of its own."""

    def change(values):
        values[0, :, 0, 0, :, :, 1, 1, 1, 0, 0, 0] = value

    cube = sweep(change)
    gain = cube.r2 - cube.r2.sel(encoder="null_trained")
    for name, by in (("gain", 0), ("gain_low", -half), ("gain_high", half)):
        cube[name] = (gain + by).transpose(*cube[name].dims).astype(np.float32)
    return cube


def test_skill_is_what_is_reached_of_the_way_from_the_null_to_the_ceiling():
    skill = Select("regression", "skill", ratio=0.75, level="each")
    over = numbers(skill, nulled(), limits(0.7, 0.24, np.nan))
    # .24 is too near to the null to be divided by: no skill; without a ceiling the gain is a bound
    assert over.bound[0].tolist() == [False, False, True]
    assert over.mean[0] == pytest.approx([0.275 / 0.5, np.nan, 0.475], rel=1e-6, nan_ok=True)
    assert over.half[0] == pytest.approx([0.03 / 0.5, np.nan, 0.03], rel=1e-4, nan_ok=True)
    assert numbers(skill, nulled()).bound.all()
    gain = numbers(Select("regression", "gain", ratio=0.75, level="each"), nulled())
    assert gain.mean[0] == pytest.approx([0.275, 0.375, 0.475], rel=1e-6)
    assert (skill - skill).numbers(CubeSet([nulled()]), "additive").bound.all()
    assert numbers(skill, sweep().sel(encoder=["trained", "pixels"])).lacking == (
        "the sweep has no encoder 'null_trained'"
    )


def test_another_null_is_selectable_and_none_is():
    def without_training(values):
        values[0, :, 0, 0, :, :, 2, 1, 1, 0, 0, 0] = 0.2  # of the encoder 'pixels', at the same features

    skill = partial(Select, "regression", "skill", ratio=0.75, level="each")
    above = numbers(skill(null="pixels"), sweep(without_training), limits(0.7, 0.7, 0.22))
    assert above.mean[0] == pytest.approx([0.275 / 0.5, 0.375 / 0.5, np.nan], rel=1e-6, nan_ok=True)
    assert above.half[0][0] == pytest.approx(0.02 * np.sqrt(2) / 0.5, rel=1e-4)
    plain = numbers(skill(null=""), sweep(), limits(0.5, 0.5, 0.04))
    assert plain.mean[0] == pytest.approx([0.95, 1.15, np.nan], rel=1e-6, nan_ok=True)


def test_means_slopes_and_multiples():
    assert numbers(mean_of(r2(0.1), r2(0.75), r2(0.6))).mean[0] == pytest.approx([0.5125], rel=1e-6)
    assert numbers(slope_of([r2(0.1), r2(0.75)], [1, 3])).mean[0] == pytest.approx([0.1625], rel=1e-6)
    assert numbers(0.5 * r2(0.1)).mean[0] == pytest.approx([0.175], rel=1e-6)
    assert numbers(0.5 * r2(0.1)).half[0] == pytest.approx([0.01], rel=1e-4)
    assert numbers(slope_of([r2(0.1), r2(0.6)], [1, 3])).lacking == "the sweep has no mask_ratio 0.6"


def test_a_gate_leaves_worlds_out():
    rows = numbers(r2(0.1).where(largest_of(r2(0.1), r2(0.6)), 0.3515)).rows("additive")
    assert np.isfinite([row.value for row in rows]).tolist() == [False, False, True, True]


@pytest.mark.parametrize(
    ("selection", "world", "message"),
    [
        (r2(), "nowhere", "the sweep has no world 'nowhere'"),
        (r2(0.6), "additive", "the sweep has no mask_ratio 0.6"),
        (r2(patch=8), "additive", "the sweep has no patch_size 8"),
        (r2(arm="pca"), "additive", "the sweep has no encoder 'pca'"),
        (r2(labels={"pooling": "cls"}), "additive", "the sweep has no pooling 'cls'"),
        (Select("theory", "mean_level", ratio=0.5), "additive", "the run has no cube 'theory'"),
        (Select("regression", "gain", ratio=0.1, level="root"), "additive", "no cell of 1 token, r = 0.1"),
    ],
)
def test_what_is_lacking_is_named_and_gives_no_row(selection, world, message):
    nothing = numbers(selection, world=world)
    assert message in nothing.lacking
    assert nothing.rows(world) == []
    assert message in numbers(selection - r2(0.1), world=world).lacking


def test_the_labels_of_worlds():
    assert (r2() - Select("theory", "climb")).worlds(CubeSet([sweep()])) == ["additive"]
    assert r2().worlds(CubeSet([])) == []


@pytest.mark.parametrize("ratio", RATIOS)
def test_cells_below_their_gate_have_no_number(ratio):
    cube = sweep()
    of_cells = {"progress": 0.7, "test_loss": 0.6, "test_variance": 1.0, "test_bayes_loss": 0.5}
    dims, shape = cube["status"].dims, cube["status"].shape
    cube = cube.assign({name: (dims, np.full(shape, value)) for name, value in of_cells.items()})
    read = numbers(r2(ratio), cube)
    # .8 is asked for up to .5, and .6 above
    assert {model.trained for model in read.models} == {ratio > 0.5}
    assert np.isfinite(read.value).all() == (ratio > 0.5)
    assert numbers(r2(ratio, arm="pixels", labels={"pooling": "concat"}), cube).models == frozenset()
