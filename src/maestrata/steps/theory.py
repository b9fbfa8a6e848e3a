"""Write what the theory says of a world at every mask distribution of a sweep.

Where the shared information sits (both readings, both ties, fixed and independent masks, with closed forms),
supply and demand, and the linear masked autoencoder.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from maestrata.cubes.io import build, write_cube
from maestrata.cubes.schema import KINDS
from maestrata.errors import MaskError
from maestrata.masks import MaskPatches, visible_count
from maestrata.steps._flags import add_settings, add_world, read_settings, read_world, settings
from maestrata.steps._run import Parser, add_provenance, provenance, run
from maestrata.theory.distributions import READINGS, TIES
from maestrata.theory.examples import EXAMPLES
from maestrata.theory.rivals import MOMENT_SAMPLES
from maestrata.theory.settings import TheorySettings
from maestrata.theory.sweep import DRAWINGS, WorldTheory

_SWEEP = ("patch_size", "offset", "mask_ratio")


def read_masks(masks: dict[str, Any], world: Any) -> dict[tuple[int, int], tuple[MaskPatches, list[float]]]:
    """Read ``{"1x1": [0.5], ...}`` into (patch size, offset) -> patches and ratios; one shape per size."""
    found: dict[tuple[int, int], tuple[MaskPatches, list[float]]] = {}
    for label, ratios in masks.items():
        patches = MaskPatches.parse(label, world.grid)
        place = (patches.size, int(patches.offset))
        if any(size == patches.size and p.height != patches.height for (size, _), (p, _) in found.items()):
            raise MaskError(f"mask patch {label!r}: a cube holds one patch shape of each size (--masks)")
        if not isinstance(ratios, list) or not ratios:
            raise MaskError(f"mask patch {label!r}: ratios {ratios!r} must be a list of numbers (--masks)")
        for ratio in ratios:
            visible_count(patches.n_patches, ratio)  # refuses what is no ratio
        found[place] = (patches, ratios)
    if not found:
        raise MaskError("masks={} must name at least one mask patch (--masks)")
    return found


def main(argv: Sequence[str] | None = None) -> None:
    """Compute the theory of one world and write it."""
    parser = Parser(__doc__)
    add_world(parser)
    parser.add_argument("--masks", type=settings, required=True, help='JSON: patch -> ratios, {"1x1": [0.5]}')
    add_settings(parser, TheorySettings)
    parser.add_argument(
        "--moment-samples",
        type=int,
        default=MOMENT_SAMPLES,
        help="images that the linear MAE's covariance is of",
    )
    parser.add_argument("--output", type=Path, required=True, help="NetCDF file of kind theory")
    add_provenance(parser)
    args = parser.parse_args(argv)

    world = read_world(args)
    asked = read_masks(args.masks, world)
    theory = WorldTheory(world, read_settings(args, TheorySettings), args.moment_samples)
    sizes = sorted({size for size, _ in asked})
    shapes = {size: patches for (size, _), (patches, _) in asked.items()}
    nodes, examples = theory.examples()
    coords: dict[str, Any] = {
        "world": [args.world or args.world_kind],
        "world_seed": [args.world_seed],
        "patch_size": sizes,
        "offset": sorted({offset for _, offset in asked}),
        "mask_ratio": sorted({float(ratio) for _, ratios in asked.values() for ratio in ratios}),
        "drawing": list(DRAWINGS),
        "reading": list(READINGS),
        "tie": list(TIES),
        "level": list(range(1, theory.levels + 1)),
        "linear_loss": ["masked", "all"],
        "example": list(EXAMPLES),
        "node": nodes,
    }
    data: dict[str, Any] = {name: values[None, None] for name, values in examples.items()}
    data |= {"twin_rho": [[theory.rho]], "linear_rank": [[args.linear_rank]]}
    for (size, offset), (patches, ratios) in asked.items():
        for ratio in ratios:
            place = (
                sizes.index(size),
                coords["offset"].index(offset),
                coords["mask_ratio"].index(float(ratio)),
            )
            for name, values in theory.at(patches, ratio).items():
                ratio_only = name == "realised_ratio"
                if name not in data:
                    shape = (*(len(coords[axis]) for axis in _SWEEP), *values.shape)
                    data[name] = np.full((*shape, 1) if ratio_only else (1, 1, *shape), np.nan)
                data[name][(*place, 0) if ratio_only else (0, 0, *place)] = values
    data["patch_height"] = [shapes[size].height for size in sizes]
    data["patch_width"] = [shapes[size].width for size in sizes]
    ordered = {name: data[name] for name in KINDS["theory"].variables}
    attrs = {"world_kind": args.world_kind, "world_settings": json.dumps(world.settings, sort_keys=True)}
    write_cube(build("theory", coords, ordered, attrs), args.output, provenance=provenance(args))


if __name__ == "__main__":
    run(main)
