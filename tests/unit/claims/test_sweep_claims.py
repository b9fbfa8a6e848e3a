"""Claims 6 to 10, 16a and 18 on small cubes in which they must come out one way or the other."""

from __future__ import annotations

from functools import partial

import numpy as np
import pytest

from maestrata.claims import c06_masking_ratio as c06
from maestrata.claims import c07_symmetry as c07
from maestrata.claims import c08_ninety_ten as c08
from maestrata.claims import c09_patch_size as c09
from maestrata.claims import c10_hierarchy as c10
from maestrata.claims import c16_a_root, c16_a_tilt
from maestrata.claims import c18_determinism as c18
from maestrata.claims.verdict import judge
from maestrata.cubes.io import build
from maestrata.cubes.schema import KINDS
from maestrata.results import CubeSet

RATIOS = (0.1, 0.25, 0.5, 0.75, 0.9)
PLACES = ((1, 0), (2, 0), (4, 0), (2, 1), (4, 1))
LEVELS = 4
CONTROLS = {"random_init": 0.2, "null_trained": 0.1, "pixels": 0.15}
FEATURES = {
    "layer": [0, 1],
    "pooling": ["concat", "aligned"],
    "eval_ratio": ["0"],
    "probe": ["ridge"],
    "target": ["latent"],
}


def sweep(
    score,
    worlds=12,
    seeds=2,
    labels=("grammar",),
    places=PLACES,
    noise=0.002,
    concat=None,
    progress=0.95,
    first=100,
):
    """A regression cube; `score(label, size, offset, ratio)` is the mean of each level, NaN for no cell.

    `concat` is the same from all tokens: by default as at the primary features. `progress` is that of all
    cells, or by ratio.
    """
    rng = np.random.default_rng(0)
    half = 0.01
    sizes, offsets = sorted({s for s, _ in places}), sorted({o for _, o in places})
    shape = (len(labels), worlds, len(sizes), len(offsets), len(RATIOS), seeds)
    # what a claim must not read: another layer, level 0
    r2 = np.full((*shape, 1 + len(CONTROLS), 2, 2, 1, 1, 1, LEVELS + 1), 0.05)
    cells = np.zeros(shape, bool)
    for a, label in enumerate(labels):
        for size, offset in places:
            for k, ratio in enumerate(RATIOS):
                at = (a, slice(None), sizes.index(size), offsets.index(offset), k)
                own = np.asarray(score(label, size, offset, ratio), float)
                cells[at] = np.isfinite(own).all()
                for pooling, of in enumerate((concat or score, score)):
                    means = np.asarray(of(label, size, offset, ratio), float)
                    drawn = means + noise * rng.standard_normal((worlds, seeds, LEVELS))
                    r2[at][:, :, 0, 1, pooling, 0, 0, 0, 1:] = drawn
                for j, value in enumerate(CONTROLS.values()):
                    r2[at][:, :, 1 + j, 1, :, 0, 0, 0, 1:] = value
    r2[~cells] = np.nan
    gain = r2 - CONTROLS["null_trained"]
    data = {"r2": r2, "r2_low": r2 - half, "r2_high": r2 + half}
    data |= {"gain": gain, "gain_low": gain - half, "gain_high": gain + half, "n_test": np.ones_like(r2)}
    data |= {"images_seen": np.ones(shape), "status": cells.astype(np.int8)}
    shapes = {1: (1, 1), 2: (2, 1), 4: (2, 2)}
    data |= {f"patch_{side}": [shapes[s][k] for s in sizes] for k, side in enumerate(("height", "width"))}
    realised = np.broadcast_to(
        np.array(RATIOS)[:, None], (len(sizes), len(offsets), len(RATIOS), len(labels))
    )
    data["realised_ratio"] = realised
    coords = {
        "world": labels,
        "world_seed": range(first, first + worlds),
        "patch_size": sizes,
        "offset": offsets,
        "mask_ratio": RATIOS,
        "seed": range(seeds),
        "encoder": ["trained", *CONTROLS],
        **FEATURES,
        "level": range(LEVELS + 1),
    }
    cube = build("regression", coords, data)
    of_cells = [progress.get(r, 0.95) if isinstance(progress, dict) else progress for r in RATIOS]
    return cube.assign(progress=(cube["status"].dims, np.broadcast_to(np.array(of_cells)[:, None], shape)))


def limits(ceilings, worlds=12, labels=("grammar",), first=100):
    place = (len(labels), worlds, 1, 1, 1)
    r2 = np.broadcast_to(np.asarray(ceilings, float), (*place, 1, 1, 1, LEVELS)).copy()
    names = ("r2", "r2_low", "r2_high", "r2_present", "r2_present_low", "r2_present_high")
    data = dict.fromkeys(names, r2) | {"n_test": np.ones_like(r2)}
    data |= {name: np.zeros((*place, 1)) for name in ("bayes_loss", "bayes_loss_error", "bayes_loss_test")}
    data |= {"explainable_share": np.ones((*place[:2], LEVELS)), "patch_height": [1], "patch_width": [1]}
    data["realised_ratio"] = np.full((1, 1, 1, len(labels)), 0.5)
    coords = {
        "world": labels,
        "world_seed": range(first, first + worlds),
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
    outcome = verdict(c06, sweep(peak), limits([1, 1, 1, 0.6]))
    # over ceiling minus null_trained
    assert by_name(outcome)["root: peak over .1"].estimate == pytest.approx(0.2, abs=0.006)
    assert by_name(outcome)["root: peak over .1"].units == "skill"
    assert "not skill" not in outcome.sentence


def test_6_the_peak_is_chosen_in_the_other_worlds():
    # One world alone has its peak at .25; by its own choice it would be a gain.
    cube = sweep(peak, noise=0)
    at = {"world_seed": 0, "level": LEVELS, "encoder": 0, "layer": 1, "pooling": 1}
    for name in ("r2", "gain"):
        cube[name][at] = 0.4
        cube[name][at | {"mask_ratio": 1}] = 0.6
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


def test_models_that_have_not_learnt_are_not_judged():
    outcome = verdict(c06, sweep(peak, progress=0.4))
    assert outcome.verdict == "not_run"
    assert outcome.lacking.startswith("models not trained: 120 of 120 explain less than their gate")
    assert outcome.lacking.endswith("median 0.40")
    assert not any(c.rows for c in outcome.deciding)
    # a ratio that was not learnt is none to choose; at .9 the rest decides nothing
    some = verdict(c06, sweep(peak, progress={0.75: 0.1}))
    assert by_name(some)["root: peak over .1"].estimate == pytest.approx(0, abs=0.003)
    assert verdict(c06, sweep(peak, progress={0.9: 0.5})).verdict == "not_run"
    assert verdict(c06, sweep(peak, progress=float("nan"))).verdict == "supported"


def test_two_probes_that_part_leave_it_open():
    def against(label, size, offset, ratio):
        return [0.4] * (LEVELS - 1) + [0.4 - 0.1 * (ratio in (0.25, 0.5, 0.75))]

    outcome = verdict(c06, sweep(peak, concat=against))
    assert outcome.verdict == "inconclusive"
    assert "depends on the probe (root: peak over .1: +0.100" in outcome.sentence
    assert by_name(outcome)["root: peak over .1, all tokens"].lies == "against"
    # one that is open itself says nothing
    assert verdict(c06, sweep(peak, concat=flat)).verdict == "supported"


# ------------------------------------------------------------------------------------------------ claim 7
CERTAIN = ("symbols",)


def tilted(by):
    return lambda label, size, offset, ratio: [0.4, 0.4, 0.4, 0.4 + by * (ratio == 0.9)]


def test_7_needs_skill_to_be_supported_and_not_to_be_contradicted():
    def of(score, *ceilings):
        more = [limits(ceilings, labels=CERTAIN)] if ceilings else []
        return verdict(c07, sweep(score, labels=CERTAIN), *more)

    assert of(flat, 1, 1, 1, 1).verdict == "supported"
    without = of(flat)
    assert without.verdict == "inconclusive"
    assert "lower bound" in without.sentence
    assert of(tilted(0.1)).verdict == "contradicted"
    assert of(tilted(-0.1)).verdict == "contradicted"
    # a difference of R2 within the margin can be one of skill beyond it
    assert of(tilted(0.04), 1, 1, 1, 0.6).verdict == "contradicted"


def test_7_every_level_and_pair_decides():
    outcome = verdict(c07, sweep(tilted(0.1), labels=CERTAIN), limits([1] * 4, labels=CERTAIN))
    assert sum(c.decides for c in outcome.contrasts) == 8
    assert {c.name for c in outcome.deciding if c.lies == "against"} == {"r = .9 minus r = .1, level 4"}
    assert "level 4: +0.1" in outcome.sentence


def test_7_ratios_must_mirror_each_other():
    cube = sweep(flat, labels=CERTAIN)
    cube["realised_ratio"][{"mask_ratio": 0}] = 0.125
    assert "no mirrored shares" in verdict(c07, cube).sentence


# ------------------------------------------------------------------------------------------------ claim 8
def placed(low, middle, high):
    at = {0.1: low, 0.5: middle, 0.9: high}
    return lambda label, size, offset, ratio: [0.4 + at.get(ratio, 0.0)] * LEVELS


@pytest.mark.parametrize("seeds", [1, 2])
def test_8_supported_and_contradicted(seeds):
    alike = verdict(c08, sweep(placed(0, 0.1, 0), seeds=seeds))
    assert alike.verdict == "supported"
    assert by_name(alike)["(.9, .1) minus (.9, .5)"].estimate == pytest.approx(-0.01, rel=0.05)
    assert verdict(c08, sweep(placed(-0.1, 0, 0), seeds=seeds)).verdict == "contradicted"


def test_8_noise_of_a_world_is_no_distance():
    """Twelve worlds with profiles apart by noise alone: the estimate is not the plain square."""
    cube = sweep(flat, noise=0.05, seeds=1)
    numbers = c08.distance(0.9, 0.1).numbers(CubeSet([cube]), "grammar")
    assert abs(np.nanmean(numbers.value)) < 0.3 * 2 * 0.05**2


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
def leaning(by):
    """Profile of mean .4 that rises by so much a level."""
    return 0.4 + by * (np.arange(1, LEVELS + 1) - (LEVELS + 1) / 2)


FRESH = 112  # the first world seed that claim 9 is judged on


def theory(a_step=0.1, worlds=12, places=PLACES, labels=CERTAIN, first=FRESH):
    """Theory in which the share of nodes in c tilts by so much more a step; half of it at the lowest tie."""
    sizes, offsets = sorted({s for s, _ in places}), sorted({o for _, o in places})
    counts = {
        "world": len(labels),
        "world_seed": worlds,
        "patch_size": len(sizes),
        "offset": len(offsets),
        "mask_ratio": len(RATIOS),
        "drawing": 2,
        "reading": 2,
        "tie": 2,
        "level": LEVELS,
        "linear_loss": 2,
        "example": 3,
        "node": 1,
    }
    variables = KINDS["theory"].variables
    data = {name: np.zeros([counts[d] for d in v.dims]) for name, v in variables.items()}
    for k, size in enumerate(sizes):
        for tie, part in enumerate((1, 0.5)):
            data["p_in_c"][:, :, k, ..., tie, :] = leaning(part * a_step * np.log2(size) - 0.1)
        data["linear_reach"][:, :, k] = 1 + a_step * np.log2(size)
    data["patch_height"] = data["patch_width"] = np.ones(len(sizes), int)
    coords = {
        "world": labels,
        "world_seed": range(first, first + worlds),
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


def moving(a_step, offset_by=-0.03):
    """Scores that tilt by so much more at every step of patch size, and by so much less where offset."""

    def score(label, size, offset, ratio):
        return leaning(a_step * np.log2(size) + offset_by * offset - 0.1)

    return score


def moved(*given, **more):
    return sweep(moving(*given), labels=CERTAIN, **({"first": FRESH} | more))


def whole(first=FRESH):
    """Ceilings of exact inference such that skill is the R2 above the null over a half."""
    return limits([CONTROLS["null_trained"] + 0.5] * LEVELS, labels=CERTAIN, first=first)


def test_9_supported_and_contradicted():
    outcome = verdict(c09, moved(0.04), theory(), whole())
    contrasts = by_name(outcome)
    assert outcome.verdict == "supported"
    assert contrasts["slope of the tilt of skill"].estimate == pytest.approx(0.08, abs=0.002)
    assert contrasts["slope of the tilt of the gain, r = .5 and .75"].estimate == pytest.approx(
        0.04, abs=0.002
    )
    assert contrasts["the theory's slope, highest tie"].estimate == pytest.approx(0.1)
    assert contrasts["slope minus half the theory's, highest tie"].estimate == pytest.approx(0.03, abs=0.002)
    assert contrasts["slope minus half the theory's, lowest tie"].estimate == pytest.approx(0.055, abs=0.002)
    assert contrasts["offset minus aligned patches"].estimate == pytest.approx(-0.06, abs=0.002)
    assert contrasts["linear MAE: slope of its reach"].estimate == pytest.approx(0.1)
    assert verdict(c09, moved(0.015), theory(), whole()).verdict == "contradicted"
    assert verdict(c09, moved(0.04, 0.02), theory(), whole()).verdict == "contradicted"


@pytest.mark.parametrize("room", [0.3, 0.5, 0.9])
def test_9_a_model_that_recovers_what_is_in_c_has_the_slope_of_the_theory(room):
    """However much R2 lies between null and ceiling: else the claim would be held against its own theory."""
    aligned = {1: -0.1, 2: 0.0, 4: 0.1}  # the tilts of `theory`, at the highest tie

    def score(label, size, offset, ratio):
        return CONTROLS["null_trained"] + room * leaning(aligned[size] - 0.03 * offset)

    ceilings = limits([CONTROLS["null_trained"] + room] * LEVELS, labels=CERTAIN, first=FRESH)
    outcome = verdict(c09, sweep(score, labels=CERTAIN, first=FRESH), theory(), ceilings)
    assert by_name(outcome)["slope of the tilt of skill"].estimate == pytest.approx(0.1, abs=0.003)
    assert outcome.verdict == "supported"


def test_9_worlds_whose_numbers_were_known_do_not_decide():
    known = verdict(c09, moved(0.04, first=100), theory(first=100), whole(first=100))
    assert known.verdict == "not_run" and known.models == []
    assert "worlds 100-111 were known when this rule was written" in known.sentence
    # what does not decide is shown of them all
    assert by_name(known)["slope of the tilt of skill"].estimate == pytest.approx(0.08, abs=0.002)
    both = verdict(c09, *(made(worlds=24, first=100) for made in (partial(moved, 0.04), theory)))
    assert both.n_worlds == 12 and {row.world_seed for row in both.deciding[0].rows} == set(range(112, 124))
    assert {model.world_seed for model in both.models} == set(range(112, 124))


def test_9_without_offset_patches_the_slope_is_still_told():
    aligned = ((1, 0), (2, 0), (4, 0))
    outcome = verdict(c09, moved(0.04, places=aligned), theory(places=aligned), whole())
    assert outcome.verdict == "not_run"
    assert "no mask patches both aligned and offset in the world 'symbols'" in outcome.sentence
    assert "slope minus half the theory's, highest tie: +0.03" in outcome.sentence


# ----------------------------------------------------------------------------------------------- claim 10
@pytest.mark.parametrize(
    ("root", "expected"), [(0.3, "supported"), (0.17, "contradicted"), (0.2, "inconclusive")]
)
def test_10_the_best_control_of_each_world(root, expected):
    outcome = verdict(c10, sweep(placed(0, 0, 0), concat=lambda *_: [0.4] * (LEVELS - 1) + [root]))
    assert outcome.verdict == expected
    contrasts = by_name(outcome)
    assert contrasts["root: trained minus the best control"].estimate == pytest.approx(root - 0.2, abs=0.003)
    assert contrasts["root: trained minus null_trained"].estimate == pytest.approx(root - 0.1, abs=0.003)
    # at every level, from the tokens under the node
    for level in range(1, LEVELS + 1):
        each = contrasts[f"tokens under the node: trained minus pixels, level {level}"]
        assert each.estimate == pytest.approx(0.25, abs=0.003)


def test_10_no_control_can_be_missing():
    cube = sweep(peak).sel(encoder=["trained", "random_init", "null_trained"])
    assert verdict(c10, cube).lacking == "the sweep has no encoder 'pixels'"


# ---------------------------------------------------------------------------------------------- claim 16a
def shifted(low, high):
    """Aligned masks serve level 1 and the root better by these than offset ones."""

    def score(label, size, offset, ratio):
        sign = 0.5 - offset
        return [0.4 + sign * low, 0.4, 0.4, 0.4 + sign * high]

    return score


@pytest.mark.parametrize(
    ("low", "high", "tilt", "root"),
    [
        (-0.05, 0.05, "supported", "supported"),
        (-0.05, 0.0, "supported", "inconclusive"),
        (0.05, -0.05, "contradicted", "contradicted"),
        (-0.2, -0.05, "supported", "contradicted"),
    ],
)
def test_16a_tilt_and_root_are_two_verdicts(low, high, tilt, root):
    cube = sweep(shifted(low, high), labels=("symbols_between",))
    one, other = verdict(c16_a_tilt, cube), verdict(c16_a_root, cube)
    assert (one.verdict, other.verdict) == (tilt, root)
    assert (one.label, other.label) == ("16a tilt", "16a root")
    assert one.deciding[0].estimate == pytest.approx(0.3 * (high - low), abs=0.003)
    assert other.deciding[0].estimate == pytest.approx(high, abs=0.003)


def test_16a_a_world_that_lacks_a_cell_is_left_out():
    cube = sweep(shifted(0, 0.05), labels=("symbols_between",))
    cube["r2"][{"world_seed": 5, "patch_size": 1, "offset": 1, "mask_ratio": 2}] = np.nan
    root = verdict(c16_a_root, cube).deciding[0]
    assert (len(root.rows), root.left_out) == (11, 1)


# ----------------------------------------------------------------------------------------------- claim 18
AMBIGUOUS = ("symbols", "symbols_between", "symbols_ambiguous")


def peaked(*at):
    """Root whose curve over the logit of r is a parabola with its top there, by world."""

    def score(label, size, offset, ratio):
        def logit(r):
            return np.log(r / (1 - r))

        return [0.4] * (LEVELS - 1) + [0.5 - 0.02 * (logit(ratio) - logit(at[AMBIGUOUS.index(label)])) ** 2]

    return score


def test_18_the_best_ratio_over_ambiguity():
    falling = verdict(c18, sweep(peaked(0.8, 0.6, 0.3), labels=AMBIGUOUS, noise=0.0005))
    assert falling.verdict == "supported"
    best = [by_name(falling)[test.name].estimate for test in c18.TOPS]
    assert best == pytest.approx([0.8, 0.6, 0.3], abs=0.01)
    x = np.array([1, 2**0.5, 1.8])
    assert falling.deciding[0].estimate == pytest.approx(np.polyfit(x, [0.8, 0.6, 0.3], 1)[0], abs=0.02)
    assert falling.n_worlds == 12 and falling.deciding[0].rows[0].world_seed == 100
    assert verdict(c18, sweep(peaked(0.3, 0.5, 0.7), labels=AMBIGUOUS)).verdict == "contradicted"
    assert "0.30)" in falling.sentence


def test_18_needs_all_three_worlds():
    outcome = verdict(c18, sweep(peaked(0.8, 0.6, 0.3), labels=AMBIGUOUS[:2]))
    assert outcome.lacking == "the sweep has no world 'symbols_ambiguous'"


# ------------------------------------------------------------------------------------------------ all
SWEEP_CLAIMS = [c06, c07, c08, c09, c10, c16_a_tilt, c16_a_root, c18]


@pytest.mark.parametrize("claim", SWEEP_CLAIMS)
def test_not_run_without_the_claims_own_world(claim):
    outcome = verdict(claim, sweep(flat, labels=("dag",)), theory())
    assert outcome.verdict == "not_run"
    assert "the world '" in outcome.sentence or "has no world '" in outcome.sentence


@pytest.mark.parametrize("claim", SWEEP_CLAIMS)
def test_the_same_cubes_give_the_same_outcome(claim):
    labels = ("grammar", *AMBIGUOUS)
    cubes = [sweep(moving(0.08), labels=labels), theory()]
    outcome = judge(CubeSet(cubes), [claim])
    assert outcome[0].deciding
    assert repr(outcome) == repr(judge(CubeSet(cubes), [claim]))
