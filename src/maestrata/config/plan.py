"""What the rules need of a config, as plain strings: paths, flags of the steps, fingerprints of code.

Rules hold no logic of their own: they take everything from a `Plan`. A value reaches a job through `params`
only, so that a change of the config replans the jobs that use it and no others.
"""

from __future__ import annotations

import ast
import json
import re
import shlex
from collections import defaultdict
from collections.abc import Mapping
from functools import cached_property, lru_cache
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from maestrata.config.grid import Cell, build_cells, world_grid
from maestrata.config.sections import Config
from maestrata.errors import FigureError
from maestrata.figures import registry
from maestrata.fingerprint import fingerprint
from maestrata.masks import MaskPatches, realised_ratio

_PACKAGE = Path(__file__).parent.parent
_CELL = "{world}/w{world_seed}/p{patch}/v{visible}/s{seed}"

# File -> where it is below results/RUN/, and the rule that makes it.
FILES = {
    "worlds": ("worlds/{world}/w{world_seed}.nc", "worlds"),
    "theory": ("theory/{world}/w{world_seed}.nc", "theory"),
    "limits": ("limits/{world}/w{world_seed}.nc", "limits"),
    "weights": (f"cells/{_CELL}/weights.safetensors", "pretrain"),
    "history": (f"cells/{_CELL}/history.nc", "pretrain"),
    "scores": (f"cells/{_CELL}/scores.nc", "regress"),
    "reconstruction": (f"cells/{_CELL}/reconstructions.nc", "regress"),
    "controls": ("controls/{world}/w{world_seed}/s{seed}.nc", "controls"),
    "cube": ("cubes/{kind}.nc", "collect"),
    "pdf": ("figures/{figure}.pdf", "figure"),
    "png": ("figures/{figure}.png", "figure"),
}

# Rule -> modules of maestrata that its step finds by a name: what reading the step's imports cannot see.
# {process}: kind of the job's world; {probe}: every probe of the config. One that does not exist is left out
# (not every world has an exact posterior).
PLUGINS: dict[str, tuple[str, ...]] = {
    "worlds": ("worlds.{process}",),
    "theory": ("worlds.{process}",),
    "limits": ("worlds.{process}", "inference.{process}"),
    "pretrain": ("worlds.{process}",),
    "regress": ("worlds.{process}", "regression.probes.{probe}"),
    "controls": ("worlds.{process}", "regression.probes.{probe}"),
    "collect": (),
    "figure": ("figures.{figure}",),
}

# Cube -> what it is joined from.
SOURCES: dict[str, tuple[str, ...]] = {
    "regression": ("scores", "controls"),
    "training": ("history",),
    "reconstructions": ("reconstruction",),
    "theory": ("theory",),
    "limits": ("limits",),
}


def flags(values: Mapping[str, Any]) -> str:
    """Write values as flags of a step: lists as several values, mappings as JSON, None and False as nothing.

    Examples
    --------
    >>> flags({"mask_ratios": (0.1, 0.5), "norm_pixels": True, "samples": None})
    '--mask-ratios 0.1 0.5 --norm-pixels'
    """
    parts: list[str] = []
    for key, value in values.items():
        if value is None or value is False:
            continue
        parts.append(f"--{key.replace('_', '-')}")
        if isinstance(value, Mapping):
            parts.append(json.dumps(value, sort_keys=True))
        elif value is not True:
            parts += map(str, value) if isinstance(value, list | tuple) else [str(value)]
    return shlex.join(parts)


class Plan:
    """Files, flags and fingerprints of a run.

    Parameters
    ----------
    config : Config

    Attributes
    ----------
    folder : str
        Where the run's results are.
    cells : tuple of Cell

    Notes
    -----
    `wildcards` are those of a Snakemake job: an object with an attribute, of type str, for each wildcard.
    """

    def __init__(self, config: Config) -> None:
        self.config = config
        self.folder = f"{config.results}/{config.run}"
        self.cells = build_cells(config)
        self._by_place = {tuple(_place(cell).values()): cell for cell in self.cells}

    # files

    def path(self, name: str) -> str:
        """Return the pattern of a file, with its wildcards."""
        return f"{self.folder}/{FILES[name][0]}"

    def beside(self, what: str, rule: str) -> str:
        """Return the pattern of what a rule writes beside its outputs: its ``logs`` or ``benchmarks``."""
        place = next(pattern for pattern, made_by in FILES.values() if made_by == rule)
        ending = {"logs": "log", "benchmarks": "tsv"}[what]
        return f"{self.folder}/{what}/{rule}/{'_'.join(_braced(place))}.{ending}"

    def places(self, name: str) -> list[dict[str, str]]:
        """List the wildcards of all files of a name that the run makes."""
        fields = _wildcards(FILES[name][0])
        if fields == ("kind",):
            return [{"kind": kind} for kind in SOURCES]
        if fields == ("figure",):
            return [{"figure": figure} for figure in self.figures]
        chosen = {tuple(place[f] for f in fields): None for place in map(_place, self.cells)}
        return [dict(zip(fields, values, strict=True)) for values in chosen]

    def files(self, name: str) -> list[str]:
        """List all files of a name that the run makes."""
        pattern = self.path(name)
        return [pattern.format(**place) for place in self.places(name)]

    def sources(self, kind: str) -> list[str]:
        """List the files that a cube is joined from."""
        return [path for name in SOURCES[kind] for path in self.files(name)]

    def shown(self, figure: str) -> list[str]:
        """List the files that a figure is drawn from: what it needs, and what it shows where it is there."""
        kinds = _kinds_of_figure(figure)
        cubes = [self.path("cube").format(kind=kind) for kind in SOURCES if kind in kinds]
        return cubes + (self.files("worlds") if "worlds" in kinds else [])

    @property
    def figures(self) -> tuple[str, ...]:
        """Names of the figures to draw."""
        names = self.config.figures.names
        return tuple(registry.available()) if names == "all" else names

    @cached_property
    def constraints(self) -> dict[str, str]:
        """What each wildcard may be, as a regular expression: the values of the grid."""
        values: dict[str, dict[str, None]] = {
            "kind": dict.fromkeys(SOURCES),
            "figure": dict.fromkeys(self.figures),
        }
        for place in map(_place, self.cells):
            for name, value in place.items():
                values.setdefault(name, {})[value] = None
        return {name: "|".join(found) or "none" for name, found in values.items()}

    # values of a job

    def cell(self, wildcards: Any) -> Cell:
        """Return the cell that a job is about."""
        return self._by_place[tuple(getattr(wildcards, name) for name in _wildcards(_CELL))]

    def world(self, wildcards: Any) -> str:
        """Return the flags that name the world of a job."""
        entry = self.config.worlds[wildcards.world]
        return flags(
            {
                "world": wildcards.world,
                "world_kind": entry.kind,
                "world_settings": entry.settings,
                "world_seed": wildcards.world_seed,
            }
        )

    def masks(self, wildcards: Any) -> dict[str, tuple[float, ...]]:
        """Return the mask patches of a world and world seed, with the ratios asked of each."""
        return self._masks[wildcards.world, wildcards.world_seed]

    def training(self, wildcards: Any) -> str:
        """Return the flags of a cell's training."""
        return flags(self.cell(wildcards).training.model_dump())

    def code(self, rule: str, wildcards: Any) -> str:
        """Return the fingerprint of the code that a job runs: its step, and what the step finds by name."""
        modules = []
        for template in PLUGINS[rule]:
            for probe in self.config.evaluation.probes if "{probe}" in template else ("",):
                world = getattr(wildcards, "world", None)
                process = self.config.worlds[world].kind if world else ""
                module = template.format(
                    process=process, probe=probe, figure=getattr(wildcards, "figure", "")
                )
                if _PACKAGE.joinpath(*module.split(".")).with_suffix(".py").is_file():
                    modules.append(f"maestrata.{module}")
        return fingerprint(f"maestrata.steps.{rule}", modules)

    def expected(self) -> dict[str, str]:
        """Return every file that the run makes, with the fingerprint that it should carry."""
        return {
            self.path(name).format(**place): self.code(rule, SimpleNamespace(**place))
            for name, (_, rule) in FILES.items()
            for place in self.places(name)
        }

    def manifest(self, kind: str) -> str:
        """Return as JSON which cells a cube joins and where their files are (see `maestrata.cubes.manifest`).

        Nothing is told that the cube does not hold, or it would be joined again for nothing.
        """
        used = {field for name in SOURCES[kind] for field in _wildcards(FILES[name][0])}
        cells: dict[tuple[str, ...], Cell] = {}
        for cell in self.cells:
            cells.setdefault(tuple(_place(cell)[field] for field in sorted(used)), cell)
        grouped: dict[tuple[Any, ...], dict[int, list[int]]] = defaultdict(lambda: defaultdict(list))
        for cell in cells.values():
            images = cell.training.images if kind == "regression" else 0
            key = (cell.world, cell.patch, cell.visible, cell.mask_ratios, images)
            grouped[key][cell.world_seed].append(cell.seed)
        entries = []
        for (world, patch, visible, ratios, images), seeds_of in grouped.items():
            n_patches = MaskPatches.parse(patch, world_grid(self.config, world)).n_patches
            same: dict[tuple[int, ...], list[int]] = defaultdict(list)  # world seeds with the same seeds
            for world_seed, seeds in seeds_of.items():
                same[tuple(seeds)].append(world_seed)
            about = {
                "world": world,
                "patch": patch,
                "visible": visible,
                "mask_ratio": ratios,
                "realised_ratio": realised_ratio(n_patches, visible),
                "images": images,
            }
            entries += [about | {"world_seed": ws, "seed": seeds} for seeds, ws in same.items()]
        return json.dumps({"paths": {name: self.path(name) for name in SOURCES[kind]}, "cells": entries})

    @cached_property
    def _masks(self) -> dict[tuple[str, str], dict[str, tuple[float, ...]]]:
        found: dict[tuple[str, str], dict[str, set[float]]] = defaultdict(lambda: defaultdict(set))
        for cell in self.cells:
            found[cell.world, str(cell.world_seed)][cell.patch].update(cell.mask_ratios)
        return {
            place: {patch: tuple(sorted(ratios)) for patch, ratios in patches.items()}
            for place, patches in found.items()
        }


def _place(cell: Cell) -> dict[str, str]:
    return {name: str(getattr(cell, name)) for name in _wildcards(_CELL)}


@lru_cache
def _wildcards(pattern: str) -> tuple[str, ...]:
    return tuple(re.findall(r"{(\w+)}", pattern))


def _braced(pattern: str) -> list[str]:
    return [f"{{{name}}}" for name in _wildcards(pattern)]


@lru_cache
def figure_constant(figure: str, name: str, default: Any = None) -> Any:
    """Read a constant of a figure's module without importing it: Matplotlib would slow every start."""
    path = _PACKAGE / "figures" / f"{figure}.py"
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.Assign) and any(
            isinstance(t, ast.Name) and t.id == name for t in node.targets
        ):
            try:
                return ast.literal_eval(node.value)
            except ValueError:
                raise FigureError(f"{name} must be a plain constant ({path}, line {node.lineno})") from None
    return default


def _kinds_of_figure(figure: str) -> set[str]:
    return {*figure_constant(figure, "NEEDS", ()), *figure_constant(figure, "USES", ())}
