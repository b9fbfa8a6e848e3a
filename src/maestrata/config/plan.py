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

from maestrata.config import facts
from maestrata.config.grid import Cell, build_cells, world_grid
from maestrata.config.layout import CELL, FILES, INTERVENTIONS, PLUGINS, SOURCES, wildcards_of
from maestrata.config.sections import Config, Intervention
from maestrata.figures import registry
from maestrata.fingerprint import fingerprint
from maestrata.masks import MaskPatches, realised_ratio

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


class Plan:
    """Files, flags and fingerprints of a run.

    Parameters
    ----------
    config : Config
    partial : bool
        Take only what is there: of what cubes are joined from, the files that exist; of cubes and figures,
        those that can then be made.

    Attributes
    ----------
    folder : str
        Where the run's results are.
    cells : tuple of Cell

    Notes
    -----
    `wildcards` are those of a Snakemake job: an object with an attribute, of type str, for each wildcard.
    """

    def __init__(self, config: Config, partial: bool = False) -> None:
        self.config = config
        self.partial = partial
        self.folder = f"{config.results}/{config.run}"
        self.cells = build_cells(config)
        self._places = [_place(cell) for cell in self.cells]
        self._by_place = {
            tuple(place.values()): cell for place, cell in zip(self._places, self.cells, strict=True)
        }
        self._files: dict[str, list[str]] = {}
        self._flags: dict[Any, str] = {}

    # files

    def path(self, name: str) -> str:
        """Return the pattern of a file, with its wildcards."""
        return f"{self.folder}/{FILES[name][0]}"

    def beside(self, what: str, rule: str) -> str:
        """Return the pattern of what a rule writes beside its outputs: its ``logs`` or ``benchmarks``."""
        place = next(pattern for pattern, made_by in FILES.values() if made_by == rule)
        name = "_".join(f"{{{field}}}" for field in wildcards_of(place)) or rule
        ending = {"logs": "log", "benchmarks": "tsv"}[what]
        return f"{self.folder}/{what}/{rule}/{name}.{ending}"

    def places(self, name: str) -> list[dict[str, str]]:
        """List the wildcards of all files of a name that the run makes."""
        fields = wildcards_of(FILES[name][0])
        if not fields:
            return [{}] if self.evidence else []
        if fields == ("kind",):
            return [{"kind": kind} for kind in self.kinds if self.sources(kind)]
        if fields == ("figure",):
            return [{"figure": figure} for figure in self.figures if self._can_draw(figure)]
        if name == "intervention":
            return self._there(name, self._interventions)
        chosen = dict.fromkeys(tuple([place[f] for f in fields]) for place in self._places)
        return self._there(name, [dict(zip(fields, values, strict=True)) for values in chosen])

    def _there(self, name: str, places: list[dict[str, str]]) -> list[dict[str, str]]:
        if not self.partial:
            return places
        return [place for place in places if Path(self.path(name).format(**place)).exists()]

    @cached_property
    def _interventions(self) -> list[dict[str, str]]:
        """Wildcards of every intervention's jobs."""
        return list(map(dict, self._entries))

    @cached_property
    def _entries(self) -> dict[tuple[tuple[str, str], ...], Intervention]:
        """Entry of the config that each job of an intervention is from, by its wildcards."""
        return {
            (
                ("intervention", entry.name),
                ("world", world),
                ("world_seed", str(world_seed)),
                ("seed", str(seed)),
            ): entry
            for entry in self.config.interventions
            for world in entry.worlds
            for world_seed in entry.world_seeds
            for seed in entry.seeds
        }

    @cached_property
    def _intervention_names(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(entry.name for entry in self.config.interventions))

    def files(self, name: str) -> list[str]:
        """List all files of a name that the run makes."""
        if name not in self._files:  # asked for by several rules, and there may be ten thousand
            pattern = self.path(name)
            self._files[name] = [pattern.format(**place) for place in self.places(name)]
        return list(self._files[name])

    def sources(self, kind: str) -> list[str]:
        """List the files that a cube is joined from."""
        if kind.startswith(INTERVENTIONS):
            pattern, name = self.path("intervention"), kind.removeprefix(INTERVENTIONS)
            places = self.places("intervention")
            return [pattern.format(**place) for place in places if place["intervention"] == name]
        return [path for name in SOURCES[kind] for path in self.files(name)]

    @property
    def kinds(self) -> tuple[str, ...]:
        """Names of the cubes: their kinds, and ``interventions/NAME``."""
        return (*SOURCES, *(f"{INTERVENTIONS}{name}" for name in self._intervention_names))

    @staticmethod
    def kind(wildcards: Any) -> str:
        """Return the kind of a cube."""
        return str(wildcards.kind).split("/")[0]

    def shown(self, figure: str) -> list[str]:
        """List the files that a figure is drawn from: what it needs, and what it shows where it is there."""
        kinds = facts.cubes_of("figures", figure, "NEEDS", "USES")
        return [file for kind in kinds for file in self._of_kind(kind)]

    def _can_draw(self, figure: str) -> bool:
        return all(self._of_kind(kind) for kind in facts.cubes_of("figures", figure, "NEEDS"))

    def _of_kind(self, kind: str) -> list[str]:
        """List the files of a kind that figures and claims take."""
        if kind in ("worlds", "verdicts"):
            return self.files(kind)
        there = kind in self.kinds and self.sources(kind)
        return [self.path("cube").format(kind=kind)] if there else []

    @property
    def claims(self) -> tuple[str, ...]:
        """Names of the claims to judge."""
        names = self.config.claims.names
        return facts.modules("claims", "NUMBER") if names == "all" else names

    @property
    def claim_flags(self) -> str:
        """Return the flag that names the claims to judge."""
        return as_flags({"claims": self.claims})

    @cached_property
    def evidence(self) -> list[str]:
        """List the cubes that the claims are judged on, as far as the run makes them."""
        kinds = [kind for claim in self.claims for kind in facts.cubes_of("claims", claim, "NEEDS", "USES")]
        return [file for kind in dict.fromkeys(kinds) for file in self._of_kind(kind)]

    @property
    def everything(self) -> list[str]:
        """List all files that the run makes."""
        names = [
            name
            for name, (_, rule) in FILES.items()
            if not self.partial or rule in ("collect", "claims", "figure")
        ]
        return [file for name in names for file in self.files(name)]

    @property
    def figures(self) -> tuple[str, ...]:
        """Names of the figures to draw."""
        names = self.config.figures.names
        return tuple(registry.available()) if names == "all" else names

    @cached_property
    def constraints(self) -> dict[str, str]:
        """What each wildcard may be, as a regular expression: the values of the grid."""
        values: dict[str, dict[str, None]] = {
            "kind": dict.fromkeys(self.kinds),
            "figure": dict.fromkeys(self.figures),
            "intervention": dict.fromkeys(self._intervention_names),
        }
        for place in (*self._places, *self._interventions):
            for name, value in place.items():
                values.setdefault(name, {})[value] = None
        return {name: "|".join(found) or "none" for name, found in values.items()}

    # values of a job

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

    def intervention(self, wildcards: Any) -> str:
        """Return the flags of an intervention: its settings, and the models that it reads."""
        entry = self._entries[
            tuple(
                (name, getattr(wildcards, name)) for name in ("intervention", "world", "world_seed", "seed")
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
        """List the trained models that an intervention reads."""
        return [self.path("weights").format(**_place(cell)) for cell in self._read_cells(wildcards)]

    def _read_cells(self, wildcards: Any) -> list[Cell]:
        name = wildcards.intervention
        if not facts.constant("interventions", name, "CELLS", False):
            return []
        every = facts.constant("interventions", name, "SEEDS", "own") == "all"
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
    def note(self) -> str:
        """Return the flag that gives what every figure's title says of the run; it may be empty."""
        return as_flags({"note": self.config.note})

    def title(self, wildcards: Any) -> dict[str, str]:
        """Return what the report lists of a figure."""
        return {"figure": facts.constant("figures", wildcards.figure, "TITLE")}

    def caption(self, wildcards: Any) -> str:
        """Return the caption of a figure."""
        return str(facts.constant("figures", wildcards.figure, "CAPTION"))

    def code(self, rule: str, wildcards: Any) -> str:
        """Return the fingerprint of the code that a job runs: its step, and what the step finds by name."""
        process = self.config.worlds[wildcards.world].kind if hasattr(wildcards, "world") else ""
        return _code(
            rule,
            process,
            getattr(wildcards, "figure", ""),
            getattr(wildcards, "intervention", ""),
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
        if kind.startswith(INTERVENTIONS):
            return self._intervention_manifest(kind.removeprefix(INTERVENTIONS))
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

    def _intervention_manifest(self, name: str) -> str:
        cells = [
            {"world": world, "world_seed": entry.world_seeds, "seed": entry.seeds}
            for entry in self.config.interventions
            for world in entry.worlds
            if entry.name == name
        ]
        path = self.path("intervention").replace("{intervention}", name)
        return json.dumps({"paths": {"interventions": path}, "cells": cells})

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
    return {name: str(getattr(cell, name)) for name in wildcards_of(CELL)}


@lru_cache
def _code(
    rule: str, process: str, figure: str, intervention: str, probes: tuple[str, ...], claims: tuple[str, ...]
) -> str:
    one = {"process": process, "figure": figure, "intervention": intervention}
    names = {
        template.format(**one, probe=probe, claim=claim)
        for template in PLUGINS[rule]
        for probe in probes
        for claim in claims
    }
    if intervention:
        names |= set(facts.constant("interventions", intervention, "FINDS", ()))
    there = [name for name in names if _PACKAGE.joinpath(*name.split(".")).with_suffix(".py").is_file()]
    return fingerprint(f"maestrata.steps.{rule}", [f"maestrata.{name}" for name in there])
