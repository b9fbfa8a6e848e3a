"""Claims 11 to 13 on made-up cubes: rows, signs, verdicts."""

from __future__ import annotations

import numpy as np
import pytest

from maestrata.claims import c11_invariance, c12_cue_conflict, c13_robustness, registry
from maestrata.claims.rule import contrast
from maestrata.cubes.io import build
from maestrata.results import Row

WORLDS = 12
HALF = 0.02
RATIOS = {"1x1/v2": 0.875, "1x1/v4": 0.75, "1x1/v8": 0.5, "1x1/v14": 0.125, "2x2/v1": 0.75}
ASKED = (0.1, 0.5, 0.75, 0.9)
ARMS = [*RATIOS, "random_init"]


def cube(name, numbers, worlds=("grammar",), n_worlds=WORLDS, seeds=2, arms=ARMS):
    """Numbers by (arm, quantity, level), the same in all worlds but for a spread of mean 0."""
    quantities = [*dict.fromkeys(key[1] for key in numbers), "mask_ratio"]
    levels = sorted({0} | {key[2] for key in numbers})
    shape = (len(worlds), n_worlds, seeds, len(arms), len(quantities), len(levels))
    data = {key: np.full(shape, np.nan) for key in ("value", "low", "high", "n")}
    spread = np.linspace(-0.004, 0.004, n_worlds)[None, :, None] + 0.001 * np.arange(seeds)
    for (arm, quantity, level), number in numbers.items():
        if arm not in arms:
            continue
        at = (..., arms.index(arm), quantities.index(quantity), levels.index(level))
        # the control lies still: a spread that all arms share would drop out of every contrast
        values = number + (spread if arm != "random_init" else 0 * spread)
        data["value"][at], data["n"][at] = values, 1024
        data["low"][at], data["high"][at] = values - HALF, values + HALF
    for arm, ratio in RATIOS.items():
        if arm in arms:
            data["value"][..., arms.index(arm), -1, 0] = ratio
    data["setting"] = np.full(len(arms), np.nan)
    axes = {
        "world": list(worlds),
        "world_seed": range(n_worlds),
        "seed": range(seeds),
        "arm": arms,
        "quantity": quantities,
        "level": levels,
    }
    return build("experiments", axes, data, {"experiment": name})


def sweep(best=0.75, worlds=("grammar",), n_worlds=WORLDS, seeds=2, progress=0.95):
    """A sweep in which R2 of the root is .4 at the best ratio and .3 elsewhere, the null's .1."""
    place = (len(worlds), n_worlds, 1, 1, len(ASKED), seeds)
    r2 = np.full((*place, 2, 1, 1, 1, 1, 1, 2), 0.1)
    r2[..., 0, :, :, :, :, :, :] = 0.3
    r2[:, :, :, :, ASKED.index(best), :, 0] = 0.4
    data = dict.fromkeys(("r2", "r2_low", "r2_high", "n_test"), r2)
    data |= dict.fromkeys(("gain", "gain_low", "gain_high"), r2 - 0.1)
    data |= {"images_seen": np.ones(place), "status": np.ones(place, np.int8)}
    data |= {"patch_height": [1], "patch_width": [1]}
    data["realised_ratio"] = np.broadcast_to(np.array(ASKED)[:, None], (1, 1, len(ASKED), len(worlds)))
    coords = {
        "world": list(worlds),
        "world_seed": range(n_worlds),
        "patch_size": [1],
        "offset": [0],
        "mask_ratio": ASKED,
        "seed": range(seeds),
        "encoder": ["trained", "null_trained"],
        "layer": [1],
        "pooling": ["aligned"],
        "eval_ratio": ["0"],
        "probe": ["ridge"],
        "target": ["latent"],
        "level": [1, 2],
    }
    made = build("regression", coords, data)
    return made.assign(progress=(made["status"].dims, np.full(place, progress)))


def invariance(low=-0.1, high=0.05, **kwargs):
    numbers = {}
    for level in (1, 2, 3, 4):
        for arm in ARMS:
            numbers[arm, "low_redrawn", level] = 0.2 * level
            numbers[arm, "high_redrawn", level] = 0.9
        numbers["1x1/v4", "low_redrawn", level] += low * level
        numbers["1x1/v4", "high_redrawn", level] += high
    return cube("invariance", numbers, **kwargs)


def conflict(small=0.05, **kwargs):
    numbers = {(arm, q, 0): 0.4 for arm in ARMS for q in ("root_share", "root_alone", "texture_alone")}
    numbers["1x1/v4", "root_share", 0] = 0.4 + small
    return cube("cue_conflict", numbers, **kwargs)


def robustness(small=0.05, **kwargs):
    numbers = {(arm, q, 0): 0.3 for arm in ARMS for q in ("lost_share", "excess_share", "shifted_accuracy")}
    numbers["1x1/v4", "lost_share", 0] = 0.3 - small
    return cube("robustness", numbers, **kwargs)


CASES = [(c11_invariance, invariance), (c12_cue_conflict, conflict), (c13_robustness, robustness)]


@pytest.mark.parametrize(("claim", "made"), CASES)
def test_verdicts_follow_the_sign_at_the_peak_of_the_other_worlds(verdict_of, claim, made):
    registry.check(claim, claim.__name__.rpartition(".")[2])
    size = 0.05 if claim is not c11_invariance else -0.1
    assert verdict_of(claim, made(size), sweep()).verdict == "supported"
    assert verdict_of(claim, made(-size), sweep()).verdict == "contradicted"
    assert verdict_of(claim, made(size), sweep(best=0.5)).verdict == "inconclusive"  # nothing differs there
    assert verdict_of(claim, made(size, n_worlds=9), sweep(n_worlds=9)).verdict == "inconclusive"
    untrained = verdict_of(claim, made(size), sweep(progress=0.3))
    assert (untrained.verdict, "models not trained" in untrained.lacking) == ("not_run", True)


def test_the_mirror_of_claim_11_is_needed(verdict_of):
    assert verdict_of(c11_invariance, invariance(-0.1, -0.05), sweep()).verdict == "contradicted"
    assert verdict_of(c11_invariance, invariance(-0.1, 0.0), sweep()).verdict == "inconclusive"


@pytest.mark.parametrize(("claim", "made"), CASES)
def test_what_is_missing_is_said(verdict_of, rows_of, claim, made):
    small = "no arm '1x1/' at a masking ratio near 0.1 in the world 'grammar'"
    assert small in verdict_of(claim, made(arms=["1x1/v2", "1x1/v4", "2x2/v1"]), sweep()).lacking
    assert "no world 'grammar'" in verdict_of(claim, made(worlds=("additive",)), sweep()).lacking
    assert "the run has no cube 'regression'" in verdict_of(claim, made()).lacking
    both = {"worlds": ("grammar", "additive")}
    rows = rows_of(claim, made(**both), sweep(**both))
    for test in claim.TESTS:
        assert [row.world for row in rows[test.name]] == ["grammar"] * WORLDS
        assert [row.world for row in rows[f"{test.name} [additive]"]] == ["additive"] * WORLDS


def test_levels_are_averaged_and_seeds_too(rows_of):
    rows = rows_of(c11_invariance, invariance(), sweep())
    low, high = (rows[test.name] for test in c11_invariance.TESTS)
    # -.1 l at levels 1 to 4; the spread of worlds and seeds drops out
    assert np.mean([row.value for row in low]) == pytest.approx(-0.25)
    assert np.mean([row.value for row in high]) == pytest.approx(0.05)
    # two sides of half width .02, of the same images for both seeds
    assert low[0].high - low[0].value == pytest.approx(HALF * np.sqrt(2))
    assert low[0].seeds == 2
    start = rows["low noise redrawn, peak minus random init"]
    assert np.mean([row.value for row in start]) == pytest.approx(-0.25 + 0.0005)


def test_a_share_that_was_not_there_to_lose_is_left_out_and_counted(contrasts_of):
    made = robustness()
    made["value"].loc[{"world_seed": 3, "arm": "1x1/v14", "quantity": "lost_share"}] = np.nan
    lost = contrasts_of(c13_robustness, made, sweep())[c13_robustness.TESTS[0].name]
    assert lost.left_out == 1
    assert [row.world_seed for row in lost.rows] == [seed for seed in range(WORLDS) if seed != 3]


@pytest.mark.parametrize(("claim", "made"), CASES)
def test_sentences_say_the_numbers(claim, made):
    means = (-0.1, 0.02)[: len(claim.TESTS)]
    told = claim.sentence(
        {t.name: contrast(t, [Row("grammar", 0, mean)]) for t, mean in zip(claim.TESTS, means, strict=True)}
    )
    assert all(f"{mean:+.3f}" in told for mean in means)
