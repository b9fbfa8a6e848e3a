"""Write a world to a file: its graph, and display samples with the latents and the noise of every level.

Of images that are given there is no more than the images and the tree over their tokens.
Nothing that is measured reads this file: training and evaluation draw from the world itself, by its seed.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from maestrata.cubes.netcdf import write
from maestrata.geometry import patchify
from maestrata.random import stream
from maestrata.steps._flags import add_world, read_world
from maestrata.steps._run import Parser, add_provenance, provenance, run
from maestrata.worlds.base import Sample, World

DRAWS = 256
REDRAWS = 4  # of these, kept to be looked at


def flatten(levels: dict[int, Any], stem: str) -> dict[str, NDArray[Any]]:
    """Lay (sample, node, dim) arrays of all levels side by side; tell level, node and dim of each column."""
    ascending = sorted(levels)
    index = np.concatenate(
        [np.array([(level, *at) for at in np.ndindex(*levels[level].shape[1:])]) for level in ascending]
    )
    flat = [np.asarray(levels[level]).reshape(len(levels[level]), -1) for level in ascending]
    values = np.concatenate(flat, axis=1)
    named = dict(zip((f"{stem}_level", f"{stem}_node", f"{stem}_dim"), index.T, strict=True))
    return {"values": values.astype(np.float32), **named}


def redraw(world: World, sample: Sample) -> dict[str, NDArray[Any]]:
    """Draw all noise of the first image below a level anew, for each level from 1 up.

    Returns
    -------
    dict of arrays
        Some of the images, ``redrawn`` (level, redraw, channel, y, x), and ``changed`` (level, token): the
        variance of a token over all of them, over the mean variance of pixels.
    """
    redrawn, changed = [], []
    for level in range(1, world.levels + 1):
        other = world.draw(DRAWS, stream(world.seed, "display", level))
        kept = {k: np.repeat(v[:1], DRAWS, 0) if k >= level else other[k] for k, v in sample.noise.items()}
        images = world.generate(kept).images
        redrawn.append(images[:REDRAWS])
        changed.append(patchify(images, world.token_pixels).var(0).mean(-1))
    return {"redrawn": np.stack(redrawn), "changed": np.stack(changed) / sample.images.var(0).mean()}


def describe(world: World) -> dict[str, NDArray[Any]]:
    """Return the nodes of a world's graph and its edges, as positions on the nodes."""
    graph = world.graph
    # by level, and by the number at the end of the name
    names = sorted(graph.nodes, key=lambda name: (graph.level(name), int(name[1:].rpartition(".")[2])))
    at = {name: position for position, name in enumerate(names)}
    parent, child = np.array([(at[parent], at[child]) for parent, child in graph.edges]).T
    levels = np.array([graph.level(name) for name in names])
    return {"node": np.array(names), "node_level": levels, "edge_parent": parent, "edge_child": child}


def main(argv: Sequence[str] | None = None) -> None:
    """Draw display samples of a world and write them with its graph."""
    parser = Parser(__doc__)
    add_world(parser)
    parser.add_argument("--samples", type=int, default=256, help="of the stream named display")
    parser.add_argument("--output", type=Path, required=True, help="NetCDF file of kind worlds")
    add_provenance(parser)
    args = parser.parse_args(argv)

    world = read_world(args)
    sample = world.sample(args.samples, stream="display")
    graph = describe(world)
    coords, data = {"node": graph.pop("node")}, {"images": sample.images}
    if world.latent:
        coords["level"] = np.arange(1, world.levels + 1)
        latents, noise = flatten(sample.latents, "latent"), flatten(sample.noise, "draw")
        data |= redraw(world, sample) | {"latents": latents.pop("values"), "noise": noise.pop("values")}
        data |= latents | noise
    attrs = {
        "world": args.world or args.world_kind,
        "world_kind": args.world_kind,
        "world_seed": args.world_seed,
        "world_settings": json.dumps(world.settings, sort_keys=True),
        "grid_height": world.grid.height,
        "grid_width": world.grid.width,
        "token_pixels": world.token_pixels,
    }
    write(args.output, "worlds", coords, data | graph, attrs, provenance(args))


if __name__ == "__main__":
    run(main)
