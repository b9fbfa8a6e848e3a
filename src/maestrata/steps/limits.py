"""Write the limits of a world: the ceiling of every latent and the Bayes loss, or bounds, at every
visibility.

Visibilities are the whole image, half of its tokens, and what each cell of the sweep shows.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from maestrata.cubes.netcdf import write
from maestrata.inference.limits import Limits, sweep
from maestrata.inference.masked import explainable_share
from maestrata.inference.settings import LimitSettings, Samples
from maestrata.steps._flags import add_settings, add_world, read_settings, read_world, settings
from maestrata.steps._run import Parser, add_provenance, provenance, run


def main(argv: Sequence[str] | None = None) -> None:
    """Compute the limits of one world and write them."""
    parser = Parser(__doc__)
    add_world(parser)
    parser.add_argument("--masks", type=settings, required=True, help='JSON: patch -> ratios, {"1x1": [0.5]}')
    parser.add_argument(
        "--samples",
        type=int,
        default=Samples.test,
        help="test images: those that models are scored on",
    )
    add_settings(parser, Samples, ("replicates",))
    add_settings(parser, LimitSettings)
    parser.add_argument("--output", type=Path, required=True, help="NetCDF file of kind limits")
    add_provenance(parser)
    args = parser.parse_args(argv)

    world = read_world(args)
    limits = Limits(world, args.samples, args.replicates, read_settings(args, LimitSettings))
    coords, data = sweep(limits, args.masks)
    data["realised_ratio"] = data["realised_ratio"][..., None]
    own = {name: values for name, values in data.items() if not name.startswith(("patch_", "realised"))}
    data |= {name: values[None, None] for name, values in own.items()}
    data["explainable_share"] = _per_level(explainable_share(world), world.levels)
    halving = limits.halving_error()
    if halving:
        data["halving_error"] = _per_level(halving, world.levels)
    label = args.world or args.world_kind
    coords = {"world": [label], "world_seed": [args.world_seed], **coords}
    attrs = {"world_kind": args.world_kind, "world_settings": json.dumps(world.settings, sort_keys=True)}
    write(args.output, "limits", coords, data, attrs, provenance(args))


def _per_level(values: dict[int, float], levels: int) -> Any:
    return np.array([values.get(level, np.nan) for level in range(levels + 1)])[None, None]


if __name__ == "__main__":
    run(main)
