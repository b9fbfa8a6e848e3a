"""Score the controls that no cell's mask touches: the untrained model, pixels, their components, exact
inference; and, where --control-images is given, train a plain autoencoder and a supervised encoder and score
them.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from maestrata.model.mae import MAEConfig
from maestrata.model.sizes import Sizes
from maestrata.regression.cell import score_controls
from maestrata.steps._evaluation import (
    add_evaluation,
    evaluation_of,
    find_device,
    keep_freed_memory,
    write_scores,
)
from maestrata.steps._flags import add_settings, add_world, read_settings, read_world
from maestrata.steps._run import Parser, add_provenance, provenance, run


def main(argv: Sequence[str] | None = None) -> None:
    """Score the controls of a world, world seed and training seed, and write the scores."""
    parser = Parser(__doc__)
    add_world(parser)
    parser.add_argument(
        "--seed", type=int, required=True, help="training seed of the cells they are compared with"
    )
    add_settings(parser, Sizes)
    add_evaluation(parser)
    parser.add_argument("--output", type=Path, required=True, help="NetCDF file of kind scores")
    add_provenance(parser)
    args = parser.parse_args(argv)

    keep_freed_memory()
    evaluation, device = evaluation_of(args), find_device(args.device)
    world = read_world(args)
    cfg = MAEConfig.of(world, read_settings(args, Sizes))
    book = score_controls(cfg, world, args.seed, evaluation, device, args.batch)
    write_scores(book, args.output, provenance(args, device=device))


if __name__ == "__main__":
    run(main)
