"""What the rules need of a config, as plain strings: paths, flags of the steps, fingerprints of code.

Rules hold no logic of their own: they take everything from a `Plan`. A value reaches a job through `params`
only, so that a change of the config replans the jobs that use it and no others.
"""

from __future__ import annotations

import json
import os
import shlex
import sys
from collections import defaultdict
from collections.abc import Mapping
from functools import cached_property, lru_cache
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from maestrata import modules
from maestrata.config.grid import Cell, world_grid
from maestrata.config.sections import Config
from maestrata.masks import MaskPatches, realised_ratio
from maestrata.run.fingerprint import fingerprint
from maestrata.run.layout import CELL, EXPERIMENTS, FILES, PLUGINS, SOURCES, wildcards_of
from maestrata.run.run_files import RunFiles, place_of

_PACKAGE = Path(__file__).parent.parent


def as_flags(values: Mapping[str, Any]) -> str:
    """Write values as flags of a step: lists as several values, mappings as JSON, None and False as nothing.

    Examples
    --------
    >>> as_flags({"mask_ratios": (0.1, 0.5), "norm_pixels": True, "samples": None})
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


def job_environment(root: Path) -> dict[str, str]:
    """Return the environment in which jobs find the code of the checkout at `root`, and this interpreter."""
    first = {"PYTHONPATH": str(root / "src"), "PATH": str(Path(sys.executable).parent)}
    return {name: os.pathsep.join(filter(None, [path, os.environ.get(name)])) for name, path in first.items()}


class Plan(RunFiles):
    """Files, flags and fingerprints of a run (see `RunFiles`).

    Notes
    -----
    `wildcards` are those of a Snakemake job: an object with an attribute, of type str, for each wildcard.
    """

    def __init__(self, config: Config, partial: bool = False) -> None:
        super().__init__(config, partial)
        self._flags: dict[Any, str] = {}

    def cell(self, wildcards: Any) -> Cell:
        """Return the cell that a job is about."""
        return self._by_place[tuple(getattr(wildcards, name) for name in wildcards_of(CELL))]

    def world(self, wildcards: Any) -> str:
        """Return the flags that name the world of a job."""
        key = (wildcards.world, wildcards.world_seed)
        if key not in self._flags:
            entry = self.config.worlds[wildcards.world]
            self._flags[key] = as_flags(
                {
                    "world": wildcards.world,
                    "world_kind": entry.kind,
                    "world_settings": entry.settings,
                    "world_seed": wildcards.world_seed,
                }
            )
        return self._flags[key]

    def masks(self, wildcards: Any) -> str:
        """Return the flag that gives the mask patches of a world and world seed, with their asked ratios."""
        return as_flags({"masks": self._masks[wildcards.world, wildcards.world_seed]})

    def cell_flags(self, wildcards: Any) -> str:
        """Return the flags that name a cell within its world."""
        return as_flags({name: getattr(wildcards, name) for name in ("patch", "visible", "seed")})

    def training(self, wildcards: Any) -> str:
        """Return the flags of a cell's training."""
        training = self.cell(wildcards).training
        key = id(training)  # cells of a block share it, and the config keeps it alive
        if key not in self._flags:
            self._flags[key] = as_flags(training.model_dump())
        return self._flags[key]

    def section(self, name: str) -> str:
        """Return the flags of a section of the config that is the same for all cells."""
        return as_flags(getattr(self.config, name).model_dump())

    def reading(self) -> str:
        """Return the flags by which a cell is read: those of the section `evaluation` that matter to one."""
        return as_flags(self.config.evaluation.model_dump(exclude={"control_images"}))

    def limits(self) -> str:
        """Return the flags of the limits: the images and replicates are those that models are scored on."""
        shared = {"samples": self.config.evaluation.test, "replicates": self.config.evaluation.replicates}
        return as_flags(shared | self.config.limits.model_dump())

    def experiment(self, wildcards: Any) -> str:
        """Return the flags of an experiment: its settings, and the models that it reads."""
        entry = self._entries[
            tuple(
                (name, getattr(wildcards, name)) for name in ("experiment", "world", "world_seed", "seed")
            )
        ]
        model = self.config.model.model_dump() | self.config.training.model_dump()
        read = {key: getattr(self.config.evaluation, key) for key in ("probe_train", "test", "replicates")}
        cells = [
            f"{cell.patch}/v{cell.visible}/s{cell.seed}={file}"
            for cell, file in zip(self._read_cells(wildcards), self.read_weights(wildcards), strict=True)
        ]
        return as_flags({"settings": entry.settings, **model, **read, "cells": cells or None})

    def read_weights(self, wildcards: Any) -> list[str]:
        """List the trained models that an experiment reads."""
        return [self.path("weights").format(**place_of(cell)) for cell in self._read_cells(wildcards)]

    def _read_cells(self, wildcards: Any) -> list[Cell]:
        name = wildcards.experiment
        if not modules.constant("experiments", name, "CELLS", False):
            return []
        every = modules.constant("experiments", name, "SEEDS", "own") == "all"
        return [
            cell
            for cell in self._by_world[wildcards.world, str(wildcards.world_seed)]
            if every or str(cell.seed) == str(wildcards.seed)
        ]

    @cached_property
    def _by_world(self) -> dict[tuple[str, str], list[Cell]]:
        found: dict[tuple[str, str], list[Cell]] = defaultdict(list)
        for cell in self.cells:
            found[cell.world, str(cell.world_seed)].append(cell)
        return found

    @property
    def claim_flags(self) -> str:
        """Return the flag that names the claims to judge."""
        return as_flags({"claims": self.claims})

    @property
    def note(self) -> str:
        """Return the flag that gives what every figure's title says of the run; it may be empty."""
        return as_flags({"note": self.config.note})

    def title(self, wildcards: Any) -> dict[str, str]:
        """Return what the report lists of a figure."""
        return {"figure": modules.constant("figures", wildcards.figure, "TITLE")}

    def caption(self, wildcards: Any) -> str:
        """Return the caption of a figure."""
        return str(modules.constant("figures", wildcards.figure, "CAPTION"))

    def code(self, rule: str, wildcards: Any) -> str:
        """Return the fingerprint of the code that a job runs: its step, and what the step finds by name."""
        process = self.config.worlds[wildcards.world].kind if hasattr(wildcards, "world") else ""
        return _code(
            rule,
            process,
            getattr(wildcards, "figure", ""),
            getattr(wildcards, "experiment", ""),
            self.config.evaluation.probes,
            self.claims if rule == "claims" else ("",),
        )

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
        if kind.startswith(EXPERIMENTS):
            return self._experiment_manifest(kind.removeprefix(EXPERIMENTS))
        used = {field for name in SOURCES[kind] for field in wildcards_of(FILES[name][0])}
        cells: dict[tuple[str, ...], Cell] = {}
        for place, cell in zip(self._places, self.cells, strict=True):
            cells.setdefault(tuple([place[field] for field in sorted(used)]), cell)
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

    def _experiment_manifest(self, name: str) -> str:
        cells = [
            {"world": world, "world_seed": entry.world_seeds, "seed": entry.seeds}
            for entry in self.config.experiments
            for world in entry.worlds
            if entry.name == name
        ]
        path = self.path("experiment").replace("{experiment}", name)
        return json.dumps({"paths": {"experiments": path}, "cells": cells})

    @cached_property
    def _masks(self) -> dict[tuple[str, str], dict[str, tuple[float, ...]]]:
        found: dict[tuple[str, str], dict[str, set[float]]] = defaultdict(lambda: defaultdict(set))
        for cell in self.cells:
            found[cell.world, str(cell.world_seed)][cell.patch].update(cell.mask_ratios)
        return {
            place: {patch: tuple(sorted(ratios)) for patch, ratios in patches.items()}
            for place, patches in found.items()
        }


@lru_cache
def _code(
    rule: str, process: str, figure: str, experiment: str, probes: tuple[str, ...], claims: tuple[str, ...]
) -> str:
    one = {"process": process, "figure": figure, "experiment": experiment}
    names = {
        template.format(**one, probe=probe, claim=claim)
        for template in PLUGINS[rule]
        for probe in probes
        for claim in claims
    }
    if experiment:
        names |= set(modules.constant("experiments", experiment, "FINDS", ()))
    there = [name for name in names if _PACKAGE.joinpath(*name.split(".")).with_suffix(".py").is_file()]
    return fingerprint(f"maestrata.steps.{rule}", [f"maestrata.{name}" for name in there])
