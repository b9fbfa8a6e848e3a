"""Train the masked autoencoder of one cell: weights and history. Goes on from a checkpoint where it was
killed.

MAESTRATA_CHECKPOINT_SECONDS in the environment sets the time between two checkpoints (30 s).
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any

import torch

from maestrata.masks import MaskPatches
from maestrata.model.mae import MAEConfig
from maestrata.steps._run import Parser, add_provenance, add_world, provenance, run
from maestrata.steps._trained import write_run
from maestrata.training.checkpoint import Checkpoint, run_key
from maestrata.training.recipe import Recipe
from maestrata.training.train import train
from maestrata.worlds import make

MODEL = [f for f in fields(MAEConfig) if f.name not in ("grid_height", "grid_width", "token_values")]


def main(argv: Sequence[str] | None = None) -> None:
    """Train a cell and write its weights and history."""
    parser = Parser(__doc__)
    add_world(parser)
    parser.add_argument("--patch", required=True, help="mask patches, such as 2x1, or 2x1o for offset")
    parser.add_argument("--visible", type=int, required=True, help="visible patches")
    parser.add_argument("--seed", type=int, required=True, help="training seed")
    for field in MODEL:
        add_value(parser, field.name, field.default)
    for field in fields(Recipe):
        add_value(parser, field.name, field.default)
    parser.add_argument("--device", default="auto", choices=("auto", "cpu", "cuda"))
    parser.add_argument("--weights", type=Path, required=True, help="safetensors file to write")
    parser.add_argument("--history", type=Path, required=True, help="NetCDF file of kind history to write")
    parser.add_argument("--checkpoint", type=Path, default=None, help="default: beside the weights")
    add_provenance(parser)
    args = parser.parse_args(argv)

    world = make(args.world_kind, args.world_seed, **args.world_settings)
    patches = MaskPatches.parse(args.patch, world.grid)
    sizes = {field.name: getattr(args, field.name) for field in MODEL}
    cfg = MAEConfig(world.grid.height, world.grid.width, world.token_values, **sizes)
    values: dict[str, Any] = {field.name: getattr(args, field.name) for field in fields(Recipe)}
    recipe = Recipe(**values | {"betas": tuple(args.betas)})
    device = ("cuda" if torch.cuda.is_available() else "cpu") if args.device == "auto" else args.device
    about = provenance(args, device=device)
    path = args.checkpoint or args.weights.with_name("checkpoint.bin")
    # from the environment: it changes nothing of the result, so it must not enter its provenance
    seconds = float(os.environ.get("MAESTRATA_CHECKPOINT_SECONDS", "30"))
    checkpoint = Checkpoint(path, run_key(about), seconds)
    place = f"w{world.seed} patch {patches.label} visible {args.visible} seed {args.seed}"
    name = f"{args.world or world.name} {place}"
    model, losses = train(world, patches, args.visible, args.seed, cfg, recipe, device, checkpoint, name)
    write_run(model, losses, recipe, args.weights, args.history, about)
    checkpoint.remove()


def add_value(parser: Parser, name: str, default: Any) -> None:
    """Add a flag for one value of a section of the config, as the workflow writes it."""
    flag = f"--{name.replace('_', '-')}"
    if isinstance(default, bool):
        parser.add_argument(flag, action="store_true")
    elif isinstance(default, tuple):
        parser.add_argument(flag, default=default, type=type(default[0]), nargs=len(default))
    elif default is None:
        parser.add_argument(flag, default=None, type=int)
    else:
        parser.add_argument(flag, default=default, type=type(default))


if __name__ == "__main__":
    run(main)
