"""Which mask patch and masking ratio to pretrain with, from images alone; or that it cannot be told.

IMAGES is a file of at least 500 images: .npy, or .npz with `images` and maybe `labels`; (n, y, x), (n, y, x,
channel) or (n, channel, y, x), uint8 or floating point; or NetCDF, or a folder of PNG or JPEG. docs/advice.md
says how the advice is found and how good it has proved.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import asdict

from maestrata.commands._arguments import add_json

HELP = "which masks to pretrain with, from images alone"


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("images", metavar="IMAGES", help="file or folder of images")
    parser.add_argument(
        "--goal", default="level", choices=("level", "scale", "labels"), help="what features should tell of"
    )
    parser.add_argument("--level", type=int, help="1 (pairs of tokens) to the whole image (the default)")
    parser.add_argument("--scale", type=float, metavar="PIXELS", help="side of a block, for the goal scale")
    parser.add_argument(
        "--token", type=int, metavar="PIXELS", help="side of a token (default: at most 64 tokens)"
    )
    parser.add_argument(
        "--model", action="store_true", help="train a small model first, to check (a minute or two)"
    )
    parser.add_argument("--seed", type=int, default=0, help="of masks, random features and the model (0)")
    add_json(parser)


def run(args: argparse.Namespace) -> None:
    """Print the advice."""
    from maestrata.advice.decide import advise

    advice = advise(
        args.images,
        goal=args.goal,
        level=args.level,
        scale=args.scale,
        token_pixels=args.token,
        model=args.model,
        seed=args.seed,
    )
    print(json.dumps(asdict(advice), indent=2) if args.json else advice)
