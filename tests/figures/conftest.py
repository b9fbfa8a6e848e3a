"""Plausible cubes, drawn from formulas: what figures are tested on without training anything."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from maestrata.cubes.collect import collect
from maestrata.cubes.io import build, open_cube
from maestrata.cubes.manifest import Manifest
from maestrata.cubes.schema import CELL, KINDS, SCORE
from maestrata.results import CubeSet
from maestrata.steps import theory

RATIOS = [0.1, 0.25, 0.5, 0.75, 0.9]
VISIBLE = {1: 16, 2: 8, 4: 4}  # patch size -> patches on a 4 x 4 grid
SHAPES = {1: (1, 1), 2: (2, 1), 4: (2, 2)}
LEVELS = [0, 1, 2, 3, 4]
# world -> patch size -> ratios, as in the default grid
GRID: dict[str, dict[int, list[float]]] = {
    "additive": {1: RATIOS, 2: [0.5, 0.75], 4: [0.5, 0.75]},
    "grammar": {1: [0.1, 0.5, 0.75]},
    "gaussian": {1: RATIOS},
    "invertible": {1: [0.1, 0.5, 0.75]},
}
TOP = {"additive": 0.3, "grammar": 0.17, "gaussian": 0.45, "invertible": 0.06}
BOTTOM = {"additive": 0.8, "grammar": 0.92, "gaussian": 0.9, "invertible": 0.7}


def loss_floor(ratio: float) -> float:
    """The loss at which made-up models end."""
    return 0.25 + 0.4 * ratio


def realised(size: int, ratio: float) -> float:
    n = VISIBLE[size]
    return 1 - min(max(int(n * (1 - ratio) + 0.5), 1), n - 1) / n


def truth(world: str, encoder: str, layer: int, level: int, size: int, ratio: float) -> float:
    """A made-up R2: falls with the level, peaks at middling ratios, grows with the layer."""
    share = (level - 1) / 3
    r2 = BOTTOM[world] * (1 - share) + TOP[world] * share
    if encoder == "trained":
        peak = 0.35 + 0.12 * level + 0.05 * np.log2(size)
        return float(r2 * (1 - 0.5 * (realised(size, ratio) - peak) ** 2) * (0.8 + 0.2 * layer / 3))
    return float(
        r2
        * {"null_trained": 0.75, "random_init": 0.72, "pixels": 0.35, "shuffled": 0.0, "linear_mae": 0.6}[
            encoder
        ]
    )


def regression(
    worlds: tuple[str, ...] = tuple(GRID), world_seeds: int = 2, seeds: int = 1, missing: tuple[Any, ...] = ()
) -> Any:
    """A regression cube; additive has all world seeds, the other worlds the first only if there are few."""
    coords: dict[str, list[Any]] = {
        "world": list(worlds),
        "world_seed": list(range(world_seeds)),
        "patch_size": [1, 2, 4],
        "offset": [0],
        "mask_ratio": RATIOS,
        "seed": list(range(seeds)),
        "encoder": ["trained", "random_init", "null_trained", "pixels", "shuffled", "linear_mae"],
        "layer": [0, 1, 2, 3],
        "pooling": ["global", "aligned"],
        "eval_ratio": ["0", "0.5"],
        "probe": ["ridge"],
        "target": ["latent", "noise"],
        "level": LEVELS,
    }
    rng = np.random.default_rng(0)
    cell_shape = [len(coords[a]) for a in CELL]
    shape = cell_shape + [len(coords[a]) for a in SCORE]
    data: dict[str, Any] = {name: np.full(shape, np.nan) for name in ("r2", "r2_low", "r2_high", "n_test")}
    data |= {name: np.full(shape, np.nan) for name in ("gain", "gain_low", "gain_high")}
    data |= {name: np.full(cell_shape, np.nan) for name in ("test_loss", "test_variance")}
    data |= {name: np.full(cell_shape, np.nan) for name in ("test_bayes_loss", "progress")}
    data |= {"images_seen": np.full(cell_shape, np.nan), "status": np.zeros(cell_shape, int)}
    ratio_of = np.full((3, 1, len(RATIOS), len(worlds)), np.nan)
    for w, world in enumerate(worlds):
        for p, size in enumerate(coords["patch_size"]):
            for r, ratio in enumerate(RATIOS):
                if ratio not in GRID[world].get(size, []):
                    continue
                ratio_of[p, 0, r, w] = realised(size, ratio)
                for v in range(world_seeds if world == "additive" or world_seeds > 2 else 1):
                    for s in range(seeds):
                        cell = (w, v, p, 0, r, s)
                        lost = (world, size, ratio) in missing
                        data["status"][cell] = 2 if lost else 1
                        if lost:
                            continue
                        data["images_seen"][cell] = 240_000
                        floor = loss_floor(ratio)
                        data["test_variance"][cell], data["test_loss"][cell] = 1.0, floor
                        if world != "additive":  # where there is no exact inference
                            data["test_bayes_loss"][cell] = floor - 0.04 - 0.1 * ratio * (1 + v % 3)
                            reached = (1 - floor) / (1 - data["test_bayes_loss"][cell])
                            data["progress"][cell] = reached
                        _fill(data, coords, cell, (world, size, ratio), 0.02 * (v % 3 - 0.5), rng)
    heights, widths = zip(*(SHAPES[s] for s in coords["patch_size"]), strict=True)
    beside = {"patch_height": list(heights), "patch_width": list(widths), "realised_ratio": ratio_of}
    return build("regression", coords, data | beside)


def _fill(data: Any, coords: Any, cell: Any, about: Any, shift: float, rng: np.random.Generator) -> None:
    world, size, ratio = about
    for e, encoder in enumerate(coords["encoder"]):
        for layer in coords["layer"]:
            if encoder not in ("trained", "random_init", "null_trained") and layer < 3:
                continue
            for level in LEVELS[1:]:
                value = truth(world, encoder, layer, level, size, ratio) + shift
                value += 0.004 * rng.standard_normal() if encoder == "trained" else 0
                base = truth(world, "null_trained", layer, level, size, ratio) + shift
                at = (*cell, e, layer, slice(None), slice(None), slice(None), 0, level)
                for name, values in (
                    ("r2", value), ("r2_low", value - 0.008), ("r2_high", value + 0.008), ("n_test", 8192),
                    ("gain", value - base), ("gain_low", value - base - 0.01),
                    ("gain_high", value - base + 0.01),
                ):  # fmt: skip
                    data[name][at] = values


def training(source: Any) -> Any:
    """Training histories for the cells of a regression cube."""
    n = 60
    seen = np.linspace(4000, 240_000, n)
    shape = [source.sizes[a] for a in CELL]
    data = {name: np.full((*shape, n), np.nan) for name in ("loss", "learning_rate", "images_seen")}
    rng = np.random.default_rng(1)
    for at in np.argwhere(source.status.values == 1):
        ratio = RATIOS[at[4]]
        floor = loss_floor(ratio)
        data["loss"][tuple(at)] = floor + (1 - floor) * np.exp(-seen / 40_000) + 0.01 * rng.standard_normal(n)
        data["images_seen"][tuple(at)] = seen
        data["learning_rate"][tuple(at)] = np.linspace(2e-3, 0, n)
    beside = {
        name: source[name].values for name in ("status", "patch_height", "patch_width", "realised_ratio")
    }
    return build("training", {a: source[a].values for a in CELL}, data | beside)


def limits(source: Any, bound: str = "exact") -> Any:
    """Limits of the worlds of a regression cube, above what anything reaches."""
    axes = (
        "world",
        "world_seed",
        "patch_size",
        "offset",
        "mask_ratio",
        "eval_ratio",
        "bound",
        "target",
        "level",
    )
    given: dict[str, Any] = {"eval_ratio": ["0", "training"], "bound": [bound], "target": ["latent"]}
    coords = {a: given.get(a, source[a].values if a in source.coords else None) for a in axes}
    coords["level"] = LEVELS[1:]
    r2 = np.empty([len(coords[a]) for a in axes])
    for i, world in enumerate(coords["world"]):
        for j, level in enumerate(coords["level"]):
            r2[i, ..., j] = min(1.0, truth(world, "trained", 3, level, 1, 0.5) * 1.3 + 0.05)
    loss = np.broadcast_to(0.22 + 0.4 * np.array(RATIOS)[:, None], [len(coords[a]) for a in axes[:5]] + [1])
    beside = {name: source[name].values for name in ("patch_height", "patch_width", "realised_ratio")}
    data = {"r2": r2, "bayes_loss": loss} | beside
    for name, variable in KINDS["limits"].variables.items():  # what no figure shows
        if name not in data and not variable.optional:
            data[name] = np.full([len(coords[d]) for d in variable.dims], np.nan)
    return build("limits", coords, data)


def images(n: int, rng: np.random.Generator) -> Any:
    """Images with blocks of several sizes: something to look at."""
    out = np.zeros((n, 3, 8, 8))
    for block in (8, 4, 2, 1):
        out += np.kron(rng.standard_normal((n, 3, 8 // block, 8 // block)), np.ones((1, 1, block, block)))
    return out / 2


def reconstructions(source: Any) -> Any:
    """Reconstructions for the cells of a regression cube."""
    shape = [source.sizes[a] for a in CELL]
    image = np.full((*shape, 8, 3, 8, 8), np.nan)
    prediction, visible = image.copy(), np.full((*shape, 8, 8, 8), np.nan)
    rng = np.random.default_rng(2)
    shown = {world: images(8, rng) for world in range(shape[0])}
    for at in np.argwhere(source.status.values == 1):
        keep = rng.random((8, 4, 4)) > RATIOS[at[4]]
        image[tuple(at)] = shown[at[0]]
        prediction[tuple(at)] = shown[at[0]] * 0.7
        visible[tuple(at)] = np.kron(keep, np.ones((1, 2, 2)))
    beside = {
        name: source[name].values for name in ("status", "patch_height", "patch_width", "realised_ratio")
    }
    data = {"image": image, "prediction": prediction, "visible": visible}
    return build("reconstructions", {a: source[a].values for a in CELL}, data | beside)


def world(label: str = "additive", seed: int = 0) -> Any:
    """A world's file: a binary tree over 4 x 4 tokens."""
    n_nodes = {0: 16, 1: 8, 2: 4, 3: 2, 4: 1}
    parent = {  # as the grid halves it: height at odd levels, width at even ones
        0: [4 * (i // 8) + i % 4 for i in range(16)],
        1: [2 * (i // 4) + (i % 4) // 2 for i in range(8)],
        2: [i % 2 for i in range(4)],
        3: [0, 0],
    }
    names = [f"x{i}" if level == 0 else f"z{level}.{i}" for level, n in n_nodes.items() for i in range(n)]
    start = dict(zip(n_nodes, np.cumsum([0, *n_nodes.values()]), strict=False))
    edges = [(start[k + 1] + p, start[k] + i) for k, parents in parent.items() for i, p in enumerate(parents)]
    columns = {f"{stem}_{part}": [1] for stem in ("latent", "draw") for part in ("level", "node", "dim")}
    data = {
        "images": images(12, np.random.default_rng(seed + 3)),
        "redrawn": images(16, np.random.default_rng(seed + 4)).reshape(4, 4, 3, 8, 8),
        "changed": np.outer([0.2, 0.4, 0.6, 0.8], np.ones(16)),
        "latents": np.zeros((12, 1)),
        "noise": np.zeros((12, 1)),
        "node_level": [level for level, n in n_nodes.items() for _ in range(n)],
        "edge_parent": [e[0] for e in edges],
        "edge_child": [e[1] for e in edges],
    }
    attrs = {"world": label, "world_kind": f"{label}_tree", "world_seed": seed, "world_settings": "{}",
             "grid_height": 4, "grid_width": 4, "token_pixels": 2}  # fmt: skip
    return build("worlds", {"node": names, "level": [1, 2, 3, 4]}, data | columns, attrs)


def _beside(name: str) -> ModuleType:
    """Import a module that lies beside this one: tests are no package."""
    spec = importlib.util.spec_from_file_location(name, Path(__file__).with_name(f"{name}.py"))
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


EXPERIMENTS = _beside("experiment_cubes")


def everything(labels: tuple[str, ...] = tuple(GRID), **changes: Any) -> CubeSet:
    """All cubes of a made-up run."""
    source = regression(labels, **changes)
    cubes = [source, training(source), limits(source), reconstructions(source)]
    cubes += [EXPERIMENTS.cube(name, labels[:1]) for name in EXPERIMENTS.NAMES]
    cubes.append(EXPERIMENTS.verdicts(labels[0]))
    return CubeSet([*cubes, *(world(w, v) for w in labels for v in (0, 1))])


@pytest.fixture(scope="session")
def cubes(tmp_path_factory: pytest.TempPathFactory) -> CubeSet:
    """The cubes of a run like the default one; the theory is real, it costs little."""
    folder = tmp_path_factory.mktemp("theory")
    kinds = {"additive": "additive_tree", "gaussian": "gaussian_tree"}
    cells = []
    for label, kind in kinds.items():
        masks = {f"{SHAPES[size][0]}x{SHAPES[size][1]}": ratios for size, ratios in GRID[label].items()}
        arguments = ["--world", label, "--world-kind", kind, "--masks", json.dumps(masks), "--samples", "200"]
        path = folder / f"{label}.nc"
        theory.main([*arguments, "--moment-samples", "2000", "--output", str(path)])
        cells.append({"world": label, "world_seed": 0, "patch": "1x1", "visible": 8, "mask_ratio": 0.5,
                      "realised_ratio": 0.5, "seed": 0, "images": 0})  # fmt: skip
    manifest = Manifest.parse(json.dumps({"paths": {"theory": f"{folder}/{{world}}.nc"}, "cells": cells}))
    collect("theory", manifest, folder / "cube.nc")
    made = everything()
    kinds = [*KINDS, *(f"experiments/{name}" for name in EXPERIMENTS.NAMES)]
    return CubeSet([*(c for kind in kinds for c in made.all(kind)), open_cube(folder / "cube.nc")])


@pytest.fixture
def made_up() -> Any:
    """Cubes of another run: worlds, and what `regression` takes."""
    return everything


@pytest.fixture(scope="session")
def experiments() -> ModuleType:
    """`cube` and `verdicts` make cubes of experiments and of verdicts; `NAMES` are the former's."""
    return EXPERIMENTS
