"""Score the controls that the cells of a world and training seed share: the untrained model, pixels, exact
inference; a model trained on the targets of other images, with the recipe and the masks that are given; and,
where --control-images is given, a plain autoencoder and a supervised encoder, which are trained too.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from maestrata.cells import Cell
from maestrata.model.mae import MAEConfig
from maestrata.model.sizes import Sizes
from maestrata.regression.cell import score_controls
from maestrata.steps._evaluation import add_evaluation, evaluation_of, write_scores
from maestrata.steps._flags import add_cell, add_settings, add_world, read_settings, read_world
from maestrata.steps._machine import find_device, keep_freed_memory
from maestrata.steps._run import Parser, add_provenance, provenance, run
from maestrata.training.recipe import PlannedCell, Recipe


def main(argv: Sequence[str] | None = None) -> None:
    """Score the controls of a world, world seed and training seed, and write the scores."""
    parser = Parser(__doc__)
    add_world(parser)
    add_cell(parser)
    add_settings(parser, Sizes, Recipe)
    add_evaluation(parser)
    parser.add_argument("--output", type=Path, required=True, help="NetCDF file of kind scores")
    add_provenance(parser)
    args = parser.parse_args(argv)

    keep_freed_memory()
    evaluation, device = evaluation_of(args), find_device(args.device)
    world = read_world(args)
    cfg = MAEConfig.of(world, read_settings(args, Sizes))
    label = args.world or world.name
    cell = Cell(label, world.seed, args.patch, args.visible, args.seed)
    null = PlannedCell(cell, read_settings(args, Recipe))
    book = score_controls(cfg, world, args.seed, evaluation, device, args.encode_batch, null)
    write_scores(book, args.output, provenance(args, device=device))


if __name__ == "__main__":
    run(main)
