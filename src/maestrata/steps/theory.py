"""Write what the theory says of a world at every mask distribution of a sweep.

Where the shared information sits (both readings, both ties, fixed and independent masks, with closed forms),
supply and demand, and the linear masked autoencoder.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from maestrata.masks import MaskSweep
from maestrata.steps._flags import add_settings, add_world, read_settings, read_world
from maestrata.steps._run import Parser, add_provenance, run
from maestrata.steps._world import add_masks, write_of_world
from maestrata.theory.linear_world import MOMENT_SAMPLES
from maestrata.theory.settings import TheorySettings
from maestrata.theory.sweep import WorldTheory, sweep


def main(argv: Sequence[str] | None = None) -> None:
    """Compute the theory of one world and write it."""
    parser = Parser(__doc__)
    add_world(parser)
    add_masks(parser)
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
    asked = MaskSweep.read(args.masks, world.grid)
    theory = WorldTheory(world, read_settings(args, TheorySettings), args.moment_samples)
    coords, data = sweep(theory, asked)
    write_of_world(args, "theory", world, coords, data)


if __name__ == "__main__":
    run(main)
