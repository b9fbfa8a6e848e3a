"""What the theory says of masks on a binary tree: at which level masked and visible part share information.

For each level, the share of its nodes in c, over all masks that training could draw: c is the smallest set of
causes that the masked and the visible part of an image share (docs/theory.md).
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from maestrata.commands._arguments import add_json, add_version_of_c
from maestrata.errors import MaskError

if TYPE_CHECKING:
    import xarray as xr

HELP = "what the theory says for a masking ratio and a mask patch, without training"

MASKS = 20_000
"""Masks that are drawn where there are more."""
_MOST_LEAVES = 1024


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("--leaves", type=int, default=64, help="tokens of the image, a power of two (64)")
    parser.add_argument(
        "--ratio", type=float, nargs="+", default=[0.1, 0.25, 0.5, 0.75, 0.9], help="masking ratios"
    )
    parser.add_argument(
        "--patch", default="1x1", help="mask patch in tokens, HEIGHTxWIDTH; an o at its end shifts it (1x1)"
    )
    add_version_of_c(parser)
    add_json(parser)
    parser.add_argument("--out", type=Path, metavar="FILE", help="draw it as well: a file, .png or .pdf")


def run(args: argparse.Namespace) -> None:
    """Compute the profiles, print them, draw them."""
    profiles = {ratio: _profile(args, ratio) for ratio in sorted(set(args.ratio))}
    if args.out is not None:
        _draw(profiles, args)
    first = next(iter(profiles.values()))
    if args.json:
        about = {"leaves": args.leaves, "patch": args.patch, "reading": args.reading, "tie": args.tie}
        print(
            json.dumps(about | {"profiles": [_as_json(profile) for profile in profiles.values()]}, indent=2)
        )
        return
    print(
        f"share of the nodes of a level in c, {args.leaves} tokens, mask patch {args.patch}, {args.reading}\n"
    )
    print(f"{'':<12}" + "".join(f"{f'r = {ratio:g}':>12}" for ratio in profiles))
    for level in first.level.values[::-1].tolist():
        name = f"level {level}" + (" (root)" if level == first.level.values[-1] else "")
        cells = (f"{float(profile.p_in_c.sel(level=level)):>12.3f}" for profile in profiles.values())
        print(f"{name:<12}" + "".join(cells))
    print()
    for name, key in (("mean level", "mean_level"), ("realised r", "realised")):
        print(f"{name:<12}" + "".join(f"{float(p[key]):>12.3f}" for p in profiles.values()))
    drawn = [p.attrs["n_masks"] for p in profiles.values() if not p.attrs["exact"]]
    if drawn:
        print(f"\nover {drawn[0]:,} random masks: two standard errors are at most {_error(profiles):.3f}")
    if args.out is not None:
        print(f"\nfigure  {args.out}")


def _profile(args: argparse.Namespace, ratio: float) -> xr.Dataset:
    from maestrata.geometry import TokenGrid
    from maestrata.graphs import tree_graph
    from maestrata.masks import MaskPatches, realised_ratio, visible_count
    from maestrata.random import stream
    from maestrata.theory import mask_distribution

    if args.leaves > _MOST_LEAVES:
        raise MaskError(f"leaves={args.leaves} must be at most {_MOST_LEAVES}")
    grid = TokenGrid.for_leaves(args.leaves)
    patches = MaskPatches.parse(args.patch, grid)
    visible = visible_count(patches.n_patches, ratio)
    shares = mask_distribution(tree_graph(grid), patches, ratio, n_masks=MASKS, rng=stream(0, "theory"))
    chosen = shares.sel(reading=args.reading, tie=args.tie)
    return chosen.assign(realised=realised_ratio(patches.n_patches, visible)).assign_attrs(
        n_masks=int(shares.n_masks), exact=shares.attrs["exact"], ratio=ratio
    )


def _error(profiles: dict[float, xr.Dataset]) -> float:
    return max(2 * float(profile.p_in_c_error.max()) for profile in profiles.values())


def _as_json(profile: xr.Dataset) -> dict[str, Any]:
    names = ("p_in_c", "p_in_c_error", "number")
    return {
        "ratio": profile.attrs["ratio"],
        "realised_ratio": float(profile.realised),
        "mean_level": float(profile.mean_level),
        "n_masks": profile.attrs["n_masks"],
        "exact": bool(profile.attrs["exact"]),
        "level": profile.level.values.tolist(),
        **{name: profile[name].values.tolist() for name in names},
    }


def _draw(profiles: dict[float, xr.Dataset], args: argparse.Namespace) -> None:
    from maestrata.figures.looks import ratio_looks
    from maestrata.figures.save import save
    from maestrata.figures.sheet import Sheet, level_axis
    from maestrata.figures.style import Style, curve

    style = Style()
    with style.context():
        looks = ratio_looks(profiles)
        sheet = Sheet.grid(style, 1, 1, panel_height=2.2)
        axes = sheet.axes[0, 0]
        for ratio, look in looks.items():
            shares = profiles[ratio].p_in_c
            curve(axes, shares.level, shares, **look.drawn)
        level_axis(axes, "level (the highest is the root)")
        axes.set(ylabel="share of nodes in c", ylim=(0, None))
        title = f"What masks of a binary tree with {args.leaves} tokens share, mask patch {args.patch}"
        mirrored = any(abs(one + other - 1) < 1e-9 for one in profiles for other in profiles if one < other)
        same = "a mask and its complement share the same, so the curves of r and 1 - r lie on each other"
        told = [f"{args.reading}, {args.tie} of several smallest sets", same if mirrored else ""]
        figure = sheet.done(title, "", looks.values(), told)
    save(figure, args.out, style)
