"""Accuracy of class probes on given images, by masking ratio, mask patch and probe."""

from __future__ import annotations

from dataclasses import replace
from itertools import product

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from maestrata.figures.looks import BLACK, ENCODERS, ORANGE, REFERENCES, SKY, Look, cycle
from maestrata.figures.sheet import RATIO, Sheet, missing, ratio_axis
from maestrata.figures.style import Style
from maestrata.figures.words import best_ratio, estimate, missing_text, patch_text, short, span
from maestrata.results import CubeSet, Series, along_cells, scores
from maestrata.results.places import columns_of, places, smallest
from maestrata.results.primary import CLASS

TITLE = "Class of given images, by masking ratio"
TARGETS = (CLASS, "texture", "layout")
CAPTION = (
    "Which masking ratio tells most of the class of given images. Share of test images whose class a "
    "probe tells, against the realised masking ratio in training. Left: by mask patch, the linear probe "
    "on the mean of all tokens (last layer, whole image). Right: at the smallest mask patch, by probe: "
    "linear on the mean of all tokens and on all tokens, kernel, attentive, as far as the run has them. "
    "Lines: the linear probe on the network before training, on the same network trained on targets of "
    "other images, and on pixels. Of composites, whose class is the shape, texture and layout follow. "
    "Worlds are splits of the images."
)
NEEDS = ("regression", "experiments/image_quality")  # of runs on given images

PROBES = {
    "linear, mean token": {},
    "linear, all tokens": {"pooling": "concat"},
    "kernel, mean token": {"pooling": "global", "probe": "kernel_ridge"},
    "attentive": {"pooling": "tokens", "probe": "attentive"},
}
"""What is scored -> in which it differs from the primary features."""
PROBE_LOOKS = {"linear, mean token": (ORANGE, "v"), "linear, all tokens": (SKY, "P"),
               "kernel, mean token": (BLACK, "X"), "attentive": ("#882255", "p")}  # fmt: skip
"""Colours and markers, the same in every run, that neither mask patches nor the lines have."""
LINES = {
    "random_init": REFERENCES["random_init"],
    "null_trained": replace(ENCODERS["null_trained"], marker=None, line=(0, (7, 1.5))),
    "pixels": replace(ENCODERS["pixels"], marker=None, line=(0, (1, 1.5))),
}
"""Encoders that no mask changes."""


def draw(cubes: CubeSet, style: Style) -> Figure:
    """Draw a row a set of images and factor; say so where the run has none."""
    cube = cubes.one("regression")
    targets = [target for target in TARGETS if target in cube.target.values and "accuracy" in cube]
    rows = [
        (place, target)
        for place, target in product(smallest(cube), targets)
        if bool(_taken(cube, target=target).sel(world=place.world).r2.notnull().any())
    ]
    if not rows:
        sheet = Sheet.grid(style, 1, 1, panel_height=0.3)
        missing(sheet.axes[0, 0], "this run has no images with classes")
        sheet.axes[0, 0].set_axis_off()
        return sheet.done(TITLE, "", [], ["n = 0 images with classes: no intervals", missing_text(cube)])
    sheet = Sheet.grid(style, len(rows), 2, panel_height=2.2)
    sizes = sorted({(place.patch_size, place.offset) for place in places(cube)})
    looks = {size: _patch_look(cube, *size) for size in sizes}
    told = []
    asked = {name: how for name, how in PROBES.items() if how.get("probe", "ridge") in cube["probe"].values}
    probes = [Look(name, *PROBE_LOOKS[name]) for name in asked]
    for (left, right), (place, target) in zip(sheet.axes, rows, strict=False):
        _lines(sheet, (left, right), cube, place.world, target)
        for (size, offset), look in looks.items():
            here = _taken(cube, target=target).sel(world=place.world, patch_size=size, offset=offset)
            s = _curve(sheet, left, here, look)
            if s is not None and (size, offset) == (place.patch_size, place.offset):
                best, but = best_ratio(s)
                at = f"r = {short(float(s.x[best]))}, {estimate(s, best)}{but}"
                told.append(f"{place.world}: accuracy of {target} from the mean token is highest at {at}.")
        for look, changes in zip(probes, asked.values(), strict=True):
            _curve(sheet, right, _taken(cube, target=target, **changes).sel(place._asdict()), look)
        left.set(title=f"{place.world}: {target}, by mask patch", ylabel="accuracy")
        right.set(title="by probe")
    n = [count for s in sheet.shown for count in s.samples if count]
    return sheet.done(TITLE, " ".join(told), [*looks.values(), *probes, *LINES.values()], [
        f"n = {span(n)} test images a split", sheet.intervals_text(unit="split"), missing_text(cube),
    ])  # fmt: skip


def _taken(cube: xr.Dataset, encoder: str = "trained", **changes: str) -> xr.Dataset:
    """Scores of a target, with the accuracy in the place of a score with an interval."""
    taken = scores(cube, encoder, **changes).max("level")
    return taken.assign({f"accuracy_{end}": taken.accuracy * np.nan for end in ("low", "high")})


def _curve(sheet: Sheet, ax: Axes, here: xr.Dataset, look: Look) -> Series | None:
    here = columns_of(here)
    ratio_axis(ax, RATIO)
    if not here.sizes["mask_ratio"]:
        return None
    s = along_cells(here, "mask_ratio", here.realised_ratio, "accuracy")
    sheet.plot(ax, s, look, worlds="thin")
    return s


def _lines(sheet: Sheet, axes: tuple[Axes, ...], cube: xr.Dataset, world: str, target: str) -> None:
    """Draw what no mask changes."""
    for encoder, look in LINES.items():
        here = _taken(cube, encoder, target=target).sel(world=world)
        everywhere = here.max(["patch_size", "offset", "mask_ratio"])
        s = along_cells(everywhere.expand_dims("point"), "point", [0.0], "accuracy")
        if s is None:
            continue
        for ax in axes:
            ax.axhline(float(s.mean[0]), color=look.color, linestyle=look.line, linewidth=0.9, zorder=1)


def _patch_look(cube: xr.Dataset, size: int, offset: int) -> Look:
    at = cube.sel(patch_size=size, offset=offset)
    i = sorted(cube.patch_size.values.tolist()).index(size)
    return cycle(i + 5 * offset, f"mask patch {patch_text(at, ' tokens')}")
