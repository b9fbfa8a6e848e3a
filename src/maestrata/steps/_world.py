"""What is computed of one world without training, as a cube of that world and world seed."""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping, Sequence
from typing import Any

from numpy.typing import NDArray

from maestrata.cubes.fields import PATCHES
from maestrata.cubes.netcdf import write
from maestrata.steps._flags import settings
from maestrata.steps._run import provenance
from maestrata.worlds.base import World


def add_masks(parser: argparse.ArgumentParser) -> None:
    """Add ``--masks``: the ways of masking that the sweep asks for."""
    parser.add_argument("--masks", type=settings, required=True, help='JSON: patch -> ratios, {"1x1": [0.5]}')


def write_of_world(
    args: argparse.Namespace,
    kind: str,
    world: World,
    coords: Mapping[str, Sequence[Any]],
    data: Mapping[str, NDArray[Any]],
) -> None:
    """Write arrays over mask patches and ratios as a file of a kind, with the axes of world and world seed.

    Parameters
    ----------
    args : argparse.Namespace
        Flags of `add_world` and `add_provenance`, and the ``output``.
    kind : {"theory", "limits"}
    world : World
    coords, data : mapping
        Axes and variables without ``world`` and ``world_seed``.
    """
    whole = {name: values for name, values in data.items() if name in PATCHES}
    whole["realised_ratio"] = whole["realised_ratio"][..., None]  # of a world, whatever its seed
    of_world = {name: values[None, None] for name, values in data.items() if name not in PATCHES}
    labels = {"world": [args.world or args.world_kind], "world_seed": [args.world_seed]}
    attrs = {"world_kind": args.world_kind, "world_settings": json.dumps(world.settings, sort_keys=True)}
    write(args.output, kind, labels | dict(coords), whole | of_world, attrs, provenance(args))
