"""Loss against images seen, and the loss that no predictor can go below."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from numpy.typing import NDArray

from maestrata.figures.panels import columns_of, place_label, places, short
from maestrata.figures.registry import CubeSet
from maestrata.figures.style import MARKERS, Style
from maestrata.figures.summary import missing_text

if TYPE_CHECKING:
    import xarray as xr

NAME = "training_curves"
TITLE = "Training loss by masking ratio"
CAPTION = (
    "Mean squared error on masked tokens against training images seen, one panel a world and mask "
    "patch, one colour and marker a realised masking ratio. Thin: each model (world seeds and training "
    "seeds), as logged; thick: their mean, smoothed. Dashes at the right: the least loss there is, from "
    "exact inference, where it is known."
)
NEEDS = ("training",)
USES = ("limits",)

SMOOTHED = 15


def draw(cubes: CubeSet, style: Style) -> Figure:
    """Draw one panel a world and mask patch."""
    cube, limits = cubes.one("training"), cubes.get("limits")
    ratios = _ratios(cube)
    figure, axes = style.flow(len(places(cube)))
    counts, exact = [], []
    for ax, place in zip(axes, places(cube), strict=True):
        world, size, offset = place
        here = columns_of(cube.sel(world=world, patch_size=size, offset=offset))
        models = 0
        for i, ratio in enumerate(here.realised_ratio.values):
            color, marker = _look(ratios, float(ratio))
            models = max(models, _curves(style, ax, here.isel(mask_ratio=i), color, marker))
            least, bound = _least(limits, place, float(here.mask_ratio[i]))
            if np.isfinite(least):
                exact.append((world, bound))
                ax.axhline(least, xmin=0.93, color=color, linestyle=(0, (2, 1)), linewidth=1.2)
        counts.append(models)
        ax.set_title(place_label(cube, *place))
        style.label(ax, "training images seen, thousands", "loss, pixel value²")
        if not models:
            style.missing(ax)
    handles = [
        Line2D([], [], color=c, marker=m, markersize=4, linewidth=1.4, label=short(r))
        for r in ratios
        for c, m in [_look(ratios, r)]
    ]
    style.title(figure, TITLE, [Line2D([], [], linestyle="none", label="masking ratio"), *handles])
    low, high = min(counts), max(counts)
    n = f"{low} to {high} models" if low < high else "1 model" if low == 1 else f"{low} models"
    lines = [
        f"n = {n} a curve; thin: each model's loss as logged, on training batches; thick: their mean, "
        f"smoothed over 1/{SMOOTHED} of the run; no intervals; {missing_text(cube)}",
        _limits_text(exact),
    ]
    style.footer(figure, lines)
    return figure


def _ratios(cube: xr.Dataset) -> list[float]:
    values = np.unique(cube.realised_ratio.values)
    return [float(v) for v in values[np.isfinite(values)]]


def _look(ratios: list[float], ratio: float) -> tuple[Any, str]:
    place = ratios.index(ratio)
    # The light end of the map vanishes in print.
    return mpl.colormaps["plasma"](0.85 * place / max(len(ratios) - 1, 1)), MARKERS[place % len(MARKERS)]


def _curves(style: Style, ax: Axes, here: xr.Dataset, color: Any, marker: str) -> int:
    """Draw the models of one ratio and their mean; return how many there are."""
    loss = here.loss.stack(model=("world_seed", "seed")).transpose("model", "record").values
    seen = here.images_seen.stack(model=("world_seed", "seed")).transpose("model", "record").values
    there = np.isfinite(loss).any(1)
    loss, seen = loss[there], seen[there]
    if not len(loss):
        return 0
    for x, y in zip(seen, loss, strict=True):
        ax.plot(x / 1000, y, color=color, linewidth=0.4, alpha=0.5)
    # Models of a ratio log at the same steps unless their lengths differ; then each stands for itself.
    if np.array_equal(seen, np.broadcast_to(seen[0], seen.shape), equal_nan=True):
        last = int(np.isfinite(seen[0]).sum())
        x, y = _smooth(seen[0, :last]), _smooth(loss.mean(0)[:last])
        ax.plot(x / 1000, y, color=color, linewidth=1.3, marker=marker, markersize=3,
                markevery=max(1, len(y) // 4))  # fmt: skip
    return len(loss)


def _smooth(values: NDArray[Any]) -> NDArray[Any]:
    """Running mean over a `SMOOTHED` part of the records: a logged loss is that of a single batch."""
    width = max(1, len(values) // SMOOTHED)
    return np.convolve(values, np.full(width, 1 / width), mode="valid")


def _least(limits: xr.Dataset | None, place: tuple[str, int, int], ratio: float) -> tuple[float, str]:
    """Least loss at a world, patch and asked ratio (mean over world seeds), and the kind of bound it is."""
    world, size, offset = place
    labels = {"world": world, "patch_size": size, "offset": offset, "mask_ratio": ratio}
    if limits is None or any(value not in limits[axis].values for axis, value in labels.items()):
        return np.nan, ""
    here = limits.bayes_loss.sel(labels)
    for bound in ("exact", "upper"):
        if bound in limits.bound.values:
            values = here.sel(bound=bound).values
            if np.isfinite(values).any():
                return float(np.nanmean(values)), bound
    return np.nan, ""


def _limits_text(found: list[tuple[str, str]]) -> str:
    names = {"exact": "exact inference", "upper": "a bound that no loss goes below"}
    parts = []
    for bound, name in names.items():
        worlds = list(dict.fromkeys(world for world, kind in found if kind == bound))
        parts += [f"{name} ({', '.join(worlds)})"] if worlds else []
    return f"dashes at the right: least loss on masked tokens, {'; '.join(parts)}" if parts else ""
