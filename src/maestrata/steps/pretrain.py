"""Train the masked autoencoder of one cell: weights and history.

A job that was killed goes on from its checkpoint.

MAESTRATA_CHECKPOINT_SECONDS in the environment sets the time between two checkpoints (30 s).
"""

from __future__ import annotations

import math
import os
from collections.abc import Sequence
from pathlib import Path

from maestrata.cells import Cell
from maestrata.errors import ConfigError
from maestrata.masks import MaskPatches
from maestrata.model.mae import MAEConfig
from maestrata.model.sizes import Sizes
from maestrata.steps._flags import add_cell, add_settings, add_world, read_settings, read_world
from maestrata.steps._machine import find_device
from maestrata.steps._run import Parser, add_provenance, provenance, run
from maestrata.steps._trained import write_run
from maestrata.training.checkpoint import Checkpoint, run_key
from maestrata.training.recipe import Recipe
from maestrata.training.train import train

_SECONDS = "MAESTRATA_CHECKPOINT_SECONDS"


def main(argv: Sequence[str] | None = None) -> None:
    """Train a cell and write its weights and history."""
    parser = Parser(__doc__)
    add_world(parser)
    add_cell(parser)
    add_settings(parser, Sizes, Recipe)
    parser.add_argument("--device", default="auto", choices=("auto", "cpu", "cuda"))
    parser.add_argument("--weights", type=Path, required=True, help="safetensors file to write")
    parser.add_argument("--history", type=Path, required=True, help="NetCDF file of kind history to write")
    parser.add_argument("--checkpoint", type=Path, default=None, help="default: beside the weights")
    add_provenance(parser)
    args = parser.parse_args(argv)

    world = read_world(args)
    patches = MaskPatches.parse(args.patch, world.grid)
    cfg = MAEConfig.of(world, read_settings(args, Sizes))
    recipe = read_settings(args, Recipe)
    device = find_device(args.device)
    about = provenance(args, device=device)
    path = args.checkpoint or args.weights.with_name("checkpoint.bin")
    # from the environment: it changes nothing of the result, so it must not enter its provenance
    checkpoint = Checkpoint(path, run_key(about), seconds_between(os.environ.get(_SECONDS, "30")))
    name = Cell(args.world or world.name, world.seed, patches.label, args.visible, args.seed).stem
    model, losses = train(world, patches, args.visible, args.seed, cfg, recipe, device, checkpoint, name)
    write_run(model, losses, recipe, args.weights, args.history, about)
    checkpoint.remove()


def seconds_between(text: str) -> float:
    """Read how many seconds lie between two checkpoints.

    Raises
    ------
    ConfigError
        If it is no number of at least 0.
    """
    try:
        seconds = float(text)
    except ValueError:
        seconds = math.nan
    if not seconds >= 0:
        raise ConfigError(f"{_SECONDS}={text!r} must be a number of seconds, at least 0 (environment)")
    return seconds


if __name__ == "__main__":
    run(main)
