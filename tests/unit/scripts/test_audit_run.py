"""The audit of a finished run: a score above its ceiling is told from chance."""

import runpy
from pathlib import Path

import numpy as np
import pytest

from maestrata.errors import MaestrataError
from maestrata.resampling import R2, bootstrap_weights

SCRIPT = Path(__file__).parents[3] / "benchmarks" / "audit_run.py"


def test_largest_excess_knows_chance_from_fault():
    """40 noisy scores of which none is above its ceiling, then one of them raised."""
    largest_excess = runpy.run_path(str(SCRIPT))["largest_excess"]
    rng = np.random.default_rng(3)
    n, k = 2000, 40
    y = rng.normal(size=(n, k))
    ceiling_guess = y + rng.normal(size=(n, k)) * 0.5
    guess = ceiling_guess + rng.normal(size=(n, k)) * 0.02  # hardly worse: half may come out above by chance
    weights = bootstrap_weights(0, n, 300)
    r2 = R2(y, weights)
    (score, one), (ceiling, other) = r2.of(guess), r2.of(ceiling_guess)
    assert (score > ceiling).any()
    assert largest_excess(score, ceiling, one, other).p > 0.05
    score[7] += 0.02
    one[:, 7] += 0.02
    excess = largest_excess(score, ceiling, one, other)
    assert excess.worst == 7 and excess.p < 0.02 and excess.t > excess.critical
    score[7] = np.nan
    assert largest_excess(score, ceiling, one, other).worst != 7
    with pytest.raises(MaestrataError, match="must be"):
        largest_excess(score, ceiling, one[:, :3], other)
    with pytest.raises(MaestrataError, match="no score has a ceiling"):
        largest_excess(score * np.nan, ceiling, one, other)
