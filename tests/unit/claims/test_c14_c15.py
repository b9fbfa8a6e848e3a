"""Claims 14 and 15 on cubes made up so that they must come out one way or the other."""

from __future__ import annotations

import numpy as np
import pytest

from maestrata.claims import c14_reconstruction as c14
from maestrata.claims import c15_hidden_sign as c15
from maestrata.cubes.io import build

WORLDS = 12


def cube(name, label, values, levels, settings=None):
    """Cube of an experiment from (arm, quantity, level) -> mean over worlds; worlds differ a little."""
    arms = list(dict.fromkeys(key[0] for key in values))
    quantities = list(dict.fromkeys(key[1] for key in values))
    shape = (1, WORLDS, 2, len(arms), len(quantities), len(levels))
    data = {key: np.full(shape, np.nan) for key in ("value", "low", "high", "n")}
    wobble = 1e-3 * np.linspace(-1, 1, WORLDS)[:, None] * [1, -2]  # world, seed: never cancelled by seeds
    for (arm, quantity, level), mean in values.items():
        at = (0, slice(None), slice(None), arms.index(arm), quantities.index(quantity), levels.index(level))
        data["value"][at] = mean + wobble
        data["low"][at], data["high"][at], data["n"][at] = mean + wobble - 0.01, mean + wobble + 0.01, 512
    data["setting"] = np.array([(settings or {}).get(arm, np.nan) for arm in arms])
    coords = {
        "world": [label],
        "world_seed": list(range(WORLDS)),
        "seed": [0, 1],
        "arm": arms,
        "quantity": quantities,
        "level": levels,
    }
    return build("experiments", coords, data, {"experiment": name})


RATIOS = {"1x1/v14": 0.125, "1x1/v12": 0.25, "1x1/v8": 0.5, "1x1/v4": 0.75, "1x1/v2": 0.875}


def reconstruction(gap, structure=0.5, ssim=0.0, psnr=0.0, progress=0.9):
    values = {("ratios", "rank_gap", 0): gap, ("ratios", "progress", 0): progress}
    for quantity, more in (("rank_ssim", 0.1), ("rank_fsim", -0.1)):
        values["ratios", quantity, 0] = structure + more
    for arm, ratio in RATIOS.items():
        values[arm, "ssim", 0] = 0.5 + ssim * ratio
        values[arm, "fsim", 0] = 0.6 + ssim * ratio
        values[arm, "root_probability", 0] = 0.4
        values[arm, "root_probability_masked", 0] = 0.3 + 0.1 * ratio
        values[arm, "psnr", 0] = 20 + psnr * ratio
        values[arm, "progress", 0] = 0.9
    return cube("reconstruction", "patterned", values, [0], RATIOS)


def hidden(mse, likelihood, progress=0.9):
    values = {("likelihood", "progress", 0): progress, ("likelihood", "mask_ratio", 0): 0.5}
    for level in (1, 2):
        values["mse", "over_null", level] = mse
        values["likelihood", "over_null", level] = likelihood
    return cube("hidden_sign", "signs", values, [0, 1, 2])


@pytest.mark.parametrize(
    ("gap", "structure", "verdict"),
    [
        (0.6, 0.5, "supported"),
        (0.0, 0.5, "inconclusive"),  # no difference is not against the paper
        (0.1, 0.5, "inconclusive"),
        (-0.4, 0.5, "contradicted"),
        (0.6, 0.0, "inconclusive"),
        (0.6, -0.5, "contradicted"),
    ],
)
def test_claim_14(verdict_of, gap, structure, verdict):
    outcome = verdict_of(c14, reconstruction(gap, structure))
    assert outcome.verdict == verdict
    assert outcome.n_worlds == WORLDS
    assert [c.estimate for c in outcome.contrasts[:2]] == pytest.approx([structure, gap], abs=1e-6)
    assert f"{gap:+.2f}" in outcome.sentence and f"{structure:+.2f}" in outcome.sentence


def test_claim_14_reads_the_nearest_ratio(rows_of):
    rows = rows_of(c14, reconstruction(0.5, ssim=0.2, psnr=-3.0))
    assert set(rows) == {test.name for test in (*c14.TESTS, *c14.SECONDARY)}
    assert {len(given) for given in rows.values()} == {WORLDS}
    for name, value in (
        ("SSIM at r=.75 minus r=.1", 0.2 * 0.625),
        ("FSIM at r=.75 minus r=.1", 0.2 * 0.625),
        ("root probability at r=.75 minus r=.1", 0.0),
        ("PSNR at r=.9 minus r=.75", -3.0 * 0.125),
        ("SSIM at r=.9 minus r=.75", 0.2 * 0.125),
        ("masked and filled in: root probability at r=.75 minus r=.1", 0.1 * 0.625),
    ):
        assert rows[name][0].value == pytest.approx(value, abs=1e-9)
        assert rows[name][0].high - rows[name][0].low == pytest.approx(0.02 * np.sqrt(2))
        assert rows[name][0].seeds == 2


@pytest.mark.parametrize(
    ("mse", "likelihood", "verdict"),
    [
        (0.0, 0.05, "supported"),
        (-0.05, 0.05, "contradicted"),  # equivalence: worse than its null is not equal to it
        (0.03, 0.05, "contradicted"),
        (0.0, -0.05, "contradicted"),
        (0.0, 0.0, "inconclusive"),
        (0.01, 0.05, "inconclusive"),
    ],
)
def test_claim_15(verdict_of, mse, likelihood, verdict):
    outcome = verdict_of(c15, hidden(mse, likelihood))
    assert outcome.verdict == verdict
    mean = {c.name: c.estimate for c in outcome.contrasts}
    assert mean["root: mean squared error minus its null"] == pytest.approx(mse, abs=1e-9)
    assert mean["root: likelihood minus its null"] == pytest.approx(likelihood, abs=1e-9)
    assert len(mean) == len(c15.TESTS) + len(c15.SECONDARY)
    assert {len(c.rows) for c in outcome.contrasts} == {WORLDS}


@pytest.mark.parametrize(
    ("claim", "made"),
    [(c14, reconstruction(0.6, progress=0.5)), (c15, hidden(0.0, 0.05, progress=0.05))],
    ids=["c14", "c15"],
)
def test_models_that_have_not_learnt_say_nothing(verdict_of, claim, made):
    assert verdict_of(claim, made).verdict == "not_run"


def test_what_is_missing_is_told(verdict_of):
    without = reconstruction(0.5).sel(arm=["1x1/v4", "1x1/v2"])
    assert "no arm 'ratios'" in verdict_of(c14, without).lacking
    assert "no arm 'likelihood'" in verdict_of(c15, hidden(0, 0).sel(arm=["mse"])).lacking
    for claim in (c14, c15):
        outcome = verdict_of(claim)
        assert outcome.lacking == f"the run has no cube '{claim.NEEDS[0]}'"
        assert outcome.verdict == "not_run"
