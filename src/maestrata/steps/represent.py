"""Save the representations of one model's evaluation images, for work of your own; no rule asks for them.

The masks are those under which the workflow reads the model: none, one-token patches, or `--patch`.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from maestrata.cubes.netcdf import CubeFile
from maestrata.masks import MaskPatches, evaluation_masks
from maestrata.representation.encode import BATCH, represent
from maestrata.steps._flags import add_world, read_world
from maestrata.steps._run import Parser, add_provenance, provenance, run
from maestrata.training.weights import load_model


def main(argv: Sequence[str] | None = None) -> None:
    """Encode images and write every layer's tokens."""
    parser = Parser(__doc__)
    add_world(parser)
    parser.add_argument("--weights", type=Path, required=True, help="of the model")
    parser.add_argument("--stream", choices=("test", "probe-train"), default="test", help="images to encode")
    parser.add_argument("--samples", type=int, default=1024, help="how many of them, from the first")
    parser.add_argument("--layers", type=int, nargs="+", default=None, help="layers to keep (default: all)")
    parser.add_argument("--patch", default="1x1", help="mask patches, with --visible")
    parser.add_argument(
        "--visible", type=int, default=None, help="visible patches (default: the whole image)"
    )
    parser.add_argument("--batch", type=int, default=BATCH, help="images encoded at a time")
    parser.add_argument("--output", type=Path, required=True, help="NetCDF file of kind representations")
    add_provenance(parser)
    args = parser.parse_args(argv)

    world = read_world(args)
    model = load_model(args.weights)
    images = world.sample(args.samples, stream=args.stream).images
    visible = None
    if args.visible is not None:
        patches = MaskPatches.parse(args.patch, world.grid)
        visible, _ = evaluation_masks(world.seed, patches, args.visible, args.samples, args.stream)
    found = represent(model, images, visible, args.layers, args.batch)
    shown = np.tile(np.arange(world.grid.n_tokens), (args.samples, 1)) if visible is None else visible
    tokens = np.stack(list(found.values()))  # (layer, sample, 1 + k, width)
    lengths = (*tokens.shape[1:], shown.shape[1])
    sizes = dict(zip(("sample", "token", "feature", "position"), lengths, strict=True))
    coords = {"layer": list(found)}
    with CubeFile(args.output, "representations", coords, sizes, None, {}, provenance(args)) as file:
        file.put("representation", tokens)
        file.put("visible", shown)


if __name__ == "__main__":
    run(main)
