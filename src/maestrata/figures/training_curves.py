"""Loss against images seen, and the loss that no predictor can go below."""

from __future__ import annotations

from typing import Any

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from maestrata.cubes.sweep import stated
from maestrata.figures.looks import Look, ratio_looks
from maestrata.figures.panels import Place, bounded, bounds_text, columns_of, place_label, places
from maestrata.figures.sheet import Sheet, missing
from maestrata.figures.style import Style
from maestrata.figures.words import missing_text, span
from maestrata.results import CubeSet

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
BOUNDS = {"exact": "exact inference", "upper": "a bound that no loss goes below"}


def draw(cubes: CubeSet, style: Style) -> Figure:
    """Draw one panel a world and mask patch."""
    cube, limits = cubes.one("training"), cubes.get("limits")
    normed = True in stated(cube.attrs, "norm_pixels")
    if normed:
        limits = None  # which are in other units
    known = cube.realised_ratio.values
    looks = ratio_looks(known[np.isfinite(known)].tolist(), "plasma")
    sheet = Sheet.flow(style, len(places(cube)))
    counts, bounds = [], []
    for ax, place in zip(sheet.axes, places(cube), strict=True):
        here = columns_of(cube.sel(place._asdict()))
        ratios = here.realised_ratio.values.tolist()
        models = [_curves(ax, here.isel(mask_ratio=i), looks[ratio]) for i, ratio in enumerate(ratios)]
        missing(ax)
        for asked, ratio in zip(here.mask_ratio.values, ratios, strict=True):
            least = _least(limits, place, float(asked))
            if least is not None:
                bounds.append((place.world, least[0]))
                value, color = float(np.nanmean(least[1].values)), looks[ratio].color
                ax.axhline(value, xmin=0.93, color=color, linestyle=(0, (2, 1)), linewidth=1.2)
        counts.append(max(models))
        ax.set_title(place_label(cube, place))
        units = "of pixels normalised by token" if normed else "pixel value²"
        sheet.label(ax, "training images seen, thousands", f"loss, {units}")
    n = f"{span(counts)} model{'' if max(counts) == 1 else 's'}"
    told = bounds_text(bounds, BOUNDS)
    return sheet.done(TITLE, looks.values(), [
        f"n = {n} a curve; thin: each model's loss as logged, on training batches; thick: their mean, "
        f"smoothed over 1/{SMOOTHED} of the run; no intervals; {missing_text(cube)}",
        f"dashes at the right: least loss on masked tokens, {told}" if told else "",
        "models predict pixels normalised by token (norm_pixels): no least loss is known" if normed else "",
    ])  # fmt: skip


def _curves(ax: Axes, here: xr.Dataset, look: Look) -> int:
    """Draw the models of one ratio and their mean; return how many there are."""
    by_model = here.stack(model=("world_seed", "seed")).transpose("model", "record")
    there = np.isfinite(by_model.loss.values).any(1)
    loss, seen = (part.values[there] for part in (by_model.loss, by_model.images_seen))
    if not len(loss):
        return 0
    for x, y in zip(seen, loss, strict=True):
        ax.plot(x / 1000, y, color=look.color, linewidth=0.4, alpha=0.5)
    # Models of a ratio log at the same steps unless their lengths differ; then each stands for itself.
    if np.array_equal(seen, np.broadcast_to(seen[0], seen.shape), equal_nan=True):
        last = int(np.isfinite(seen[0]).sum())
        x, y = _smooth(seen[0, :last]), _smooth(loss.mean(0)[:last])
        ax.plot(x / 1000, y, linewidth=1.3, markersize=3, markevery=max(1, len(y) // 4), **look.drawn)
    return len(loss)


def _smooth(values: NDArray[Any]) -> NDArray[Any]:
    """Running mean over a `SMOOTHED` part of the records: a logged loss is that of a single batch."""
    width = max(1, len(values) // SMOOTHED)
    return np.convolve(values, np.full(width, 1 / width), mode="valid")


def _least(limits: xr.Dataset | None, place: Place, ratio: float) -> tuple[str, xr.DataArray] | None:
    """Least loss at a place and asked ratio, by world seed, with the kind of bound it is."""
    labels = place._asdict() | {"mask_ratio": ratio}
    if limits is None or any(value not in limits[axis].values for axis, value in labels.items()):
        return None
    return bounded(limits.bayes_loss.sel(labels))
