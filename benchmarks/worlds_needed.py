"""How many worlds would decide what a run left open, if its estimates were the truth.

``python benchmarks/worlds_needed.py reference/evening/verdicts.nc``

For every deciding contrast of an open claim: the standardised distance of its mean from the
threshold, d = |mean - threshold| / sd over worlds, and the worlds n for which a two-sided t test at the first
step of
Holm's correction (.05 over the claims of the family) has a power of .8, from the noncentral t. An
estimate on the wrong side is counted towards "contradicted". A planning figure, not a result: estimates are
uncertain themselves.
"""

from __future__ import annotations

import argparse
import sys
from math import inf, sqrt
from pathlib import Path

import numpy as np
from scipy.stats import nct, t

from maestrata.claims.registry import test_of
from maestrata.claims.rule import towards
from maestrata.cubes.io import open_cube

POWER = 0.8
MOST = 100_000


def worlds_needed(d: float, alpha: float) -> float:
    """Worlds for which a two-sided t test of a standardised effect d has a power of .8.

    Examples
    --------
    >>> worlds_needed(1.0, 0.05), worlds_needed(0.0, 0.05)
    (10, inf)
    """
    if d <= 0:
        return inf
    low, high = 2, MOST
    if _power(d, high, alpha) < POWER:
        return inf
    while low < high:
        n = (low + high) // 2
        low, high = (low, n) if _power(d, n, alpha) >= POWER else (n + 1, high)
    return low


def _power(d: float, n: int, alpha: float) -> float:
    critical = float(t.ppf(1 - alpha / 2, n - 1))
    return float(nct.sf(critical, n - 1, d * sqrt(n)))


def main(argv: list[str] | None = None) -> int:
    """Print the table, in markdown."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("verdicts", type=Path, help="cube of verdicts")
    args = parser.parse_args(argv)
    cube = open_cube(args.verdicts)
    family = int(np.isfinite(cube.p.values).sum())
    print(f"Holm's first step: .05 / {family}\n")
    print(
        "| claim | contrast | worlds now | mean | sd over worlds | held against | worlds for a power of .8 |"
    )
    print("|---|---|---|---|---|---|---|")
    for i in np.flatnonzero(cube.decides.values == 1):
        number = int(cube.contrast_claim.values[i])
        claim = cube.sel(claim=number)
        if int(claim.verdict) != 1:
            continue
        rows = cube.row_value.values[cube.row_contrast.values == i]
        if len(rows) < 2:
            continue
        sd = float(rows.std(ddof=1))
        mean, threshold = float(cube.estimate.values[i]), float(cube.threshold.values[i])
        name = str(cube.contrast_name.values[i])
        test = test_of(number, name, str(cube.row_world.values[cube.row_contrast.values == i][0]))
        distance = abs(float(towards(test.side, test.threshold, [mean])[0]))
        n = worlds_needed(distance / sd, 0.05 / family)
        needed = "more than 100,000" if n == inf else f"{n:,.0f}"
        print(f"| {number} | {name} | {len(rows)} | {mean:+.3g} | {sd:.2g} | {threshold:g} | {needed} |")
    return 0


if __name__ == "__main__":
    sys.exit(main())
