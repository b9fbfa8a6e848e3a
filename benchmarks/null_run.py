"""Whether the whole path supports nothing where there is nothing to learn.

    snakemake --cores 2 --configfile config/null.yaml
    python benchmarks/null_run.py results/null

Reads the finished run of `config/null.yaml`, in whose worlds tokens are independent, and prints two verdicts
a claim in markdown: that of the run, and the one that its cubes give with the gate on progress taken away, so
that nothing but the statistics and their controls stands between noise and a support. Exits 1 where a claim
that trains models is supported by the run, or without the gate by tests of which none is an equivalence: that
two ratios which learnt nothing are equal is true, and the gate is there for that.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from maestrata.claims import registry
from maestrata.claims.rule import WORLDS
from maestrata.claims.verdict import Outcome, judge
from maestrata.cubes.io import open_cube
from maestrata.results import CubeSet

if TYPE_CHECKING:
    import xarray as xr


def without_gate(cube: xr.Dataset) -> xr.Dataset:
    """Return a cube in which no model's progress is known."""
    if "quantity" in cube.coords:
        return cube.assign(value=cube["value"].where(cube["quantity"] != "progress"))
    return cube.drop_vars("progress", errors="ignore")


def supported(outcomes: Iterable[Outcome], gated: bool) -> list[str]:
    """List the claims that train models and are supported, though there is nothing to learn."""
    return [
        outcome.label
        for outcome in outcomes
        if outcome.claim.TRAINS
        and outcome.verdict == "supported"
        and (gated or all(test.side != "within" for test in outcome.claim.TESTS))
    ]


def main(argv: list[str] | None = None) -> int:
    """Judge with and without the gate, and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("run", type=Path, help="folder of the run, such as results/null")
    args = parser.parse_args(argv)
    cubes = [open_cube(path) for path in sorted(args.run.glob("cubes/**/*.nc"))]
    labels = {str(label) for cube in cubes if "world" in cube.coords for label in cube["world"].values}
    if len(labels) != 1:
        parser.error(
            f"{args.run}/cubes hold {len(labels)} kinds of worlds; allowed: one, in which nothing is"
        )
    worlds = dict.fromkeys(WORLDS, labels.pop())
    claims = [claim for claim in registry.load_all() if claim.TRAINS]
    gated = judge(CubeSet(cubes), claims, worlds)
    free = judge(CubeSet(map(without_gate, cubes)), claims, worlds)
    print("| # | claim | verdict | without the gate | median progress |\n|---|---|---|---|---|")
    for one, other in zip(gated, free, strict=True):
        known = [model.progress for model in one.models if np.isfinite(model.progress)]
        median = f"{np.median(known):.2f}" if known else ""
        verdicts = (outcome.verdict.replace("_", " ") for outcome in (one, other))
        print(f"| {one.label} | {one.claim.TITLE} | {' | '.join(verdicts)} | {median} |")
    wrong = [*supported(gated, True), *(f"{label} (without the gate)" for label in supported(free, False))]
    print(f"\nSupported on nothing: {', '.join(wrong) or 'none'}.")
    return int(bool(wrong))


if __name__ == "__main__":
    sys.exit(main())
