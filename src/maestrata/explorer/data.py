"""What the explorer's page shows, as JSON holds it: scores over worlds, ceilings, trees, verdicts."""

from __future__ import annotations

import json
from collections.abc import Mapping
from math import isfinite
from typing import TYPE_CHECKING, Any

import matplotlib as mpl
import numpy as np
from numpy.typing import NDArray

from maestrata.cells import PatchShape
from maestrata.claims.picture import LOOKS, verdicts_of
from maestrata.errors import MaskError, WorldError
from maestrata.figures.looks import ENCODERS, level_look
from maestrata.graphs import LatentGraph
from maestrata.masks import MaskPatches
from maestrata.resampling import nanmean
from maestrata.results import LEAST_WORLDS, PRIMARY, CubeSet, sum_up
from maestrata.results.places import columns_of, places
from maestrata.results.primary import NULL
from maestrata.worlds import World, make_of, world_class

if TYPE_CHECKING:
    import xarray as xr

Floats = NDArray[np.float64]
Json = dict[str, Any]

FEATURES = ("layer", "pooling", "eval_ratio", "probe", "target")
_SCORES = ("r2", "r2_low", "r2_high", "n_test")
_POOLINGS = {
    "aligned": "mean of the tokens under the node",
    "tokens": "tokens under the node",
    "concat": "all tokens",
    "global": "mean of all tokens",
    "cls": "class token",
}
_PLACE = ("patch_size", "offset", "mask_ratio")
_OF_NODES = ("aligned", "tokens")
"""Poolings without features where a node is wholly masked: such images are left out of score and ceiling."""


def data_of(cubes: CubeSet, title: str, note: str = "") -> Json:
    """Return what the page shows of a run.

    Parameters
    ----------
    cubes : CubeSet
        With the cube ``regression``; ``limits`` and ``verdicts`` where they are there.
    title : str
        Name of the run.
    note : str
        What is told of it, such as "smoke: not evidence".

    Returns
    -------
    dict
        Of what JSON holds. Numbers have three decimals, what is missing is None.

    Raises
    ------
    CubeError
        If there is no regression cube.
    """
    cube = cubes.one("regression")
    settings = json.loads(cube.attrs.get("parts_worlds", "{}"))
    worlds = {}
    for label in map(str, cube["world"].values):
        patches = _patches(cube, label)
        if not patches:
            continue
        made = _world(settings.get(label))
        scores = _scores(cube, label, patches)
        ceiling = _ceiling(cubes.get("limits"), label, patches)
        worlds[label] = scores | {"ceiling": ceiling, "tree": _tree(made), "patches": _drawn(patches, made)}
    top = int(cube["level"].max())
    return {
        "title": title,
        "note": note,
        "encoders": {name: look.label for name, look in ENCODERS.items()},
        "null": NULL,
        "levels": {str(level): _look(level, top) for level in range(1, top + 1)},
        "least_worlds": LEAST_WORLDS,
        "of_nodes": _OF_NODES,
        "worlds": worlds,
        "verdicts": _verdicts(cubes.get("verdicts")),
    }


def _look(level: int, top: int) -> Json:
    look = level_look(level, top)
    return {"color": mpl.colors.to_hex(look.color), "marker": look.marker}


# --------------------------------------------------------------------------------------------- the masks
def _patches(cube: xr.Dataset, world: str) -> Json:
    """Mask patches of a world, by label: their place in the cube, and one asked ratio a realised one."""
    sizes, offsets, asked = (cube[axis].values.tolist() for axis in _PLACE)
    patches = {}
    for place in (one for one in places(cube) if one.world == world):
        here = columns_of(cube.sel(place._asdict()))
        shape = PatchShape(int(here["patch_height"]), int(here["patch_width"]), bool(place.offset))
        patches[shape.label] = {
            "at": (sizes.index(place.patch_size), offsets.index(place.offset)),
            "columns": [asked.index(ratio) for ratio in here["mask_ratio"].values.tolist()],
            "ratios": [round(ratio, 6) for ratio in here["realised_ratio"].values.tolist()],
        }
    return patches


def _drawn(patches: Mapping[str, Json], world: World | None) -> Json:
    """What the page draws masks from: the ratios of each patch, and the patch that each token is in."""
    drawn = {}
    for label, patch in patches.items():
        drawn[label] = {"ratios": patch["ratios"], "of_token": []}
        if world is not None:
            drawn[label]["of_token"] = MaskPatches.parse(label, world.grid).patch_of_token.tolist()
    return drawn


# -------------------------------------------------------------------------------------------- the scores
def _scores(cube: xr.Dataset, world: str, patches: Mapping[str, Json]) -> Json:
    """Scores of a world: by patch, encoder, features and level, points over the masking ratio."""
    order = ("patch_size", "offset", "encoder", *FEATURES, "level", "world_seed", "seed", "mask_ratio")
    here = cube[list(_SCORES)].sel(world=world).transpose(*order).load()
    parts = [here[name].values for name in _SCORES]
    encoders, levels = (here[axis].values.tolist() for axis in ("encoder", "level"))
    labels = [here[axis].values.tolist() for axis in FEATURES]
    features: dict[tuple[Any, ...], int] = {}
    series: Json = {}
    for label, patch in patches.items():
        measured = [part[patch["at"]][..., patch["columns"]] for part in parts]
        for at in np.argwhere(np.isfinite(measured[0]).any((-3, -2, -1))).tolist():
            s = sum_up([part[tuple(at)] for part in measured], np.arange(len(patch["columns"])))
            if s is None or levels[at[-1]] < 1:
                continue
            which = tuple(of[i] for of, i in zip(labels, at[1:-1], strict=True))
            number = features.setdefault(which, len(features))
            worlds = np.isfinite(s.each).sum(0).tolist()
            columns = zip(
                s.x.astype(int).tolist(), *map(_short, (s.mean, s.low, s.high)), worlds, strict=True
            )
            points: Json = {"points": [list(point) for point in columns]}
            if s.n_worlds > 1:
                points["each"] = [_short(each) for each in s.each.T]
            of_encoder = series.setdefault(label, {}).setdefault(encoders[at[0]], {})
            of_encoder.setdefault(str(number), {})[str(levels[at[-1]])] = points
    last = max((which[0] for which in features), default=0)
    told = [
        {"name": _features_text(which, last), **dict(zip(FEATURES, which, strict=True))} for which in features
    ]
    # the target aside: what decides of images without latents is their class
    first = (last, *(PRIMARY[axis] for axis in FEATURES[1:-1]))
    primary = next((i for which, i in features.items() if which[:-1] == first and which[-1] != "noise"), 0)
    return {"features": told, "primary": primary, "series": series}


def _features_text(which: tuple[Any, ...], last: int) -> str:
    layer, pooling, hidden, probe, target = which
    parts = [_POOLINGS.get(pooling, pooling), "last layer" if layer == last else f"layer {layer}", probe]
    parts.append({"0": "whole image", "training": "masked as in training"}.get(hidden, f"{hidden} hidden"))
    other = {PRIMARY["target"]: [], "noise": ["injected noise"]}
    return ", ".join(parts + other.get(target, [target]))


def _short(values: Floats) -> list[float | None]:
    return [round(value, 3) + 0.0 if isfinite(value) else None for value in np.asarray(values).tolist()]


def _ceiling(limits: xr.Dataset | None, world: str, patches: Mapping[str, Json]) -> Json:
    """R2 of exact inference, or an upper bound: by what is hidden, target, level and patch, one a ratio."""
    if limits is None or world not in limits["world"].values:
        return {}
    bounds = [bound for bound in ("exact", "upper") if bound in limits["bound"].values]
    order = ("eval_ratio", "target", "level", "bound", "world_seed", *_PLACE)
    axes = [limits[axis].values.tolist() for axis in order[:3]]
    told: Json = {}
    for name, key in (("r2", "all"), ("r2_present", "of_nodes")):
        values = nanmean(limits[name].sel(world=world, bound=bounds).transpose(*order).values, 4)
        for at in np.argwhere(np.isfinite(values).any((3, 4, 5, 6))).tolist():
            hidden, target, level = (str(of[i]) for of, i in zip(axes, at, strict=True))
            known = np.isfinite(values[tuple(at)]).any((1, 2, 3))
            first = int(np.argmax(known))  # exact, where it is known
            here = values[tuple(at)][first]
            if hidden != "training":  # what is hidden then does not depend on the training
                here = np.full_like(here, np.nanmean(here))
            by_patch = {
                label: _short(here[patch["at"]][patch["columns"]]) for label, patch in patches.items()
            }
            place = told.setdefault(key, {}).setdefault(hidden, {}).setdefault(target, {})
            place[level] = {"bound": bounds[first], "patches": by_patch}
    return told


# --------------------------------------------------------------------------------------------- the trees
def _world(about: Mapping[str, Any] | None) -> World | None:
    """Make a world again, of any seed: a tree is the same for all. None where the cube does not tell it."""
    try:
        # a set of images has no causes that are known, and may not be on this machine
        if about is None or not world_class(about["kind"]).latent:
            return None
        return make_of(about["kind"], 0, about["settings"])
    except WorldError:  # of a plugin or an edition that is not here
        return None


def _tree(world: World | None) -> Json | None:
    """Return the tree over a world's tokens; None where its graph is none."""
    if world is None or not world.graph.is_tree:
        return None
    return tree_json(world.graph) | {"height": world.grid.height, "width": world.grid.width}


def tree_json(graph: LatentGraph) -> Json:
    """Return a tree as the page's script takes it: nodes by number, parents before children.

    Raises
    ------
    MaskError
        If a node has two parents.
    """
    if not graph.is_tree:
        raise MaskError("the page shows trees only: a node of this graph has more than one parent")
    number = {node: i for i, node in enumerate(graph.nodes)}
    noise = graph.noise_dims
    return {
        "names": [str(node) for node in graph.nodes],
        "parent": [next((number[p] for p in graph.parents(node)), -1) for node in graph.nodes],
        "level": [graph.level(node) for node in graph.nodes],
        "dim": [graph.dims[node] for node in graph.nodes],
        "noise": None if noise is None else [noise[node] for node in graph.nodes],
    }


# ------------------------------------------------------------------------------------------- the verdicts
def _verdicts(cube: xr.Dataset | None) -> list[Json]:
    """Claims with their verdicts, contrasts, and the number of each world behind these."""
    if cube is None:
        return []
    told = []
    for i, (claim, verdict) in enumerate(zip(cube["claim"].values.tolist(), verdicts_of(cube), strict=True)):
        look = LOOKS[verdict]
        about = {name: str(cube[name].values[i]) for name in ("title", "sentence", "rule")}
        contrasts = [
            _contrast(cube, k) for k in np.flatnonzero(cube["contrast_claim"].values == claim).tolist()
        ]
        told.append(
            {"claim": claim, "word": look.word, "sign": look.sign, "color": look.color, **about}
            | {"ours": bool(cube["ours"][i]), "n_worlds": int(cube["n_worlds"][i]), "contrasts": contrasts}
            | {name: _number(float(cube[name][i])) for name in ("p", "p_holm")}
        )
    return told


def _contrast(cube: xr.Dataset, k: int) -> Json:
    rows = np.flatnonzero(cube["row_contrast"].values == k)
    worlds, seeds, values = (cube[f"row_{name}"].values[rows] for name in ("world", "world_seed", "value"))
    numbers = ("estimate", "low", "high", "threshold")
    return {
        "name": str(cube["contrast_name"].values[k]),
        "units": str(cube["contrast_units"].values[k]),
        "decides": bool(cube["decides"][k]),
        **{name: _number(float(cube[name][k])) for name in numbers},
        "worlds": [f"{world} {seed}" for world, seed in zip(worlds, seeds, strict=True)],
        "values": [_number(value) for value in values.tolist()],
    }


def _number(value: float) -> float | None:
    return float(f"{value:.4g}") if isfinite(value) else None
