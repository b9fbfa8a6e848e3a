"""Time and peak memory of joining many cells' scores into one cube.

    OMP_NUM_THREADS=1 python benchmarks/collect_scale.py [--cells 1000 10000] [--detail first all]

Scores are random but of the shape, sparseness and replicates of real ones. With ``--detail first`` models of
the first world seed alone are read in every way, as in the default run, and all others with the primary
features; with ``all`` every one is. Each cell's file is a link to one of a few, so that the benchmark needs
little disk: the time is that of the joining, the disk's own left out.

Writes benchmarks/results/collecting.md.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

from maestrata.cubes.collect import collect
from maestrata.cubes.manifest import Manifest
from maestrata.cubes.netcdf import CubeFile
from maestrata.machine import processor

RESULTS = Path(__file__).parent / "results"
BRIEF: dict[str, list[Any]] = {
    "encoder": ["trained"],
    "layer": [3],
    "pooling": ["concat", "aligned"],
    "eval_ratio": ["0"],
    "probe": ["ridge"],
    "target": ["latent"],
    "level": [0, 1, 2, 3, 4],
}
DETAILED = BRIEF | {
    "layer": [0, 1, 2, 3],
    "pooling": ["global", "cls", "concat", "aligned"],
    "eval_ratio": ["0", "0.5", "training"],
    "probe": ["ridge", "kernel_ridge"],
    "target": ["latent", "noise"],
}
CONTROLS = ["random_init", "null_trained", "pixels"]
RATIOS = {14: 0.1, 12: 0.25, 8: 0.5, 4: 0.75, 2: 0.9}
WORLD_SEEDS, FILES, REPLICATES = 20, 7, 500
AIM = 60.0  # s, for 10,000 cells


def write_scores(path: Path, rng: np.random.Generator, detailed: bool, controls: bool) -> None:
    """Write scores of a cell (trained everywhere, controls at the training ratio) or of the controls."""
    coords = dict(DETAILED if detailed else BRIEF)
    if controls:
        coords["encoder"] = CONTROLS
    elif detailed:
        coords["encoder"] = ["trained", *CONTROLS, "shuffled"]
    shape = tuple(map(len, coords.values()))
    there = np.ones(shape, bool)
    if detailed:
        there[..., 1, :] = False  # noise is read in one way alone
        there[0, 3, 0, 0, 0, 1] = not controls
        if not controls:
            there[1:, :3] = there[1:, :, :, :2] = False
    there[..., 0, 0] = False  # a token is no latent
    r2 = np.where(there, rng.uniform(0, 0.9, shape), np.nan).astype(np.float32)
    boot = r2[..., None] + 0.005 * rng.standard_normal((*shape, REPLICATES)).astype(np.float32)
    data = {"r2": r2, "r2_low": r2 - 0.01, "r2_high": r2 + 0.01, "n_test": np.where(there, 8192, np.nan)}
    with CubeFile(path, "scores", coords, {"replicate": REPLICATES}, [*data, "r2_boot"]) as file:
        for name, values in (data | {"r2_boot": boot}).items():
            file.put(name, values)


def prepare(folder: Path, cells: int, detail: str) -> Manifest:
    """Make the files of a sweep of as many cells, and return its manifest."""
    rng = np.random.default_rng(0)
    for detailed in (False, True):
        for k in range(FILES):
            write_scores(folder / f"scores{detailed}{k}.nc", rng, detailed, False)
        write_scores(folder / f"controls{detailed}.nc", rng, detailed, True)
    entry = {"world": "w", "world_seed": list(range(WORLD_SEEDS)), "patch": "1x1", "images": 240_000}
    entry["seed"] = list(range(max(1, cells // (len(RATIOS) * WORLD_SEEDS))))
    manifest = Manifest.parse(
        json.dumps(
            {
                "paths": {
                    "scores": f"{folder}/c/w{{world_seed}}/v{{visible}}/s{{seed}}.nc",
                    "controls": f"{folder}/k/w{{world_seed}}/s{{seed}}.nc",
                },
                "cells": [
                    entry | {"visible": v, "mask_ratio": r, "realised_ratio": 1 - v / 16}
                    for v, r in RATIOS.items()
                ],
            }
        )
    )
    for k, cell in enumerate(manifest.cells):
        detailed = detail == "all" or cell.world_seed == 0
        for kind, original in (
            ("scores", f"scores{detailed}{k % FILES}"),
            ("controls", f"controls{detailed}"),
        ):
            path = manifest.path(kind, cell)
            path.parent.mkdir(parents=True, exist_ok=True)
            if not path.exists():
                os.link(folder / f"{original}.nc", path)
    return manifest


def join(cells: int, detail: str) -> dict[str, Any]:
    """Join a sweep, and tell what it took: processor time in s, peak memory and the cube in MB."""
    with tempfile.TemporaryDirectory() as name:
        cube = Path(name) / "regression.nc"
        manifest = prepare(cube.parent, cells, detail)
        started = time.process_time()
        counts = collect("regression", manifest, cube)
        return {
            "cells": counts["done"],
            "detail": detail,
            "seconds": time.process_time() - started,
            "megabytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**10,
            "cube": cube.stat().st_size / 2**20,
        }


def page(rows: list[dict[str, Any]], repeats: int) -> str:
    """Write the measurements as markdown."""
    lines = [
        "# Joining cells into one cube",
        "",
        f"    python {' '.join(['benchmarks/collect_scale.py', *sys.argv[1:]])}",
        "",
        f"{processor()}, one core.",
        f"Processor time (user and system), least of n = {repeats}; load average {os.getloadavg()[0]:.1f}.",
        "Detail: models read in every way, those of the first world seed or all. Memory: the peak so far.",
        f"Asked: {AIM:.0f} s for 10,000 cells.",
        "",
        "| cells | detail | processor time | a cell | memory | cube |",
        "|---|---|---|---|---|---|",
    ]
    for row in rows:
        each = 1000 * row["seconds"] / row["cells"]
        lines.append(
            f"| {row['cells']:,} | {row['detail']} | {row['seconds']:.1f} s | {each:.1f} ms "
            f"| {row['megabytes']:.0f} MB | {row['cube']:.0f} MB |"
        )
    return "\n".join(lines) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--cells", type=int, nargs="+", default=[1000, 10_000])
    parser.add_argument("--detail", nargs="+", choices=("first", "all"), default=["first", "all"])
    parser.add_argument("--repeats", type=int, default=1)
    parser.add_argument("--output", type=Path, default=RESULTS / "collecting.md")
    args = parser.parse_args()
    rows = [
        min((join(cells, detail) for _ in range(args.repeats)), key=lambda row: row["seconds"])
        for detail in args.detail
        for cells in args.cells
    ]
    args.output.write_text(page(rows, args.repeats))
    print(page(rows, args.repeats))


if __name__ == "__main__":
    main()
