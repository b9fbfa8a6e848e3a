"""Make one experiment in one world, and write what it measured."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import asdict, fields
from pathlib import Path

from maestrata.cubes.netcdf import CubeFile
from maestrata.errors import ExperimentError
from maestrata.experiments import registry
from maestrata.experiments.base import Job, TrainedCell
from maestrata.masks import MaskPatches
from maestrata.model.mae import MAEConfig
from maestrata.regression.cell import Plan
from maestrata.steps._reading import keep_freed_memory
from maestrata.steps._run import Parser, add_provenance, add_world, provenance, run, settings
from maestrata.training.recipe import Recipe
from maestrata.worlds import make
from maestrata.worlds.base import World

SIZES = ("width", "depth", "heads", "decoder_width", "decoder_depth", "decoder_heads", "mlp_ratio")


def read_cell(text: str, world: World) -> TrainedCell:
    """Read ``PATCH/vVISIBLE/sSEED=WEIGHTS``, as in ``2x1/v4/s0=results/x/weights.safetensors``."""
    found = re.fullmatch(r"(\w+)/v(\d+)/s(\d+)=(.+)", text)
    if found is None:
        raise ExperimentError(f"cell {text!r} must read PATCH/vVISIBLE/sSEED=WEIGHTS (--cells)")
    patches = MaskPatches.parse(found[1], world.grid)
    return TrainedCell(patches, int(found[2]), Path(found[4]), int(found[3]))


def main(argv: Sequence[str] | None = None) -> None:
    """Run the experiment and write its table."""
    parser = Parser(__doc__)
    parser.add_argument("experiment", help=f"one of: {', '.join(registry.available())}")
    add_world(parser)
    parser.add_argument("--seed", type=int, required=True, help="training seed")
    parser.add_argument("--settings", type=settings, default={}, help="of the experiment, a JSON object")
    sizes = asdict(MAEConfig())
    for name in SIZES:
        parser.add_argument(f"--{name.replace('_', '-')}", type=int, default=sizes[name], help="of the model")
    parser.add_argument("--norm-pixels", action="store_true", help="of the model")
    recipe = Recipe()
    for name in ("images", "batch", "lr", "weight_decay", "warmup", "clip", "samples"):
        default = getattr(recipe, name)
        kind = int if name in ("images", "batch", "samples") else float
        parser.add_argument(f"--{name.replace('_', '-')}", type=kind, default=default, help="of the training")
    parser.add_argument("--betas", type=float, nargs=2, default=list(recipe.betas), help="of the training")
    plan = Plan()
    parser.add_argument(
        "--probe-train", type=int, default=plan.probe_train, help="images probes are fitted on"
    )
    parser.add_argument("--test", type=int, default=plan.test, help="images probes are scored on")
    parser.add_argument("--replicates", type=int, default=plan.replicates, help="bootstrap replicates")
    parser.add_argument("--cells", nargs="+", default=[], help="trained models: PATCH/vVISIBLE/sSEED=WEIGHTS")
    parser.add_argument("--output", type=Path, required=True, help="NetCDF file of kind experiments")
    add_provenance(parser)
    args = parser.parse_args(argv)

    keep_freed_memory()
    module = registry.load(args.experiment)
    world = make(args.world_kind, args.world_seed, **args.world_settings)
    if module.WORLDS and world.name not in module.WORLDS:
        allowed = ", ".join(module.WORLDS)
        raise ExperimentError(
            f"{module.NAME}: world {world.name!r} must be one of: {allowed} (--world-kind)"
        )
    cfg = MAEConfig(
        grid_height=world.grid.height,
        grid_width=world.grid.width,
        token_values=world.token_values,
        norm_pixels=args.norm_pixels,
        **{name: getattr(args, name) for name in SIZES},
    )
    values = {f.name: getattr(args, f.name) for f in fields(Recipe)} | {"betas": tuple(args.betas)}
    cells = [read_cell(text, world) for text in args.cells]
    job = Job(
        world=world,
        seed=args.seed,
        cfg=cfg,
        recipe=Recipe(**values),
        settings=registry.check_settings(module.NAME, args.settings, module.SETTINGS),
        cells=tuple(sorted(cells, key=lambda c: (c.patches.size, c.patches.label, c.visible, c.seed))),
        probe_train=args.probe_train,
        test=args.test,
        replicates=args.replicates,
    )
    axes, data = module.run(job).arrays()
    coords = {"world": [args.world or world.name], "world_seed": [world.seed], "seed": [args.seed], **axes}
    # where the models lay is no part of what was done
    args.cells = [text.split("=")[0] for text in args.cells]
    about = {"experiment": module.NAME}
    with CubeFile(args.output, "experiments", coords, {}, data, about, provenance(args)) as file:
        for name, values in data.items():
            file.put(name, values if name == "setting" else values[None, None, None])


if __name__ == "__main__":
    run(main)
