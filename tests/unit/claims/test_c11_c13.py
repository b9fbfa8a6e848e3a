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
RATIOS = {"1x1/v2": 0.875, "1x1/v4": 0.75, "1x1/v14": 0.125, "2x2/v1": 0.75}
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


def invariance(low=-0.1, high=0.05, **kwargs):
    numbers = {}
    for level in (1, 2, 3, 4):
        for arm in ARMS:
            numbers[arm, "low_redrawn", level] = 0.2 * level
            numbers[arm, "high_redrawn", level] = 0.9
        numbers["1x1/v4", "low_redrawn", level] += low * level
        numbers["1x1/v4", "high_redrawn", level] += high
    return cube("invariance", numbers, **kwargs)


def conflict(start=0.1, small=0.05, **kwargs):
    numbers = {(arm, q, 0): 0.4 for arm in ARMS for q in ("root_share", "root_alone", "texture_alone")}
    numbers["random_init", "root_share", 0] = 0.4 - start
    numbers["1x1/v14", "root_share", 0] = 0.4 - small
    return cube("cue_conflict", numbers, **kwargs)


def robustness(start=0.1, small=0.05, **kwargs):
    numbers = {(arm, q, 0): 0.3 for arm in ARMS for q in ("lost_share", "excess_share", "shifted_accuracy")}
    numbers["random_init", "lost_share", 0] = 0.3 + start
    numbers["1x1/v14", "lost_share", 0] = 0.3 + small
    return cube("robustness", numbers, **kwargs)


CASES = [(c11_invariance, invariance), (c12_cue_conflict, conflict), (c13_robustness, robustness)]


@pytest.mark.parametrize(("claim", "made"), CASES)
def test_verdicts_follow_the_signs(verdict_of, claim, made):
    registry.check(claim, claim.__name__.rpartition(".")[2])
    first, second = (0.1, 0.05) if claim is not c11_invariance else (-0.1, 0.05)
    assert verdict_of(claim, made(first, second)).verdict == "supported"
    assert verdict_of(claim, made(-first, second)).verdict == "contradicted"
    assert verdict_of(claim, made(first, -second)).verdict == "contradicted"
    assert verdict_of(claim, made(first, 0.0)).verdict == "inconclusive"
    assert verdict_of(claim, made(first, second, n_worlds=9)).verdict == "inconclusive"


@pytest.mark.parametrize(("claim", "made"), CASES)
def test_what_is_missing_is_said(verdict_of, rows_of, claim, made):
    at_75 = "no arm '1x1/' at a masking ratio near 0.75 in the world 'grammar'"
    for arms in (["1x1/v2", "1x1/v14", "random_init"], ["2x2/v1", "1x1/v14", "random_init"]):
        assert at_75 in verdict_of(claim, made(arms=arms)).lacking
    assert "no arm 'random_init'" in verdict_of(claim, made(arms=["1x1/v4"])).lacking
    assert "no world 'grammar'" in verdict_of(claim, made(worlds=("additive",))).lacking
    rows = rows_of(claim, made(worlds=("grammar", "additive")))
    for test in claim.TESTS:
        assert [row.world for row in rows[test.name]] == ["grammar"] * WORLDS
        assert [row.world for row in rows[f"{test.name} [additive]"]] == ["additive"] * WORLDS
    fewer = rows_of(claim, made(arms=[arm for arm in ARMS if arm != "1x1/v2"]))
    assert {t.name for t in claim.TESTS} <= set(fewer) and len(fewer) < len(rows)


def test_levels_are_averaged_and_seeds_too(rows_of):
    rows = rows_of(c11_invariance, invariance())
    low, high = (rows[test.name] for test in c11_invariance.TESTS)
    # -.1 l at levels 1 to 4, and the mean of the seeds' spread
    middle = np.mean([row.value for row in low])
    assert middle == pytest.approx(-0.25 + 0.0005)
    assert np.mean([row.value for row in high]) == pytest.approx(0.05 + 0.0005)
    token, root = (rows[test.name] for test in c11_invariance.SECONDARY[:2])
    assert np.mean([row.value for row in token]) == pytest.approx(-0.1 + 0.0005)
    assert np.mean([row.value for row in root]) == pytest.approx(-0.4 + 0.0005)
    # two sides of half width .02, of the same images for both seeds
    assert low[0].high - low[0].value == pytest.approx(HALF * np.sqrt(2))
    assert low[0].seeds == 2


def test_a_share_that_was_not_there_to_lose_is_left_out_and_counted(contrasts_of):
    made = robustness()
    made["value"].loc[{"world_seed": 3, "arm": "random_init", "quantity": "lost_share"}] = np.nan
    lost = contrasts_of(c13_robustness, made)[c13_robustness.TESTS[0].name]
    assert lost.left_out == 1
    assert [row.world_seed for row in lost.rows] == [seed for seed in range(WORLDS) if seed != 3]


@pytest.mark.parametrize(
    ("claim", "means", "words"),
    [
        (c11_invariance, (-0.1, 0.02), ["0.100 lower", "0.020 higher"]),
        (c12_cue_conflict, (0.1, -0.02), ["0.100 higher", "0.020 lower"]),
        (c13_robustness, (0.1, -0.02), ["0.100 larger", "0.020 smaller"]),
    ],
)
def test_sentences_say_the_direction(claim, means, words):
    told = claim.sentence(
        {t.name: contrast(t, [Row("grammar", 0, mean)]) for t, mean in zip(claim.TESTS, means, strict=True)}
    )
    for word in words:
        assert word in told
