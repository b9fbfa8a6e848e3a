"""Whether the claims, judged on published cubes, give every number of the published verdicts again.

    python benchmarks/same_verdicts.py
    python benchmarks/same_verdicts.py --runs default --claims c06_masking_ratio c07_symmetry
    python benchmarks/same_verdicts.py --cubes RUN/*.nc RUN/experiments/*.nc --verdicts OTHER/verdicts.nc

Runs the step on a run's cubes and compares its cube of verdicts with the one that lies beside them: verdict,
p, corrected p, worlds, estimate, interval, threshold, and the rows of every world. Tests are matched by claim
and name. Prints a table in markdown, and exits 1 on any difference beyond 1e-12 (relative), or beyond what
`MACHINE` allows.
With some of the claims only, Holm's correction has another family: the corrected p is then not compared.
Claim 1 checks a theorem on random trees and takes most of the time.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from maestrata.claims import registry
from maestrata.cubes.io import open_cube
from maestrata.steps.claims import main as judge

if TYPE_CHECKING:
    import xarray as xr

REFERENCE = Path(__file__).parents[1] / "reference"
TOLERANCE = 1e-12
OF_CLAIM = ("verdict", "p", "p_holm", "n_worlds")
OF_TEST = ("decides", "estimate", "low", "high", "threshold", "contrast_worlds")
OF_ROW = ("row_seeds", "row_value", "row_low", "row_high")

MACHINE = {"invertible: left given a smaller set": 0.01}
"""Tests whose numbers differ between processors, and by how much they may. In an invertible tree what a
smaller set leaves is without end; the number, some 17 nats, is the logarithm of what rounding makes of 0."""


@dataclass
class Comparison:
    """What of one claim was compared, and where it differs."""

    tests: int = 0
    rows: int = 0
    numbers: int = 0
    differences: list[str] = field(default_factory=list)

    def number(self, where: str, new: float, old: float, tolerance: float = TOLERANCE) -> None:
        """Compare two numbers; NaN equals NaN."""
        self.numbers += 1
        if not np.isclose(float(new), float(old), rtol=tolerance, atol=0, equal_nan=True):
            self.differences.append(f"{where}: {new} where {old} was published")


def main(argv: list[str] | None = None) -> int:
    """Judge, compare, print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--runs", nargs="+", default=None, help="folders under reference/; default: all")
    parser.add_argument("--claims", nargs="+", default=None, help="names of claims; default: all published")
    parser.add_argument("--cubes", nargs="+", type=Path, default=None, help="cubes, in place of --runs")
    parser.add_argument("--verdicts", type=Path, default=None, help="verdicts to compare with --cubes")
    args = parser.parse_args(argv)
    if args.cubes:
        runs = {str(args.verdicts): (args.cubes, args.verdicts)}
    else:
        names = published() if args.runs is None else args.runs
        runs = {name: (_cubes(REFERENCE / name), REFERENCE / name / "verdicts.nc") for name in names}
    print("# The verdicts again\n\n| run | # | claim | tests | rows | numbers | equal |")
    print("|---|---|---|---|---|---|---|")
    differences = []
    for run, (cubes, verdicts) in runs.items():
        for label, title, one in compare(cubes, open_cube(verdicts), args.claims):
            equal = "yes" if not one.differences else f"no: {len(one.differences)} differ"
            print(f"| {run} | {label} | {title} | {one.tests} | {one.rows} | {one.numbers} | {equal} |")
            differences += [f"- {run}, claim {label}: {text}" for text in one.differences]
    print("\n" + ("\n".join(differences) or f"All numbers are equal (to {TOLERANCE:g} of themselves)."))
    return int(bool(differences))


def published() -> list[str]:
    """List the folders under reference/ that hold verdicts."""
    return sorted(path.parent.name for path in REFERENCE.glob("*/verdicts.nc"))


def compare(
    cubes: list[Path], old: xr.Dataset, claims: list[str] | None
) -> list[tuple[str, str, Comparison]]:
    """Judge the published claims again, and compare each."""
    there = [name for name in registry.available() if registry.label(registry.load(name)) in old.claim.values]
    chosen = [name for name in there if claims is None or name in claims]
    with tempfile.TemporaryDirectory() as folder:
        output = Path(folder) / "verdicts.nc"
        flags = ["--claims", *chosen, "--cubes", *map(str, cubes), "--output", str(output)]
        flags += ["--worlds", json.dumps(json.loads(old.attrs["config"]).get("worlds", {}))]
        judge(flags)
        new = open_cube(output).load()
    whole = len(chosen) == old.sizes["claim"]
    return [_claim(str(label), new, old, whole) for label in new.claim.values]


def _claim(label: str, new: xr.Dataset, old: xr.Dataset, whole: bool) -> tuple[str, str, Comparison]:
    result = Comparison()
    for name in OF_CLAIM:
        if name != "p_holm" or whole:
            result.number(name, new[name].sel(claim=label).item(), old[name].sel(claim=label).item())
    ours, theirs = _tests(label, new), _tests(label, old)
    result.tests = len(theirs)
    if list(ours) != list(theirs):
        apart = set(ours) ^ set(theirs)
        what = f"tests of one side only: {', '.join(sorted(apart))}" if apart else "tests in another order"
        result.differences.append(what)
    for test in [name for name in theirs if name in ours]:
        for name in OF_TEST:
            one, other = new[name][ours[test]].item(), old[name][theirs[test]].item()
            result.number(f"{name} of {test!r}", one, other, MACHINE.get(test, TOLERANCE))
        _rows(result, test, _rows_of(new, ours[test]), _rows_of(old, theirs[test]))
    return label, str(new.title.sel(claim=label).item()), result


def _rows(result: Comparison, test: str, new: dict[str, list[float]], old: dict[str, list[float]]) -> None:
    result.rows += len(old)
    if list(new) != list(old):
        result.differences.append(f"rows of {test!r}: {', '.join(sorted(set(new) ^ set(old)))}")
    for world in [name for name in old if name in new]:
        for name, one, other in zip(OF_ROW, new[world], old[world], strict=True):
            result.number(f"{name} of {test!r}, {world}", one, other, MACHINE.get(test, TOLERANCE))


def _tests(label: str, cube: xr.Dataset) -> dict[str, int]:
    """Positions of a claim's tests, by name."""
    there = np.flatnonzero(cube.contrast_claim.values == label)
    return {str(cube.contrast_name.values[i]): int(i) for i in there}


def _rows_of(cube: xr.Dataset, test: int) -> dict[str, list[float]]:
    """Rows of a test by world."""
    return {
        f"{cube.row_world.values[i]} {cube.row_world_seed.values[i]}": [cube[n].values[i] for n in OF_ROW]
        for i in np.flatnonzero(cube.row_contrast.values == test)
    }


def _cubes(run: Path) -> list[Path]:
    return sorted(p for p in (*run.glob("*.nc"), *run.glob("experiments/*.nc")) if p.name != "verdicts.nc")


if __name__ == "__main__":
    sys.exit(main())
