"""Make one experiment in one world, and write what it measured."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from maestrata.cells import Cell
from maestrata.cubes.netcdf import write
from maestrata.errors import ExperimentError, MaskError, one_of
from maestrata.experiments import registry
from maestrata.experiments.base import Job, TrainedCell
from maestrata.experiments.settings import check_pixels, check_settings
from maestrata.inference.settings import Samples
from maestrata.masks import MaskPatches
from maestrata.model.mae import MAEConfig
from maestrata.model.sizes import Sizes
from maestrata.steps._flags import add_settings, add_world, read_settings, read_world, settings
from maestrata.steps._machine import keep_freed_memory
from maestrata.steps._run import Parser, add_provenance, provenance, run
from maestrata.training.recipe import Recipe
from maestrata.worlds.base import World


def read_cell(text: str, world: World, label: str) -> TrainedCell:
    """Read ``PATCH/vVISIBLE/sSEED=WEIGHTS``, as in ``2x1/v4/s0=results/x/weights.safetensors``."""
    place, _, weights = text.partition("=")
    try:
        cell = Cell.parse(f"{label}/w{world.seed}/p{place}")
    except MaskError:
        cell = None
    if cell is None or not weights:
        raise ExperimentError(f"cell {text!r} must read PATCH/vVISIBLE/sSEED=WEIGHTS (--cells)")
    return TrainedCell(cell, MaskPatches.parse(cell.patch, world.grid), Path(weights))


def main(argv: Sequence[str] | None = None) -> None:
    """Run the experiment and write its table."""
    parser = Parser(__doc__)
    parser.add_argument("experiment", help=f"one of: {', '.join(registry.available())}")
    add_world(parser)
    parser.add_argument("--seed", type=int, required=True, help="training seed")
    parser.add_argument("--settings", type=settings, default={}, help="of the experiment, a JSON object")
    add_settings(parser, Sizes, Recipe, Samples)
    parser.add_argument("--cells", nargs="+", default=[], help="trained models: PATCH/vVISIBLE/sSEED=WEIGHTS")
    parser.add_argument("--output", type=Path, required=True, help="NetCDF file of kind experiments")
    add_provenance(parser)
    args = parser.parse_args(argv)

    keep_freed_memory()
    module = registry.load(args.experiment)
    world = read_world(args)
    label = args.world or world.name
    known = getattr(module, "WORLDS", ())
    if known and world.name not in known:
        raise ExperimentError(f"{args.experiment}: world {one_of(world.name, known)} (--world-kind)")
    sizes = read_settings(args, Sizes)
    check_pixels(args.experiment, getattr(module, "FILLS_IN", False), sizes.norm_pixels)
    cells = [read_cell(text, world, label) for text in args.cells]
    recipe, samples = read_settings(args, Recipe), read_settings(args, Samples)
    numbers = {key: getattr(recipe, key) for key in ("batch", "images")}
    numbers |= {key: getattr(sizes, key) for key in ("depth", "heads")} | asdict(samples)
    job = Job(
        world=world,
        seed=args.seed,
        cfg=MAEConfig.of(world, sizes),
        recipe=recipe,
        settings=check_settings(
            args.experiment, args.settings, module.SETTINGS, module.RANGES, world, numbers
        ),
        cells=tuple(sorted(cells, key=lambda c: (c.patches.size, c.patches.label, c.visible, c.seed))),
        **asdict(samples),
    )
    axes, data = module.run(job).arrays()
    coords = {"world": [label], "world_seed": [world.seed], "seed": [args.seed], **axes}
    # where the models lay is no part of what was done
    args.cells = [text.split("=")[0] for text in args.cells]
    data = {name: values if name == "setting" else values[None, None, None] for name, values in data.items()}
    write(args.output, "experiments", coords, data, {"experiment": args.experiment}, provenance(args))


if __name__ == "__main__":
    run(main)
