"""Claims 10, 16 and 17 on small made-up cubes: rows, signs, verdicts."""

from __future__ import annotations

import numpy as np
import pytest

from maestrata.claims import c10_hierarchy, c16_section_36, c17_samples, registry
from maestrata.cubes.io import build

WORLDS = 12
HALF = 0.01  # half of every interval over samples
CLAIMS = {10: c10_hierarchy, 16: c16_section_36, 17: c17_samples}


def spread(n=WORLDS):
    """Differences between worlds, mean 0."""
    return np.linspace(-0.004, 0.004, n)


def table(name, numbers, settings=None, worlds=("grammar",), n_worlds=WORLDS, seeds=2):
    """Cube of an experiment, numbers by (arm, quantity, level): the same in all worlds but for `spread`."""
    arms, quantities = (list(dict.fromkeys(key[i] for key in numbers)) for i in (0, 1))
    levels = sorted({key[2] for key in numbers})
    shape = (len(worlds), n_worlds, seeds, len(arms), len(quantities), len(levels))
    data = {key: np.full(shape, np.nan) for key in ("value", "low", "high", "n")}
    for (arm, quantity, level), number in numbers.items():
        at = (..., arms.index(arm), quantities.index(quantity), levels.index(level))
        # seeds of a world lie about its mean
        values = number + spread(n_worlds)[None, :, None] + 0.003 * (np.arange(seeds) - (seeds - 1) / 2)
        data["value"][at] = values
        data["low"][at], data["high"][at], data["n"][at] = values - HALF, values + HALF, 4096
    data["setting"] = np.array([(settings or {}).get(arm, np.nan) for arm in arms])
    axes = {
        "world": list(worlds),
        "world_seed": range(n_worlds),
        "seed": range(seeds),
        "arm": arms,
        "quantity": quantities,
        "level": levels,
    }
    return build("experiments", axes, data, {"experiment": name})


def surrogate(beyond=0.05, shape=0.03, **kwargs):
    numbers = {("world/v2", "beyond_linear", 4): -0.3, ("world/v2", "beyond_linear", 3): -0.3}
    for level, sign in ((4, 1), (3, -1), (1, -2)):
        numbers[("world/v4", "beyond_linear", level)] = sign * beyond
        numbers[("world/v4", "concat_beyond_linear", level)] = 0.07
        numbers[("surrogate/v4", "beyond_linear", level)] = -0.1
        numbers[("difference/shape", "inverted_u", level)] = sign * shape
    settings = {"world/v4": 0.75, "surrogate/v4": 0.75, "world/v2": 0.875}
    return table("surrogate", numbers, settings, **kwargs)


def border(over_standard=0.03, over_random=0.03, **kwargs):
    numbers = {}
    for patch in ("2x2", "1x1"):
        for level, sign in ((4, 1), (1, -1)):
            numbers[(f"{patch}/no_border", "over_standard", level)] = sign * over_standard
            numbers[(f"{patch}/no_border", "over_random", level)] = sign * over_random
    return table("border", numbers, **kwargs)


def samples(root=0.005, mean=0.004, **kwargs):
    numbers = {}
    for arm, value in (("last_doubling", root), ("endless", 0.001), ("whole_range", 0.1)):
        numbers[(f"change/{arm}", "r2_change", 4)] = value
        numbers[(f"change/{arm}", "r2_change", 1)] = 0.3
        numbers[(f"change/{arm}", "mean_r2_change", 0)] = mean
    return table("samples", numbers, **kwargs)


def sweep(gain=0.03, sizes=(1, 2, 4), lacking=None):
    """Regression cube: aligned masks read the root `gain` better than offset ones, and level 1 worse."""
    ratios, levels = (0.5, 0.75), (0, 1, 4)
    axes = {
        "world": ["grammar"],
        "world_seed": range(WORLDS),
        "patch_size": sizes,
        "offset": [0, 1],
        "mask_ratio": ratios,
        "seed": [0],
        "encoder": ["trained", "pixels"],
        "layer": [2, 3],
        "pooling": ["global", "concat"],
        "eval_ratio": ["0"],
        "probe": ["ridge"],
        "target": ["latent"],
        "level": levels,
    }
    shape = tuple(len(list(values)) for values in axes.values())
    r2 = np.full(shape, np.nan)
    for i, size in enumerate(sizes):
        for offset in (0, 1) if size > 1 else (0,):
            for k, ratio in enumerate(ratios):
                own = 0.3 + 0.02 * i + 0.1 * ratio
                place = (0, slice(None), i, offset, k, 0, 0, 1, 0, 0, 0, 0)
                sign = -1 if offset else 1
                r2[place][:, 2] = own + sign * (gain / 2 + spread() / 2)
                r2[place][:, 1] = own + 0.2 - sign * 0.01
    # all pixels, under the last layer, the same in all cells
    r2[:, :, :, :, :, :, 1, 1, 1, 0, 0, 0, 2] = 0.34
    if lacking is not None:
        r2[0, lacking, 1, 1, 0] = np.nan
    cells = shape[:6]
    data = {
        "r2": r2,
        "r2_low": r2 - HALF,
        "r2_high": r2 + HALF,
        "n_test": np.where(np.isfinite(r2), 4096.0, np.nan),
    }
    data |= {name: np.full(shape, np.nan) for name in ("gain", "gain_low", "gain_high")}
    data["images_seen"] = np.full(cells, 1000.0)
    data["status"] = np.ones(cells, np.int8)
    data["patch_height"] = np.array([1, 2, 2])[: len(sizes)]
    data["patch_width"] = np.array([1, 1, 2])[: len(sizes)]
    data["realised_ratio"] = np.broadcast_to(
        np.array(ratios)[:, None], (len(sizes), 2, len(ratios), 1)
    ).copy()
    return build("regression", axes, data)


def test_the_modules_are_claims():
    for number, claim in CLAIMS.items():
        assert registry.load(claim.__name__.rsplit(".", 1)[1]).NUMBER == number


@pytest.mark.parametrize(
    ("beyond", "shape", "expected"),
    [
        (0.05, 0.03, "supported"),
        (-0.05, 0.03, "contradicted"),
        (0.05, -0.03, "contradicted"),
        (0.05, 0.0005, "inconclusive"),
    ],
)
def test_claim_10(verdict_of, beyond, shape, expected):
    outcome = verdict_of(c10_hierarchy, surrogate(beyond, shape))
    assert outcome.verdict == expected
    first, second = (c for c in outcome.contrasts if c.decides)
    assert (first.test, second.test) == c10_hierarchy.TESTS
    assert first.estimate == pytest.approx(beyond) and second.estimate == pytest.approx(shape)
    assert f"{beyond:+.3f}" in outcome.sentence and f"{shape:+.3f}" in outcome.sentence


def test_rows_of_claim_10_are_of_the_root_at_75_percent(rows_of):
    rows = rows_of(c10_hierarchy, surrogate(worlds=("dag", "grammar")))
    beyond = rows["root: trained minus best linear"]
    assert [round(row.value, 6) for row in beyond] == list(np.round(0.05 + spread(), 6))
    row = beyond[3]
    assert (row.world, row.world_seed, row.seeds) == ("grammar", 3, 2)
    assert row.high - row.value == pytest.approx(HALF) and row.value - row.low == pytest.approx(HALF)
    twin = rows["root: trained minus best linear, in the surrogate"]
    below = rows["level below the root: inverted U, world minus surrogate"]
    lowest = rows["level 1: inverted U, world minus surrogate"]
    assert twin[0].value == pytest.approx(-0.1 + spread()[0])
    assert below[0].value == pytest.approx(-0.03 + spread()[0])
    assert lowest[0].value == pytest.approx(-0.06 + spread()[0])
    assert {row.world for row in rows["root: inverted U, world minus surrogate [dag]"]} == {"dag"}


def test_the_sweep_is_secondary_to_claim_10_where_it_is_there(verdict_of, rows_of):
    name = "root: trained minus best linear, models of the sweep"
    assert name not in rows_of(c10_hierarchy, surrogate())
    rows = rows_of(c10_hierarchy, surrogate(), sweep())[name]
    assert [row.value for row in rows] == pytest.approx(0.3 + 0.075 + (0.03 + spread()) / 2 - 0.34)
    outcome = verdict_of(c10_hierarchy, surrogate(), sweep())
    assert outcome.verdict == "supported" and outcome.n_worlds == WORLDS


@pytest.mark.parametrize(
    ("gain", "standard", "random", "expected"),
    [
        (0.03, 0.03, 0.03, "supported"),
        (-0.03, 0.03, 0.03, "contradicted"),
        (0.03, -0.03, 0.03, "contradicted"),
        (0.03, 0.03, -0.03, "contradicted"),
        (0.03, 0.03, 0.0, "inconclusive"),
    ],
)
def test_claim_16(verdict_of, gain, standard, random, expected):
    outcome = verdict_of(c16_section_36, sweep(gain), border(standard, random))
    assert outcome.verdict == expected
    assert [c.estimate for c in outcome.deciding] == pytest.approx([gain, standard, random])


def test_rows_of_claim_16_are_of_pairs_that_differ_in_the_offset_alone(rows_of):
    rows = rows_of(c16_section_36, sweep(), border())
    given = rows["root: aligned minus offset masks"]
    assert [row.value for row in given] == pytest.approx(0.03 + spread())
    # two sizes at two ratios: four differences of two scores each
    assert given[0].high - given[0].value == pytest.approx(HALF * np.sqrt(8) / 4)
    low = rows["level 1: aligned minus offset masks"]
    assert [row.value for row in low] == pytest.approx(np.full(WORLDS, -0.02))
    one_size = rows_of(c16_section_36, sweep(sizes=(1, 2)), border())["root: aligned minus offset masks"]
    assert [row.value for row in one_size] == pytest.approx(0.03 + spread())


def test_a_world_that_lacks_a_cell_is_left_out_of_claim_16(contrasts_of):
    aligned = contrasts_of(c16_section_36, sweep(lacking=5), border())["root: aligned minus offset masks"]
    assert len(aligned.rows) == WORLDS - 1 and aligned.left_out == 1


@pytest.mark.parametrize(
    ("root", "mean", "expected"),
    [
        (0.005, 0.004, "supported"),
        (-0.005, 0.004, "supported"),
        (0.05, 0.004, "contradicted"),
        (-0.05, 0.004, "contradicted"),
        (0.005, 0.06, "contradicted"),
        (0.0195, 0.004, "inconclusive"),
    ],
)
def test_claim_17(verdict_of, root, mean, expected):
    outcome = verdict_of(c17_samples, samples(root, mean))
    assert outcome.verdict == expected
    estimates = [c.estimate for c in outcome.contrasts]
    assert estimates == pytest.approx([root, mean, 0.001, 0.1])


def test_the_margin_of_claim_17_and_the_thresholds_of_the_others():
    assert {(t.side, t.threshold, t.contrary) for t in c17_samples.TESTS} == {("within", 0.02, 0.02)}
    for claim in (c10_hierarchy, c16_section_36):
        assert {(t.side, t.threshold, t.contrary) for t in claim.TESTS} == {("above", 0.0, 0.0)}


@pytest.mark.parametrize("number", [10, 16, 17])
def test_under_ten_worlds_it_is_inconclusive_by_rule(verdict_of, number):
    cubes = {
        10: [surrogate(n_worlds=9)],
        16: [sweep(), border(n_worlds=9)],
        17: [samples(n_worlds=9)],
    }[number]
    outcome = verdict_of(CLAIMS[number], *cubes)
    assert outcome.verdict == "inconclusive" and "by rule" in outcome.sentence


@pytest.mark.parametrize(
    ("number", "cubes", "message"),
    [
        (10, [], "no cube 'experiments/surrogate'"),
        (10, [surrogate(worlds=("dag",))], "surrogate has no world 'grammar'"),
        (
            10,
            [table("surrogate", {("world/v2", "beyond_linear", 4): 0.1}, {"world/v2": 0.9})],
            "no arm 'world/' at a masking ratio near 0.75 in the world 'grammar'",
        ),
        (10, [table("surrogate", {("world/v2", "r2", 4): 0.1})], "no quantity 'beyond_linear'"),
        (16, [border()], "no cube 'regression'"),
        (16, [sweep(sizes=(1,)), border()], "both aligned and offset in the world 'grammar'"),
        (16, [sweep(), table("border", {("2x2/standard", "r2", 4): 0.1})], "no arm '2x2/no_border'"),
        (17, [table("samples", {("s64", "r2", 4): 0.1})], "no arm 'change/last_doubling'"),
    ],
)
def test_what_lacks_what_is_needed_is_not_run(verdict_of, number, cubes, message):
    outcome = verdict_of(CLAIMS[number], *cubes)
    assert outcome.verdict == "not_run" and message in outcome.sentence
