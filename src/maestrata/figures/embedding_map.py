"""t-SNE maps of representations, coloured by the root's class, with the purity of neighbourhoods."""

from __future__ import annotations

from typing import Any

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from maestrata.figures.arms import CONTROLS
from maestrata.figures.looks import BLACK, BLUE, ENCODERS, GREEN, ORANGE, PINK, SKY, VERMILION, Look
from maestrata.figures.sheet import Sheet, missing
from maestrata.figures.style import Style
from maestrata.figures.words import short
from maestrata.results import CubeSet, Series, along_arms, cells, numbered, worlds_of

NAME = "embedding_map"
TITLE = "t-SNE of representations, coloured by the root's class"
CAPTION = (
    "One point a test image of one world, as the encoder of each masking ratio sees it (last layer, "
    "mean-pooled), beside the untrained encoder, pixels and their principal components; colours and "
    "marks: the class of the root. Under each title the purity, of the nearest neighbours in the "
    "representation the share of the same class, and that in the plane. Distances between clusters, and "
    "their sizes, mean nothing in t-SNE; where purity is near chance, what looks like structure is not "
    "the root."
)
NEEDS = ("experiments/embedding",)

COLORS = (BLUE, ORANGE, GREEN, PINK, VERMILION, SKY, BLACK)
POINT_MARKERS = "o^sDvPX"


def draw(cubes: CubeSet, style: Style) -> Figure:
    """Draw a map an encoder, for every world whose points are there."""
    cube = cubes.one("experiments/embedding")
    worlds = worlds_of(cube)
    encoders = {world: _encoders(cube, world) for world in worlds}
    most = max(map(len, encoders.values()), default=0)
    columns = min(4, max(1, most))
    rows = -(-most // columns)
    sheet = Sheet.grid(style, rows * len(worlds), columns, panel_height=1.85)
    chances, seeds, classes = [], dict[int, None](), 0
    for world, panels in zip(worlds, sheet.axes.reshape(len(worlds), -1), strict=True):
        values, seed = _points_of(cube, world)
        seeds |= {} if seed is None else {seed: None}
        for ax, (arm, label) in zip(panels, encoders[world].items(), strict=False):
            classes = max(classes, _map(ax, values, numbered(cube, rf"{arm}/p(\d+)"), cube))
            whole, plane = (along_arms(cube, world, q, {arm: 0.0}) for q in ("purity", "purity_embedded"))
            sheet.shown += [s for s in (whole, plane) if s is not None]
            title = label if len(worlds) == 1 else f"{world}: {label}"
            ax.set_title(f"{title}\n{_purity(whole)}", fontsize="small", linespacing=1.25)
            if plane is not None:
                box = {"facecolor": "white", "edgecolor": "none", "alpha": 0.8, "pad": 0.5}
                ax.text(0.98, 0.02, f"in the plane {_two(float(plane.mean[0]))}", transform=ax.transAxes,
                        ha="right", fontsize="xx-small", color="#555555", bbox=box)  # fmt: skip
        for unused in panels[len(encoders[world]) :]:
            unused.remove()
        chance = along_arms(cube, world, "purity", {"chance": 0.0})
        if chance is not None:
            chances.append(f"{world} {short(float(chance.mean[0]))}")
    legend = [_look(c).handle(linestyle="") for c in range(classes)] if classes <= 6 else []
    where = ", ".join(str(s) for s in sorted(seeds))
    return sheet.done(TITLE, legend, [
        "purity: nearest neighbours of the same class, in the representation and in the plane; "
        f"{sheet.n_text()}; chance: {', '.join(chances) or 'not measured'}",
        sheet.intervals_text("in brackets"),
        f"points: {'world seed ' + where if where else 'none'} of {', '.join(worlds)}",
    ])  # fmt: skip


def _encoders(cube: xr.Dataset, world: str) -> dict[str, str]:
    """Arms that have a map, with their labels: models by ratio, then the controls."""
    models = {arm: f"r = {short(ratio)}" for arm, ratio in cells(cube, world).items()}
    return models | {arm: ENCODERS[arm].label for arm in CONTROLS if arm in cube["arm"].values}


def _points_of(cube: xr.Dataset, world: str) -> tuple[NDArray[Any] | None, int | None]:
    """Return x, y and class of all arms, (3, arms), of the first world seed with points, and it."""
    if not {"x", "y", "root_class"} <= set(cube["quantity"].values) or 0 not in cube["level"].values:
        return None, None
    chosen = cube["value"].sel(world=world, level=0, quantity=["x", "y", "root_class"])
    chosen = chosen.isel(seed=0).transpose("world_seed", "quantity", "arm")
    for i, seed in enumerate(chosen["world_seed"].values):
        if np.isfinite(chosen.values[i]).any():
            return chosen.values[i], int(seed)
    return None, None


def _map(ax: Axes, values: NDArray[Any] | None, arms: dict[str, float], cube: xr.Dataset) -> int:
    """Draw the points of one encoder; returns how many classes there are."""
    ax.set(xticks=[], yticks=[])
    for spine in ax.spines.values():
        spine.set(visible=True, color="#cccccc", linewidth=0.5)
    points = values[:, cube["arm"].isin(list(arms)).values] if values is not None else np.empty((3, 0))
    points = points[:, np.isfinite(points).all(0)]
    if not points.size:
        missing(ax, "no points stored")
        return 0
    labels = points[2].astype(int)
    # in the order of the images, so that no class lies on top of the others
    for start in range(0, len(labels), 40):
        for label in range(labels.max() + 1):
            here = np.flatnonzero(labels[start : start + 40] == label) + start
            dots: dict[str, Any] = {"linestyle": "", "markersize": 2.3, "markeredgewidth": 0, "alpha": 0.8}
            ax.plot(points[0, here], points[1, here], **(_look(label).drawn | dots))
    ax.set_aspect("equal", "datalim")
    ax.set_box_aspect(1)
    return int(labels.max()) + 1


def _look(label: int) -> Look:
    """Colour and marker of a class; with more than seven the pairs differ still."""
    marker = POINT_MARKERS[(label + label // len(COLORS)) % len(POINT_MARKERS)]
    return Look(f"root class {label}", COLORS[label % len(COLORS)], marker)


def _purity(purity: Series | None) -> str:
    """Purity with its interval."""
    if purity is None:
        return "purity not measured"
    ends = [float(purity.low[0]), float(purity.high[0])]
    interval = f" [{_two(ends[0])}, {_two(ends[1])}]" if np.isfinite(ends).all() else ""
    return f"purity {_two(float(purity.mean[0]))}{interval}"


def _two(share: float) -> str:
    """A share with two decimals.

    Examples
    --------
    >>> _two(0.5), _two(1.0)
    ('.50', '1.00')
    """
    return f"{share:.2f}".removeprefix("0")
