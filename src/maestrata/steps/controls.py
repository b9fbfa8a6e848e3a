"""Read the controls that no cell's mask touches: the untrained model, pixels, their components, exact
inference; and, where --control-images is given, train a plain autoencoder and a supervised encoder and read
them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from maestrata.model.mae import MAEConfig
from maestrata.regression.cell import score_controls
from maestrata.steps._reading import add_evaluation, evaluation_plan, keep_freed_memory, write_scores
from maestrata.steps._run import Parser, add_provenance, add_world, provenance, run
from maestrata.worlds import make

SIZES = ("width", "depth", "heads", "decoder_width", "decoder_depth", "decoder_heads", "mlp_ratio")


def main(argv: Sequence[str] | None = None) -> None:
    """Score the controls of a world, world seed and training seed, and write the scores."""
    parser = Parser(__doc__)
    add_world(parser)
    parser.add_argument(
        "--seed", type=int, required=True, help="training seed of the cells they stand beside"
    )
    default = asdict(MAEConfig())
    for name in SIZES:
        parser.add_argument(
            f"--{name.replace('_', '-')}", type=int, default=default[name], help="of the model"
        )
    parser.add_argument("--norm-pixels", action="store_true", help="of the model")
    add_evaluation(parser)
    parser.add_argument("--output", type=Path, required=True, help="NetCDF file of kind scores")
    add_provenance(parser)
    args = parser.parse_args(argv)

    keep_freed_memory()
    plan = evaluation_plan(args)
    world = make(args.world_kind, args.world_seed, **args.world_settings)
    cfg = MAEConfig(
        grid_height=world.grid.height,
        grid_width=world.grid.width,
        token_values=world.token_values,
        norm_pixels=args.norm_pixels,
        **{name: getattr(args, name) for name in SIZES},
    )
    book = score_controls(cfg, world, args.seed, plan)
    write_scores(book, args.output, provenance(args, device=plan.device))


if __name__ == "__main__":
    run(main)
