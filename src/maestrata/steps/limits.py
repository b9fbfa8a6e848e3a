"""Write the limits of a world at every visibility: the ceiling of every latent and the Bayes loss, or bounds.

Visibilities are the whole image, half of its tokens, and what each cell of the sweep shows.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from maestrata.inference.limits import Limits, sweep
from maestrata.inference.masked import explainable_share
from maestrata.inference.settings import LimitSettings, Samples
from maestrata.steps._flags import add_settings, add_world, read_settings, read_world
from maestrata.steps._run import Parser, add_provenance, run
from maestrata.steps._world import add_masks, write_of_world


def main(argv: Sequence[str] | None = None) -> None:
    """Compute the limits of one world and write them."""
    parser = Parser(__doc__)
    add_world(parser)
    add_masks(parser)
    parser.add_argument(
        "--samples",
        type=int,
        default=Samples.test,
        help="test images: those that models are scored on",
    )
    add_settings(parser, Samples, only=["replicates"])
    add_settings(parser, LimitSettings)
    parser.add_argument("--output", type=Path, required=True, help="NetCDF file of kind limits")
    add_provenance(parser)
    args = parser.parse_args(argv)

    world = read_world(args)
    limits = Limits(world, args.samples, args.replicates, read_settings(args, LimitSettings))
    coords, data = sweep(limits, args.masks)
    data["explainable_share"] = _per_level(explainable_share(world), world.levels)
    halving = limits.halving_error()
    if halving:
        data["halving_error"] = _per_level(halving, world.levels)
    write_of_world(args, "limits", world, coords, data)


def _per_level(values: dict[int, float], levels: int) -> Any:
    return np.array([values.get(level, np.nan) for level in range(levels + 1)])


if __name__ == "__main__":
    run(main)
