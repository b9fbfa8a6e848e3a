"""t-SNE maps of representations, coloured by the root's class, with the purity of neighbourhoods."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from numpy.typing import NDArray

from maestrata.figures.arms import CELLS, Series, interval_text, n_text, ratio_of, single
from maestrata.figures.panels import short
from maestrata.figures.registry import CubeSet
from maestrata.figures.style import ENCODERS, Style

if TYPE_CHECKING:
    import xarray as xr

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

CONTROLS = ("random_init", "pixels", "pca")
COLORS = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#D55E00", "#56B4E9", "#000000")
POINT_MARKERS = "o^sDvPX"


def draw(cubes: CubeSet, style: Style) -> Figure:
    """Draw a map a reader, for every world whose points are there."""
    cube = cubes.one("experiments/embedding")
    readers = _readers(cube)
    number = {str(arm): i for i, arm in enumerate(cube["arm"].values)}
    worlds = [str(w) for w in cube["world"].values]
    columns = min(4, max(1, len(readers)))
    rows = -(-len(readers) // columns)
    figure, axes = style.figure(rows * len(worlds), columns, panel_height=1.85, panel_width=None)
    found: list[Series] = []
    chances, seeds, classes = [], set(), 0
    for k, world in enumerate(worlds):
        values, seed = _points_of(cube, world)
        seeds |= {seed} if seed is not None else set()
        panels = list(axes[k * rows : (k + 1) * rows].flat)
        for ax, (reader, label) in zip(panels, readers.items(), strict=False):
            classes = max(classes, _map(style, ax, values, number, reader))
            whole, plane = (single(cube, world, reader, q) for q in ("purity", "purity_embedded"))
            found += [s for s in (whole, plane) if s is not None]
            title = label if len(worlds) == 1 else f"{world}: {label}"
            ax.set_title(f"{title}\n{_numbers(whole)}", fontsize="small", linespacing=1.25)
            if plane is not None:
                text = f"in the plane {_two(float(plane.mean[0]))}"
                box = {"facecolor": "white", "edgecolor": "none", "alpha": 0.8, "pad": 0.5}
                ax.text(0.98, 0.02, text, transform=ax.transAxes, ha="right", fontsize="xx-small",
                        color="#555555", bbox=box)  # fmt: skip
        for unused in panels[len(readers) :]:
            unused.remove()
        chance = single(cube, world, "chance", "purity")
        if chance is not None:
            chances.append(f"{world} {short(float(chance.mean[0]))}")
    style.title(figure, TITLE, _legend(classes))
    where = ", ".join(str(s) for s in sorted(seeds))
    style.footer(
        figure,
        [
            "purity: nearest neighbours of the same class, in the representation and in the plane; "
            f"{n_text(found)}; chance: {', '.join(chances) or 'not measured'}",
            interval_text(found, "in brackets"),
            f"points: {'world seed ' + where if where else 'none'} of {', '.join(worlds)}",
        ],
    )
    return figure


def _readers(cube: xr.Dataset) -> dict[str, str]:
    """Arms that have a map, with their labels: models by ratio, then the controls."""
    arms = [str(arm) for arm in cube["arm"].values]
    cells = sorted((ratio_of(cube, arm), arm) for arm in arms if re.fullmatch(CELLS, arm))
    found = {arm: f"r = {short(ratio)}" for ratio, arm in cells if np.isfinite(ratio)}
    return found | {arm: ENCODERS[arm][0] for arm in CONTROLS if arm in arms}


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


def _map(style: Style, ax: Axes, values: NDArray[Any] | None, number: dict[str, int], reader: str) -> int:
    """Draw the points of one reader; returns how many classes there are."""
    ax.set(xticks=[], yticks=[])
    for spine in ax.spines.values():
        spine.set(visible=True, color="#cccccc", linewidth=0.5)
    ids = [i for arm, i in number.items() if re.fullmatch(rf"{re.escape(reader)}/p\d+", arm)]
    points = values[:, ids] if values is not None and ids else np.empty((3, 0))
    points = points[:, np.isfinite(points).all(0)]
    if not points.size:
        style.missing(ax, "no points stored")
        return 0
    labels = points[2].astype(int)
    # in the order of the images, so that no class lies on top of the others
    for start in range(0, len(labels), 40):
        for label in range(labels.max() + 1):
            here = np.flatnonzero(labels[start : start + 40] == label) + start
            color, marker = _look(label)
            look: dict[str, Any] = {
                "marker": marker,
                "color": color,
                "markersize": 2.3,
                "markeredgewidth": 0,
                "alpha": 0.8,
            }
            ax.plot(points[0, here], points[1, here], linestyle="", **look)
    ax.set_aspect("equal", "datalim")
    ax.set_box_aspect(1)
    return int(labels.max()) + 1


def _look(label: int) -> tuple[str, str]:
    """Colour and marker of a class; with more than seven the pairs differ still."""
    return COLORS[label % len(COLORS)], POINT_MARKERS[(label + label // len(COLORS)) % len(POINT_MARKERS)]


def _numbers(purity: Series | None) -> str:
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


def _legend(classes: int) -> list[Line2D]:
    """Handles that name the classes, as long as they are few."""
    if classes > 6:
        return []
    return [
        Line2D(
            [], [], color=_look(c)[0], marker=_look(c)[1], linestyle="", markersize=4, label=f"root class {c}"
        )
        for c in range(classes)
    ]
