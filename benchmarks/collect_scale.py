"""Time and peak memory of joining many cells' scores into one cube.

    python benchmarks/collect_scale.py --cells 1000 --folder /tmp/scale

Scores are random but of the shape, sparseness and replicates of real ones. Each cell's file is a link to one
of a few, so that the benchmark needs little disk: the time is that of the joining, the disk's own left out.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import time
from pathlib import Path

import numpy as np

from maestrata.cubes.collect import collect
from maestrata.cubes.manifest import Manifest
from maestrata.cubes.netcdf import CubeFile

COORDS = {
    "encoder": ["trained", "random_init", "pixels", "pca", "shuffled"],
    "layer": [0, 1, 2, 3],
    "pooling": ["global", "cls", "concat", "aligned"],
    "eval_ratio": ["0", "0.5", "training"],
    "probe": ["ridge", "kernel_ridge"],
    "target": ["latent", "noise"],
    "level": [0, 1, 2, 3, 4],
}
RATIOS = [0.1, 0.25, 0.5, 0.75, 0.9]


def write_scores(path: Path, rng: np.random.Generator, trained: bool, replicates: int) -> None:
    """Write scores of a cell (trained everywhere, controls at the training ratio) or of the controls."""
    shape = tuple(len(v) for v in COORDS.values())
    there = np.zeros(shape, bool)
    if trained:
        there[0, :, :, :, 0] = True
        there[1:, 3, :, 2, 0] = True
    else:
        there[1:4, :, :, :2, 0] = True
    there[0, 3, 0, 0, 1] = trained
    there[..., 0, 0] = False  # a token is no latent
    r2 = np.where(there, rng.uniform(0, 0.9, shape), np.nan).astype(np.float32)
    boot = r2[..., None] + 0.005 * rng.standard_normal((*shape, replicates)).astype(np.float32)
    data = {"r2": r2, "r2_low": r2 - 0.01, "r2_high": r2 + 0.01, "n_test": np.where(there, 8192, np.nan)}
    with CubeFile(path, "scores", COORDS, {"replicate": replicates}, [*data, "r2_boot"]) as file:
        for name, values in (data | {"r2_boot": boot}).items():
            file.put(name, values)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--cells", type=int, default=1000)
    parser.add_argument("--replicates", type=int, default=500)
    parser.add_argument("--folder", type=Path, required=True)
    args = parser.parse_args()
    rng = np.random.default_rng(0)
    originals = [args.folder / f"scores{i}.nc" for i in range(8)]
    for i, path in enumerate(originals):
        write_scores(path, rng, i > 0, args.replicates)
    seeds = max(1, args.cells // (len(RATIOS) * 20))
    cells = [
        {
            "world": "w",
            "world_seed": list(range(20)),
            "patch": "1x1",
            "visible": v,
            "mask_ratio": r,
            "realised_ratio": 1 - v / 16,
            "seed": list(range(seeds)),
            "images": 240000,
        }
        for r, v in zip(RATIOS, (14, 12, 8, 4, 2), strict=True)
    ]
    paths = {
        "scores": f"{args.folder}/c/w{{world_seed}}/v{{visible}}/s{{seed}}.nc",
        "controls": f"{args.folder}/k/w{{world_seed}}/s{{seed}}.nc",
    }
    manifest = Manifest.parse(json.dumps({"paths": paths, "cells": cells}))
    for i, cell in enumerate(manifest.cells):
        for kind, original in (("scores", originals[1 + i % 7]), ("controls", originals[0])):
            path = manifest.path(kind, cell)
            path.parent.mkdir(parents=True, exist_ok=True)
            if not path.exists():
                os.link(original, path)
    started, cpu = time.perf_counter(), time.process_time()
    counts = collect("regression", manifest, args.folder / "regression.nc")
    seconds, cpu = time.perf_counter() - started, time.process_time() - cpu
    print(
        f"{counts['done']} cells: {seconds:.1f} s, {cpu:.1f} s of CPU, "
        f"{1000 * cpu / counts['done']:.1f} ms of CPU a cell, peak "
        f"{resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**10:.0f} MB, one scores file "
        f"{originals[1].stat().st_size / 2**20:.1f} MB, cube "
        f"{(args.folder / 'regression.nc').stat().st_size / 2**20:.0f} MB"
    )


if __name__ == "__main__":
    main()
