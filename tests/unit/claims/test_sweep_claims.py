"""Claims 6 to 9 on small cubes in which they must come out one way or the other."""

from __future__ import annotations

import numpy as np
import pytest

from maestrata.claims import c06_masking_ratio as c06
from maestrata.claims import c07_symmetry as c07
from maestrata.claims import c08_ninety_ten as c08
from maestrata.claims import c09_patch_size as c09
from maestrata.claims.verdict import judge
from maestrata.cubes.io import build
from maestrata.cubes.schema import KINDS
from maestrata.results import CubeSet

RATIOS = (0.1, 0.25, 0.5, 0.75, 0.9)
PLACES = ((1, 0), (2, 0), (4, 0), (2, 1), (4, 1))
LEVELS = 4
READING = {
    "layer": [0, 1],
    "pooling": ["global", "cls"],
    "eval_ratio": ["0"],
    "probe": ["ridge"],
    "target": ["latent"],
}


def sweep(score, worlds=12, seeds=2, labels=("grammar",), half=0.01, places=PLACES, noise=0.002):
    """A regression cube; `score(label, size, offset, ratio)` is the mean of each level, NaN for no cell."""
    rng = np.random.default_rng(0)
    sizes, offsets = sorted({s for s, _ in places}), sorted({o for _, o in places})
    encoders = ["trained", "random_init"]
    shape = (len(labels), worlds, len(sizes), len(offsets), len(RATIOS), seeds)
    r2 = np.full((*shape, 2, 2, 2, 1, 1, 1, LEVELS + 1), np.nan)
    for a, label in enumerate(labels):
        for size, offset in places:
            for k, ratio in enumerate(RATIOS):
                means = np.asarray(score(label, size, offset, ratio), float)
                drawn = means + noise * rng.standard_normal((worlds, seeds, LEVELS))
                at = (a, slice(None), sizes.index(size), offsets.index(offset), k)
                r2[at][:, :, 0, 1, 0, 0, 0, 0, 1:] = drawn
                # What a claim must not read: another layer, pooling, encoder, level 0.
                r2[at][:, :, 0, 0, 0, 0, 0, 0, 1:] = 0.9 - drawn
                r2[at][:, :, 0, 1, 1, 0, 0, 0, 1:] = 0.9 - drawn
                r2[at][:, :, 1, 1, 0, 0, 0, 0, 1:] = 0.2
                r2[at][:, :, 0, 1, 0, 0, 0, 0, 0] = 0.5
    gain = r2 - 0.2
    there = np.isfinite(r2[:, :, :, :, :, :, 0, 1, 0, 0, 0, 0, 1])
    data = {"r2": r2, "r2_low": r2 - half, "r2_high": r2 + half}
    data |= {"gain": gain, "gain_low": gain - half, "gain_high": gain + half, "n_test": np.ones_like(r2)}
    data |= {"images_seen": np.ones(shape), "status": there.astype(np.int8)}
    shapes = {1: (1, 1), 2: (2, 1), 4: (2, 2), 3: (3, 1)}
    data |= {f"patch_{side}": [shapes[s][k] for s in sizes] for k, side in enumerate(("height", "width"))}
    realised = np.broadcast_to(
        np.array(RATIOS)[:, None], (len(sizes), len(offsets), len(RATIOS), len(labels))
    )
    data["realised_ratio"] = realised
    coords = {
        "world": labels,
        "world_seed": range(worlds),
        "patch_size": sizes,
        "offset": offsets,
        "mask_ratio": RATIOS,
        "seed": range(seeds),
        "encoder": encoders,
        **READING,
        "level": range(LEVELS + 1),
    }
    return build("regression", coords, data)


def limits(ceilings, worlds=12, labels=("grammar",)):
    place = (len(labels), worlds, 1, 1, 1)
    r2 = np.broadcast_to(np.asarray(ceilings, float), (*place, 1, 1, 1, LEVELS)).copy()
    names = ("r2", "r2_low", "r2_high", "r2_present", "r2_present_low", "r2_present_high")
    data = dict.fromkeys(names, r2) | {"n_test": np.ones_like(r2)}
    data |= {name: np.zeros((*place, 1)) for name in ("bayes_loss", "bayes_loss_error", "bayes_loss_test")}
    data |= {"explainable_share": np.ones((*place[:2], LEVELS)), "patch_height": [1], "patch_width": [1]}
    data["realised_ratio"] = np.full((1, 1, 1, len(labels)), 0.5)
    coords = {
        "world": labels,
        "world_seed": range(worlds),
        "patch_size": [1],
        "offset": [0],
        "mask_ratio": [0.5],
        "eval_ratio": ["0"],
        "bound": ["exact"],
        "target": ["latent"],
        "level": range(1, LEVELS + 1),
    }
    return build("limits", coords, data)


def flat(label, size, offset, ratio):
    return [0.4] * LEVELS


def peak(label, size, offset, ratio):
    return [0.4] * (LEVELS - 1) + [0.4 + 0.1 * (ratio == 0.75)]


def rising(label, size, offset, ratio):
    return [0.4] * (LEVELS - 1) + [0.3 + 0.1 * ratio]


def verdict(claim, *cubes):
    return judge(CubeSet(cubes), [claim])[0]


def by_name(outcome):
    return {c.name: c for c in outcome.contrasts}


# ------------------------------------------------------------------------------------------------ claim 6
def test_6_supported_by_a_peak():
    outcome = verdict(c06, sweep(peak))
    assert outcome.verdict == "supported"
    assert by_name(outcome)["root: peak over .1"].estimate == pytest.approx(0.1, abs=0.003)
    assert by_name(outcome)["level below the root: peak over .9"].estimate == pytest.approx(0, abs=0.003)
    assert "In R2, not skill" in outcome.sentence


def test_6_contradicted_by_a_monotone_rise():
    outcome = verdict(c06, sweep(rising))
    assert outcome.verdict == "contradicted"
    assert by_name(outcome)["root: peak over .9"].lies == "against"
    assert by_name(outcome)["root: peak over .1"].lies == "for"


def test_6_in_skill_where_the_ceiling_is_exact():
    outcome = verdict(c06, sweep(peak), limits([1, 1, 1, 0.5]))
    assert by_name(outcome)["root: peak over .1"].estimate == pytest.approx(0.2, abs=0.006)
    assert by_name(outcome)["root: peak over .1"].units == "skill"
    assert "not skill" not in outcome.sentence


def test_6_the_peak_is_chosen_in_the_other_worlds():
    # One world alone has its peak at .25; by its own choice it would be a gain.
    cube = sweep(peak, noise=0)
    cube.r2[{"world_seed": 0, "level": LEVELS, "encoder": 0, "layer": 1, "pooling": 0}] = 0.4
    cube.r2[{"world_seed": 0, "level": LEVELS, "encoder": 0, "layer": 1, "pooling": 0, "mask_ratio": 1}] = 0.6
    row = by_name(verdict(c06, cube))["root: peak over .1"].rows[0]
    assert row.value == pytest.approx(0)


def test_6_one_world_takes_the_papers_ratio():
    outcome = verdict(c06, sweep(peak, worlds=1))
    assert outcome.verdict == "inconclusive"
    assert by_name(outcome)["root: peak over .1"].estimate == pytest.approx(0.1, abs=0.01)


def test_6_other_worlds_are_shown():
    def score(label, size, offset, ratio):
        return peak(label, size, offset, ratio) if label == "grammar" else rising(label, size, offset, ratio)

    outcome = verdict(c06, sweep(score, labels=("additive", "grammar")))
    assert outcome.verdict == "supported"
    assert not by_name(outcome)["root: peak over .9 [additive]"].decides
    assert outcome.n_worlds == 12


def test_6_not_run_without_the_ends():
    def score(label, size, offset, ratio):
        return [np.nan if ratio == 0.9 else 0.4] * LEVELS

    outcome = verdict(c06, sweep(score))
    assert outcome.verdict == "not_run"
    assert outcome.lacking == "world 'grammar' has no cell of 1 token, r = 0.9"
    # what is there is told
    assert "root: peak over .1: " in outcome.sentence


# ------------------------------------------------------------------------------------------------ claim 7
def tilted(by):
    return lambda label, size, offset, ratio: [0.4, 0.4, 0.4, 0.4 + by * (ratio == 0.9)]


def test_7_needs_skill_to_be_supported_and_not_to_be_contradicted():
    assert verdict(c07, sweep(flat), limits([1] * 4)).verdict == "supported"
    without = verdict(c07, sweep(flat))
    assert without.verdict == "inconclusive"
    assert "lower bound" in without.sentence
    assert verdict(c07, sweep(tilted(0.1))).verdict == "contradicted"
    assert verdict(c07, sweep(tilted(-0.1))).verdict == "contradicted"
    # a difference of R2 within the margin can be one of skill beyond it
    assert verdict(c07, sweep(tilted(0.04)), limits([1, 1, 1, 0.5])).verdict == "contradicted"


def test_7_every_level_and_pair_decides():
    outcome = verdict(c07, sweep(tilted(0.1)), limits([1] * 4))
    assert sum(c.decides for c in outcome.contrasts) == 8
    assert [c.name for c in outcome.contrasts if c.lies == "against"] == ["r = .9 minus r = .1, level 4"]
    assert "level 4: +0.100" in outcome.sentence


def test_7_ratios_must_mirror_each_other():
    cube = sweep(flat)
    cube["realised_ratio"][{"mask_ratio": 0}] = 0.125
    assert "no mirrored shares" in verdict(c07, cube).sentence


# ------------------------------------------------------------------------------------------------ claim 8
def placed(low, middle, high):
    at = {0.1: low, 0.5: middle, 0.9: high}
    return lambda label, size, offset, ratio: [0.4 + at.get(ratio, 0.0)] * LEVELS


@pytest.mark.parametrize("seeds", [1, 2, 3])
def test_8_supported_and_contradicted(seeds):
    alike = verdict(c08, sweep(placed(0, 0.1, 0), seeds=seeds))
    assert alike.verdict == "supported"
    assert by_name(alike)["(.9, .1) minus (.9, .5)"].estimate == pytest.approx(-0.01, rel=0.05)
    assert verdict(c08, sweep(placed(-0.1, 0, 0), seeds=seeds)).verdict == "contradicted"


def test_8_two_worlds_of_one_seed_still_have_a_number():
    outcome = verdict(c08, sweep(placed(0, 0.1, 0), seeds=1, worlds=2))
    assert outcome.verdict == "inconclusive"
    assert by_name(outcome)["(.9, .1) minus (.9, .5)"].estimate == pytest.approx(-0.01, rel=0.1)


def similarity(worlds=12, **values):
    array = np.array(list(values.values()), float)
    value = np.broadcast_to(array[:, None], (1, worlds, 1, 1, len(values), 1)).copy()
    coords = {"world": ["grammar"], "world_seed": range(worlds), "seed": [0], "arm": ["ratios"]}
    coords |= {"quantity": list(values), "level": [0]}
    data = dict.fromkeys(("value", "low", "high", "n"), value) | {"setting": [np.nan]}
    return build("experiments", coords, data, {"experiment": "similarity"})


def test_8_similarity_is_shown_where_it_is_there():
    cube = similarity(cka_10_90=0.6, cka_same_ratio=0.9, cka_50_90=0.7)
    outcome = verdict(c08, sweep(placed(0, 0.1, 0)), cube)
    contrasts = by_name(outcome)
    assert contrasts["CKA: (.9, .1) minus the same ratio"].estimate == pytest.approx(-0.3)
    assert contrasts["CKA: (.9, .1) minus (.9, .5)"].estimate == pytest.approx(-0.1)
    assert "CKA: (.9, .1) minus (.1, .5)" not in contrasts
    assert outcome.verdict == "supported"


# ------------------------------------------------------------------------------------------------ claim 9
def theory(slope=0.9, worlds=12, places=PLACES):
    sizes, offsets = sorted({s for s, _ in places}), sorted({o for _, o in places})
    ratio = (1, worlds, len(sizes), len(offsets), len(RATIOS))
    steps = np.log2(sizes)[:, None, None]
    level = 1 + slope * np.broadcast_to(steps, ratio[2:])

    counts = {
        "drawing": 2,
        "reading": 2,
        "tie": 2,
        "level": LEVELS,
        "linear_loss": 2,
        "example": 3,
        "node": 1,
    }
    sizes_of = (
        dict(zip(("world", "world_seed", "patch_size", "offset", "mask_ratio"), ratio, strict=True)) | counts
    )
    variables = KINDS["theory"].variables
    data = {name: np.zeros([sizes_of[d] for d in v.dims]) for name, v in variables.items()}
    for name in ("mean_level", "linear_reach"):
        shape = data[name].shape
        wide = level.reshape(1, 1, *level.shape, *[1] * (len(shape) - 5))
        data[name] = np.broadcast_to(wide, shape).copy()
    data["patch_height"] = data["patch_width"] = np.ones(len(sizes), int)
    coords = {
        "world": ["grammar"],
        "world_seed": range(worlds),
        "patch_size": sizes,
        "offset": offsets,
        "mask_ratio": RATIOS,
        "drawing": ["fixed", "independent"],
        "reading": ["separator", "invertible"],
        "tie": ["highest", "lowest"],
        "level": range(1, LEVELS + 1),
        "linear_loss": ["masked", "all"],
        "example": ["conservative", "ideal", "aggressive"],
        "node": ["x0"],
    }
    return build("theory", coords, data)


def moving(a_step, offset_by=-0.3):
    """Gain in two levels, so that its centroid is 1.5 + a_step * log2(size), lower for offset patches."""

    def score(label, size, offset, ratio):
        centre = 1.5 + a_step * np.log2(size) + offset_by * offset
        weights = np.maximum(0, 1 - np.abs(np.arange(1, LEVELS + 1) - centre))
        return 0.2 + 0.2 * weights - 0.05 * (weights == 0)

    return score


def test_9_supported_and_contradicted():
    outcome = verdict(c09, sweep(moving(0.8)), theory())
    contrasts = by_name(outcome)
    assert outcome.verdict == "supported"
    assert contrasts["slope of the centroid"].estimate == pytest.approx(0.8, abs=0.02)
    assert contrasts["the theory's slope"].estimate == pytest.approx(0.9)
    assert contrasts["slope minus half the theory's"].estimate == pytest.approx(0.35, abs=0.02)
    assert contrasts["offset minus aligned patches"].estimate == pytest.approx(-0.3, abs=0.02)
    assert contrasts["slope minus the linear MAE's"].estimate == pytest.approx(-0.1, abs=0.02)
    assert verdict(c09, sweep(moving(0.2)), theory()).verdict == "contradicted"
    assert verdict(c09, sweep(moving(0.8, offset_by=0.2)), theory()).verdict == "contradicted"


def test_9_without_offset_patches_the_slope_is_still_told():
    aligned = ((1, 0), (2, 0), (4, 0))
    outcome = verdict(c09, sweep(moving(0.8), places=aligned), theory(places=aligned))
    assert outcome.verdict == "not_run"
    assert "world 'grammar' has no offset patches, at r = .5 and .75" in outcome.sentence
    assert "slope minus half the theory's: +0.35" in outcome.sentence


def test_9_a_world_where_nothing_is_gained_has_no_centroid():
    cube = sweep(moving(0.8))
    for name in ("gain", "gain_low", "gain_high"):
        cube[name][{"world_seed": 3}] = -0.1
    outcome = verdict(c09, cube, theory())
    slope = by_name(outcome)["slope minus half the theory's"]
    assert (len(slope.rows), slope.left_out) == (11, 1)
    # ... but its tilt over levels is there
    assert len(by_name(outcome)["slope of the gain's tilt"].rows) == 12


def test_9_only_subtrees_are_aligned_steps():
    places = ((1, 0), (2, 0), (3, 0), (4, 0))
    cubes = CubeSet([sweep(moving(0.8), places=places)])
    assert c09.aligned_sizes(cubes, "grammar") == [1, 2, 4]


def test_9_centroid():
    gain = np.array([[0.1, 0.0, 0.1, -5.0], [-1, -1, -1, -1]])
    middle = c09.centroid(gain, np.arange(1, 5))
    assert middle[0] == pytest.approx(2)
    assert np.isnan(middle[1])


@pytest.mark.parametrize("claim", [c06, c07, c08, c09])
def test_not_run_without_the_claims_own_world(claim):
    outcome = verdict(claim, sweep(flat, labels=("additive",)), theory())
    assert outcome.verdict == "not_run"
    assert "'grammar'" in outcome.sentence


@pytest.mark.parametrize("claim", [c06, c07, c08, c09])
def test_the_same_cubes_give_the_same_outcome(claim):
    cubes = [sweep(moving(0.8)), theory()]
    assert repr(judge(CubeSet(cubes), [claim])) == repr(judge(CubeSet(cubes), [claim]))
