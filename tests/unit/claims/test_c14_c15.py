"""Claims 14 and 15 on cubes made up so that they must come out one way or the other."""

from __future__ import annotations

import numpy as np
import pytest

from maestrata.claims import c14_reconstruction as c14
from maestrata.claims import c15_hidden_phase as c15
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


RATIOS = {"1x1/v14": 0.125, "1x1/v12": 0.25, "1x1/v8": 0.5, "1x1/v4": 0.75, "1x1/v2": 0.875, "2x2/v1": 0.75}


def reconstruction(gap, ssim=0.0, psnr=0.0):
    values = {("ratios", "rank_gap", 0): gap}
    for arm, ratio in RATIOS.items():
        values[arm, "ssim", 0] = 0.5 + ssim * ratio
        values[arm, "fsim", 0] = 0.6 + ssim * ratio
        values[arm, "root_probability", 0] = 0.4
        values[arm, "psnr", 0] = 20 + psnr * ratio
    return cube("reconstruction", "additive", values, [0], RATIOS)


def hidden(mse, likelihood):
    values = {}
    for level in (0, 1, 2):
        values["hidden/mse", "over_random", level] = mse
        values["hidden/likelihood", "over_random", level] = likelihood
        values["hidden/likelihood", "over_mse", level] = likelihood - mse
        values["plain/mse", "over_random", level] = 0.1
    return cube("hidden_phase", "grammar", values, [0, 1, 2])


@pytest.mark.parametrize(
    ("gap", "verdict"), [(0.6, "supported"), (0.0, "contradicted"), (0.1, "inconclusive")]
)
def test_claim_14(verdict_of, gap, verdict):
    outcome = verdict_of(c14, reconstruction(gap))
    assert outcome.verdict == verdict
    assert outcome.n_worlds == WORLDS
    assert outcome.contrasts[0].estimate == pytest.approx(gap, abs=1e-6)
    assert f"{gap:+.2f}" in outcome.sentence


def test_claim_14_reads_single_token_masks_of_the_nearest_ratio(rows_of):
    rows = rows_of(c14, reconstruction(0.5, ssim=0.2, psnr=-3.0))
    assert set(rows) == {test.name for test in (*c14.TESTS, *c14.SECONDARY)}
    assert {len(given) for given in rows.values()} == {WORLDS}
    for name, value in (
        ("SSIM at r=.75 minus r=.1", 0.2 * 0.625),
        ("FSIM at r=.75 minus r=.1", 0.2 * 0.625),
        ("root probability at r=.75 minus r=.1", 0.0),
        ("PSNR at r=.9 minus r=.75", -3.0 * 0.125),
        ("SSIM at r=.9 minus r=.75", 0.2 * 0.125),
    ):
        assert rows[name][0].value == pytest.approx(value, abs=1e-9)
        assert rows[name][0].high - rows[name][0].low == pytest.approx(0.02 * np.sqrt(2))
        assert rows[name][0].seeds == 2


@pytest.mark.parametrize(
    ("mse", "likelihood", "verdict"),
    [
        (0.0, 0.05, "supported"),
        (-0.05, 0.05, "supported"),  # worse than random init is not above it
        (0.03, 0.05, "contradicted"),
        (0.0, -0.05, "contradicted"),
        (0.0, 0.0, "inconclusive"),
    ],
)
def test_claim_15(verdict_of, mse, likelihood, verdict):
    outcome = verdict_of(c15, hidden(mse, likelihood))
    assert outcome.verdict == verdict
    mean = {c.name: c.estimate for c in outcome.contrasts}
    assert mean["phase hidden: mean squared error minus random init"] == pytest.approx(mse, abs=1e-9)
    assert mean["phase hidden: likelihood minus random init"] == pytest.approx(likelihood, abs=1e-9)
    assert mean["phase hidden: likelihood minus mean squared error"] == pytest.approx(
        likelihood - mse, abs=1e-9
    )
    assert mean["phase not hidden: mean squared error minus random init"] == pytest.approx(0.1, abs=1e-9)
    # not measured, and does not decide
    assert "tokens side by side: mean squared error minus random init" not in mean
    assert {len(c.rows) for c in outcome.contrasts} == {WORLDS}


def test_what_is_missing_is_told(verdict_of):
    without = reconstruction(0.5).sel(arm=["1x1/v4", "1x1/v2"])
    assert "no arm 'ratios'" in verdict_of(c14, without).lacking
    assert "no arm 'hidden/likelihood'" in verdict_of(c15, hidden(0, 0).sel(arm=["hidden/mse"])).lacking
    for claim in (c14, c15):
        outcome = verdict_of(claim)
        assert outcome.lacking == f"the run has no cube '{claim.NEEDS[0]}'"
        assert outcome.verdict == "not_run"
