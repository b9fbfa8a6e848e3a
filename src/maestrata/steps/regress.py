"""Score a trained cell: regress every level's latents and noise; and fill in masked display images."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from maestrata.cubes.netcdf import write
from maestrata.masks import MaskPatches, evaluation_masks
from maestrata.model.mae import MAE
from maestrata.regression.cell import score_cell
from maestrata.representation.reconstruct import reconstruct
from maestrata.steps._evaluation import add_evaluation, evaluation_of, write_scores
from maestrata.steps._flags import add_cell, add_world, read_world
from maestrata.steps._machine import find_device, keep_freed_memory
from maestrata.steps._run import Parser, add_provenance, provenance, run
from maestrata.training.weights import load_mae
from maestrata.worlds.base import World

DISPLAY = 8
"""Images that every cell of a world fills in: the first of the stream ``display``."""


def write_reconstructions(
    model: MAE, world: World, patches: MaskPatches, visible: int, path: Path, about: dict[str, str]
) -> None:
    """Write display images, what the model fills in under masks like those of its training, and the masks.

    With `norm_pixels` the masked tokens have their true mean and deviation; the file says so in its config.
    """
    if model.cfg.norm_pixels:
        about = {**about, "config": json.dumps({**json.loads(about["config"]), "norm_pixels": True})}
    images = world.sample(DISPLAY, stream="display").images
    masks = evaluation_masks(world.seed, patches, visible, DISPLAY, "display")
    prediction, seen = reconstruct(model, images, *masks)
    data = {"image": images, "prediction": prediction, "visible": seen}
    write(path, "reconstruction", {}, data, provenance=about)


def main(argv: Sequence[str] | None = None) -> None:
    """Score a cell and write its scores and its reconstructions."""
    parser = Parser(__doc__)
    add_world(parser)
    add_cell(parser)
    parser.add_argument("--weights", type=Path, required=True, help="of the trained model")
    add_evaluation(parser)
    parser.add_argument("--scores", type=Path, required=True, help="NetCDF file of kind scores")
    parser.add_argument(
        "--reconstructions", type=Path, required=True, help="NetCDF file of kind reconstruction"
    )
    add_provenance(parser)
    args = parser.parse_args(argv)

    keep_freed_memory()
    evaluation, device = evaluation_of(args), find_device(args.device)
    world = read_world(args)
    patches = MaskPatches.parse(args.patch, world.grid)
    model = load_mae(args.weights)
    about = provenance(args, device=device)
    book = score_cell(model, world, patches, args.visible, args.seed, evaluation, device, args.encode_batch)
    write_reconstructions(model, world, patches, args.visible, args.reconstructions, about)
    write_scores(book, args.scores, about)


if __name__ == "__main__":
    run(main)
