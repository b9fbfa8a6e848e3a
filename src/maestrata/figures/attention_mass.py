"""Attention on tokens of the same ancestor, against what even attention gives, and where it goes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import xarray as xr
from matplotlib.figure import Figure, SubFigure
from matplotlib.patches import Rectangle
from numpy.typing import NDArray

from maestrata import modules
from maestrata.cubes.sweep import stated
from maestrata.figures.arms import START, ByRatio, measured
from maestrata.figures.looks import ENCODERS, REFERENCES, VERMILION
from maestrata.figures.sheet import Sheet
from maestrata.figures.style import WIDTH, Style, curve
from maestrata.figures.tokens import bare
from maestrata.figures.words import decimals, estimate, short
from maestrata.results import CubeSet, along_arms, along_levels

TITLE = "Attention: mass under the same ancestor"
CAPTION = (
    "Whether attention of a block of the encoder stays with tokens that share an ancestor. Above, one row "
    "a world: of the attention to other tokens, the share on those under the same ancestor at each level, "
    "for all tokens as queries, and for [CLS] around the token that it attends to most; dotted: what even "
    "attention gives. Curves above it, and above the untrained encoder, follow the hierarchy, or are "
    "local, which in these images is nearly the same. Below, maps over the tokens of the image, of one "
    "world: where [CLS] and one token, outlined, look, as means over test images and in one image."
)
NEEDS = ("experiments/attention",)

MASSES = (
    ("token_mass", "all tokens"),
    ("cls_mass", "[CLS], around its peak"),
)
# rows of maps: (which, quantity, label)
MAPS = (
    ("mean", "cls_attention", "[CLS]\nmean"),
    ("mean", "chosen_attention", "outlined\nmean"),
    ("d0", "cls_attention", "[CLS]\none image"),
    ("d0", "chosen_attention", "outlined\none image"),
)


Map = NDArray[np.float64] | None


def draw(cubes: CubeSet, style: Style) -> Figure:
    """Draw the masses of every world, and the maps of the first that has some."""
    cube = cubes.one("experiments/attention")
    worlds = measured(cube)
    by_ratio = ByRatio(cube, worlds)
    shown, seed, maps = _maps(cube, {world: [*arms, START] for world, arms in by_ratio.models.items()})
    heights = [1.85 * len(worlds), 0.75 * len(maps) + 0.25][: 2 if maps else 1]
    figure = Figure(figsize=(WIDTH, sum(heights)), layout="constrained")
    parts: Any = figure.subfigures(len(heights), 1, squeeze=False, height_ratios=heights)[:, 0]
    for part in parts:
        part.patch.set_visible(False)  # a background at 0 or -0, as rounding has it: other bytes
    sheet = Sheet(style, figure, parts[0].subplots(len(worlds), len(MASSES), squeeze=False, sharey=True))
    told: list[str] = []
    for row, world in zip(sheet.axes, worlds, strict=True):
        for ax, (quantity, title) in zip(row, MASSES, strict=True):
            by_ratio.draw(sheet, ax, world, quantity, "level of the ancestor")
            even = along_levels(cube, world, "even", "token_mass")
            if even is not None and ax.has_data():
                curve(ax, even.x, even.mean, **REFERENCES["even"].drawn)
            ax.set_title(f"{world}: {title}")
        told.append(_told(cube, world, by_ratio.models[world]))
        row[0].set_ylabel("share of attention")
        row[0].set_ylim(0, max(1.0, row[0].get_ylim()[1]))
    if maps:
        names = [by_ratio.looks[ratio].label for ratio in by_ratio.models[shown].values()]
        _draw_maps(parts[1], maps, [*names, ENCODERS[START].label], _chosen(cube))
    return sheet.done(TITLE, " ".join(filter(None, told)), [*by_ratio.legend, REFERENCES["even"]], [
        f"{_block(cube)}, whole image; {sheet.n_text()}",
        sheet.intervals_text("bars and bands"),
        f"maps: {shown}, world seed {seed}, one scale for all, 1 = even; token {_chosen(cube)} outlined"
        if maps else "no maps in this run",
    ])  # fmt: skip


def _told(cube: xr.Dataset, world: str, models: Mapping[str, float]) -> str:
    """Say what all tokens give to the tokens under the same parent, beside even attention."""
    level = 1
    s, even = (along_arms(cube, world, "token_mass", arms, level) for arms in (models, {"even": 0.0}))
    if s is None or even is None:
        return ""
    most = int(s.mean.argmax())
    return (
        f"{world}: under the same parent lies most at r = {short(float(s.x[most]))}, {estimate(s, most)} "
        f"of the attention to other tokens; even: {decimals(float(even.mean[0]))}."
    )


def _asked(cube: xr.Dataset, key: str) -> list[int]:
    """Values of a setting: as the parts of the cube say, else the experiment's default."""
    default: int = modules.constant("experiments", "attention", "SETTINGS")[key]
    given = {int(settings.get(key, default)) for settings in stated(cube.attrs, "settings")}
    return sorted(given) or [default]


def _chosen(cube: xr.Dataset) -> int:
    """Token whose attention is mapped."""
    return _asked(cube, "token")[0]


def _block(cube: xr.Dataset) -> str:
    """Say which block and which head the attention is of."""
    layers = [f"block {layer}" if layer else "last block" for layer in _asked(cube, "layer")]
    heads = [f"head {head}" if head else "mean over heads" for head in _asked(cube, "head")]
    return f"{' and '.join(layers)}, {' and '.join(heads)}"


def _maps(cube: xr.Dataset, arms: dict[str, list[str]]) -> tuple[str, int, dict[str, list[Map]]]:
    """Return the first world and world seed with maps, and rows of these: label -> one an arm."""
    number = {str(arm): i for i, arm in enumerate(cube["arm"].values)}
    if "cls_attention" not in cube["quantity"].values or 0 not in cube["level"].values:
        return "", 0, {}
    for world, readers in arms.items():
        for world_seed in cube["world_seed"].values:
            at = cube["value"].sel(world=world, world_seed=world_seed, level=0).mean("seed")
            values = {
                q: at.sel(quantity=q).values for q in map(str, at["quantity"].values) if "attention" in q
            }
            rows = {
                label: [_map(values.get(quantity), number, f"{arm}/{which}/t") for arm in readers]
                for which, quantity, label in MAPS
            }
            rows = {label: row for label, row in rows.items() if any(m is not None for m in row)}
            if rows:
                return world, int(world_seed), rows
    return "", 0, {}


def _map(values: NDArray[Any] | None, number: dict[str, int], stem: str) -> Map:
    """Attention on the tokens over even attention, (height, width); None where it was not stored."""
    if values is None:
        return None
    shares = [values[i] for arm, i in number.items() if arm.startswith(stem)]
    n = len(shares)
    levels = n.bit_length() - 1
    if n != 1 << max(levels, 0) or not np.isfinite(shares).all():
        return None
    # a binary tree halves height first, going up: at least as high as wide
    height = 1 << ((levels + 1) // 2)
    return np.array(shares).reshape(height, n // height) * n


def _draw_maps(part: SubFigure, maps: dict[str, list[Map]], names: list[str], chosen: int) -> None:
    """Draw the maps: a row a query, a column a model."""
    axes = part.subplots(len(maps), len(names), squeeze=False)
    top = max(float(m.max()) for row in maps.values() for m in row if m is not None)
    image = None
    for panels, (label, row) in zip(axes, maps.items(), strict=True):
        for ax, values in zip(panels, row, strict=True):
            bare(ax)
            if values is None:
                ax.text(0.5, 0.5, "–", transform=ax.transAxes, ha="center", va="center", color="#777777")
                continue
            image = ax.imshow(values, cmap="Greys", vmin=0, vmax=top)
            if label.startswith("outlined") and chosen < values.size:
                y, x = divmod(chosen, values.shape[1])
                ax.add_patch(
                    Rectangle((x - 0.5, y - 0.5), 1, 1, fill=False, edgecolor=VERMILION, linewidth=1.2)
                )
        panels[0].set_ylabel(label, fontsize="small", rotation=0, ha="right", va="center")
    for ax, name in zip(axes[0], names, strict=True):
        ax.set_title(name, fontsize="small", loc="center")
    if image is not None:
        bar = part.colorbar(image, ax=axes, shrink=0.8, aspect=25, pad=0.02)
        bar.set_label("attention over even", fontsize="small")
        bar.ax.tick_params(labelsize="small")
