"""The rules err as seldom as they must, and find what they should; a fixed number of simulations.

Bounds are exact binomial ones: a rate that is what it should be fails one of them once in ten thousand
draws of the seed, and the seed is fixed.
"""

from __future__ import annotations

import pytest
from scipy.stats import binom
from simulated_claims import SCENARIOS, SWEEPS, Signature, row_rates, signature, sweep_rates

from maestrata.claims import registry, table
from maestrata.errors import ClaimError
from maestrata.random import stream

ROWS, SWEEP_RUNS = 300, 40
RARE = 1e-4
CLAIMS = {registry.label(claim): claim for claim in registry.load_all()}
FAMILY = sum(claim.TRAINS for claim in CLAIMS.values())
SIGNATURES = sorted({signature(claim) for claim in registry.load_all() if claim.TRAINS}, key=str)
FOUND = [
    "6, peak of 2 sd at .75",
    "7, mirrored",
    "8, .1 and .9 equal, .5 apart by 2 sd",
    "9, slope of .05 against .035",
    "10, above the best control by 2 sd",
    "18, best ratios of .75, .6 and .45",
]
NULLS = [name for name in SCENARIOS if name.startswith("null")]


def at_most(rate, n):
    """Largest count that a rate of at most `rate` exceeds with probability `RARE`."""
    return int(binom.isf(RARE, n, rate))


def at_least(rate, n):
    return int(binom.ppf(RARE, n, rate))


@pytest.mark.parametrize("scenario", NULLS)
@pytest.mark.parametrize("tests", SIGNATURES, ids=str)
def test_no_claim_is_supported_on_a_null_more_than_one_time_in_twenty(tests, scenario):
    rates = row_rates(tests, scenario, 12, ROWS, stream(0, "claims", 1))
    assert rates.supported <= at_most(0.05, ROWS)
    assert rates.contradicted <= at_most(0.05, ROWS)


@pytest.mark.parametrize("tests", SIGNATURES, ids=str)
def test_what_is_there_is_found(tests):
    strong = row_rates(tests, "effect of 2 sd", 12, ROWS, stream(0, "claims", 2), family=FAMILY)
    assert strong.supported >= at_least(0.95, ROWS)
    assert strong.contradicted == 0
    weak = row_rates(tests, "effect of 1 sd", 12, ROWS, stream(0, "claims", 3), family=FAMILY)
    assert weak.supported < strong.supported
    # Holm's first step asks for more
    assert weak.supported_first < weak.supported


def test_power_at_holms_first_step_is_what_the_plan_counts_on():
    """80 % for 1.5 sd with 12 worlds, for one test."""
    rates = row_rates(Signature(1, 0), "effect of 1.5 sd", 12, 600, stream(0, "claims", 4), family=FAMILY)
    assert rates.supported_first >= at_least(0.8, 600)
    few = row_rates(Signature(1, 0), "effect of 2 sd", 9, 50, stream(0, "claims", 5))
    assert few.supported == 0  # by rule


# the rule of claim 18 takes a deeper fall at one end for another best ratio: docs/claims.md says so
KNOWN = "18, null: all best at .5, falling at .9 the more the less sure"


@pytest.mark.parametrize("name", [name for name, sweep in SWEEPS.items() if sweep.null and name != KNOWN])
def test_sweeps_without_the_effect(name):
    rates = sweep_rates(name, CLAIMS[SWEEPS[name].claim], 12, SWEEP_RUNS, stream(0, "claims", 6))
    assert rates.supported <= at_most(0.05, SWEEP_RUNS)


def test_the_one_null_that_is_supported_is_told():
    rates = sweep_rates(KNOWN, CLAIMS["18"], 12, SWEEP_RUNS, stream(0, "claims", 6))
    assert rates.supported == SWEEP_RUNS
    assert "its rule supports it always" in " ".join(table.render([]).split())


@pytest.mark.parametrize("name", FOUND)
def test_sweeps_with_the_effect(name):
    rates = sweep_rates(name, CLAIMS[SWEEPS[name].claim], 12, SWEEP_RUNS, stream(0, "claims", 7))
    assert rates.supported >= at_least(0.9, SWEEP_RUNS)
    assert rates.contradicted == 0


def test_the_same_stream_gives_the_same_rates():
    one, two = (
        row_rates(Signature(1, 1), "effect of 1 sd", 12, 20, stream(0, "claims", 8)) for _ in range(2)
    )
    assert one == two


def test_errors():
    rng = stream(0, "claims")
    with pytest.raises(ClaimError, match=r"scenario 'none' must be one of: effect of 1 sd"):
        row_rates(Signature(1, 0), "none", 12, 5, rng)
    with pytest.raises(ClaimError, match="n_worlds=0 and simulations=5 must both be at least 1"):
        row_rates(Signature(1, 0), "effect of 1 sd", 0, 5, rng)
    with pytest.raises(ClaimError, match="is one of claim 6, not of claim 7"):
        sweep_rates("6, null: flat", registry.load("c07_symmetry"), 12, 5, rng)
    with pytest.raises(ClaimError, match=r"sweep 'none' must be one of"):
        sweep_rates("none", registry.load("c07_symmetry"), 12, 5, rng)
